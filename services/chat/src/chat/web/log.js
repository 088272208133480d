// The messages of the room that is looked at. What comes is added, and what changes is replaced, each by itself: a
// selection and the place of a screen reader survive.
import { $, linked, make, moment, shared } from "./elements.js";

const NEAR = 60; // pixels
const DID = {
  topic: (it) => (it.text ? `set the topic: ${it.text}` : "removed the topic"),
  invite: (it) => `invited ${it.user}`,
  kick: (it) => `kicked ${it.user}`,
  ban: (it) => `banned ${it.user} for ${it.seconds} s`,
  unban: (it) => `lets ${it.user} in again`,
  mute: (it) => `muted ${it.user} for ${it.seconds} s`,
  unmute: (it) => `lets ${it.user} speak again`,
  slow: (it) => (it.seconds ? `allows one message in ${it.seconds} s` : "ended the slow mode"),
  announce: (it) => `announces: ${it.text}`,
  role: (it) => `made ${it.user} ${it.text}`,
  close: () => "closed the room",
};

export class Log {
  #room = null;
  #atEnd = true;
  #size = "";
  #act;

  // `act` has what can be done with a message: edit, remove; with one that was refused: again, dismiss.
  constructor(act) {
    this.#act = act;
    $("log").addEventListener("scroll", () => this.#scrolled());
    const sizes = new ResizeObserver(() => this.#resized());
    for (const id of ["log", "messages", "pending"]) sizes.observe($(id));
  }

  show(room, unsettled) {
    this.#room = room;
    room.forgetOldest();
    silently(() => $("messages").replaceChildren(...room.inOrder().map((event) => this.#line(event))));
    $("pending").replaceChildren();
    for (const { said, why } of unsettled) this.wait(said, why);
    $("older").hidden = !room.more;
    this.toEnd();
  }

  add(event) {
    if ("target" in event) return this.#replace(event.target);
    $("messages").append(this.#line(event));
    if (!this.#atEnd) return;
    for (const { id } of this.#room.forgetOldest()) itemOf(id)?.remove();
    $("older").hidden = !this.#room.more;
  }

  // Show from where on the room is whole.
  cut() {
    itemOf(this.#room.keptFrom)?.classList.add("cut");
  }

  // What was fetched goes before what is there, which stays where it is.
  addOlder() {
    const height = $("log").scrollHeight, shown = itemOf(firstId());
    const older = this.#room.inOrder().filter((event) => !itemOf(event.id)).map((event) => this.#line(event));
    silently(() => (shown ? shown.before(...older) : $("messages").append(...older)));
    $("older").hidden = !this.#room.more;
    this.#atEnd = false;
    $("log").scrollTop += $("log").scrollHeight - height;
  }

  // Something was said that has no place yet; or that was refused, and `why`.
  wait(said, why = "") {
    this.settle(said.nonce);
    const item = make("li", { className: `mine ${why ? "refused" : "pending"}` },
      make("span", { className: "who" }, "you"),
      make("time", {}, why ? "not sent" : "not sent yet"),
      make("div", { className: "text" }, said.text));
    item.dataset.nonce = said.nonce;
    if (why) item.append(make("p", { className: "error" }, why), this.#tools([["send again", () => this.#act.again(said)], ["dismiss", () => this.#act.dismiss(said)]]));
    $("pending").append(item);
  }

  settle(nonce) {
    $("pending").querySelector(`[data-nonce="${CSS.escape(nonce)}"]`)?.remove();
  }

  // Who scrolls leaves the end, or comes back to it; what scrolls because its size has changed does not count.
  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = $("log");
    if (this.#size === `${scrollHeight}/${clientHeight}`) this.#atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
  }

  // Who looks at the newest message goes on to, also when there is less place for it, or a picture has come.
  #resized() {
    this.#size = `${$("log").scrollHeight}/${$("log").clientHeight}`;
    if (this.#atEnd) this.toEnd();
  }

  toEnd() {
    $("log").scrollTop = $("log").scrollHeight;
    this.#atEnd = true;
  }

  #replace(id) {
    const event = this.#room.events.get(id);
    if (event) itemOf(id)?.replaceWith(this.#line(event));
  }

  #line(event) {
    const item = event.type === "change" ? change(event) : this.#message(event);
    item.dataset.id = event.id;
    item.classList.toggle("cut", event.id === this.#room.keptFrom);
    return item;
  }

  #message(event) {
    const room = this.#room, edit = room.edits.get(event.id), gone = edit?.type === "deleted";
    const item = make("li", { className: event.user === room.me ? "mine" : "" },
      make("span", { className: "who" }, event.user),
      make("time", { dateTime: new Date(event.at * 1000).toISOString() }, moment(event.at)));
    if (event.mentions?.includes(room.me)) item.classList.add("mentioned");
    if (gone) item.append(make("div", { className: "gone" }, "taken back"));
    else item.append(...this.#content(event, edit), this.#tools(this.#possible(event, edit?.text ?? event.text)));
    return item;
  }

  #content(event, edit) {
    const named = event.file && !edit && event.text === event.file.name; // the link says it
    return [
      ...(edit ? [make("span", { className: "edited" }, "edited")] : []),
      ...(named ? [] : [make("div", { className: "text" }, ...linked(edit?.text ?? event.text))]),
      ...(event.file ? [shared(event.file)] : []),
    ];
  }

  #possible(event, text) {
    const own = event.user === this.#room.me ? [["edit", () => this.#act.edit(event, text)]] : [];
    return this.#room.mayChange(event) ? [...own, ["delete", () => this.#act.remove(event)]] : [];
  }

  #tools(possible) {
    return make("span", { className: "tools" }, ...possible.map(([label, act]) => {
      const button = make("button", { type: "button" }, label);
      button.addEventListener("click", act);
      return button;
    }));
  }
}

const itemOf = (id) => $("messages").querySelector(`[data-id="${id}"]`);
const firstId = () => $("messages").firstElementChild?.dataset.id;
const change = (event) => make("li", { className: `event ${event.verb}` }, `${event.by} ${DID[event.verb]?.(event) ?? event.verb}`);

// A screen reader reads out what is new, not what was fetched.
function silently(fill) {
  const spoken = $("messages").parentElement;
  spoken.ariaLive = "off";
  fill();
  requestAnimationFrame(() => { spoken.ariaLive = "polite"; });
}
