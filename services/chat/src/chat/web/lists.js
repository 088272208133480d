// The rooms, the people in one of them, who is typing there, and the state of the connection.
import { $, make, moment } from "./elements.js";

let shown = null; // the room that was looked at when the list was drawn
const ORDER = { online: 0, away: 1, offline: 2 };
const STATES = {
  connected: () => "connected",
  delayed: () => "connected; messages wait, and are sent again",
  connecting: () => "connecting",
  waiting: ({ wait }) => `reconnecting in ${(wait / 1000).toFixed(1)} s`,
  ended: ({ why }) => `ended: ${why}`,
};

export function showState(it) {
  $("state").dataset.state = it.state;
  $("state").textContent = STATES[it.state](it);
  $("back").hidden = it.state !== "ended";
}

export function showHead(room) {
  $("room").textContent = room.title;
  $("topic").textContent = room.topic;
  $("invite").hidden = !room.private || room.isPrivate;
}

export function showNowhere() {
  $("room").textContent = "No room";
  $("topic").textContent = "";
}

export function showTyping(room) {
  const names = [...room.typing.keys()];
  $("typing").textContent = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
}

export function showRooms(rooms, current, pick) {
  const known = [...rooms].filter((room) => room.joined || !room.isPrivate);
  known.sort((a, b) => Number(b.joined) - Number(a.joined) || a.name.localeCompare(b.name));
  const focused = document.activeElement?.dataset.room;
  $("rooms").replaceChildren(...known.map((room) => make("li", {}, roomButton(room, current, pick))));
  if (focused) $("rooms").querySelector(`[data-room="${CSS.escape(focused)}"]`)?.focus();
  if (current !== shown) $("rooms").querySelector("[aria-current=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  shown = current;
  const unread = known.reduce((sum, room) => sum + room.unread, 0);
  document.title = `${unread ? `(${unread}) ` : ""}${current?.title ?? ""} · Chat`;
}

function roomButton(room, current, pick) {
  const button = make("button", { type: "button", className: room.joined ? "" : "other", title: room.joined ? "" : "Join" }, make("span", {}, room.title));
  button.dataset.room = room.name;
  button.setAttribute("aria-current", String(room === current));
  if (room.unread) {
    button.append(make("span", { className: `badge${room.mentions ? " mention" : ""}` }, `${room.unread}${room.most}`, make("span", { className: "hidden" }, " unread")));
  }
  button.addEventListener("click", () => pick(room.name));
  return button;
}

export function showPeople(room, talk) {
  const people = [...room.people.values()].sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.user.localeCompare(b.user));
  $("people").replaceChildren(...people.map((person) => {
    const item = make("li", {}, nameOf(person, room.me, talk), make("small", {}, aboutOf(person)));
    item.dataset.state = person.state;
    return item;
  }));
}

function nameOf({ user }, me, talk) {
  if (user === me) return make("span", { className: "who" }, user);
  const button = make("button", { type: "button", className: "who", title: `Talk to ${user} in private` }, user);
  button.addEventListener("click", () => talk(`@${user}`));
  return button;
}

function aboutOf({ state, role, seen }) {
  const where = state === "offline" && seen ? `last seen ${moment(seen)}` : state;
  return role && role !== "member" ? `${role}, ${where}` : where;
}
