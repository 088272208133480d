// The page. What people wrote is only ever put in as text.
import { Chat, upload } from "./client.js";

const $ = (id) => document.getElementById(id);
const TYPING_SHOWN = 6000, TYPING_SENT = 3000; // milliseconds
const LOBBY = "general", MOST_SHOWN = 500;
const rooms = new Map(); // by name: what is known of it, and its events by id
let chat, current = null, typed = 0, atEnd = true;

$("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    chat = await Chat.signIn($("name").value.trim());
  } catch (error) {
    $("sign-in-error").textContent = error.message;
    $("sign-in-error").hidden = false;
    return;
  }
  begin();
});
$("name").value = localStorage.getItem("name") ?? "";

function begin() {
  localStorage.setItem("name", chat.name);
  $("sign-in").hidden = true;
  $("chat").hidden = false;
  $("me").textContent = chat.name;
  const on = (type, act) => chat.addEventListener(type, ({ detail }) => act(detail));
  on("state", showState);
  on("welcome", welcomed);
  on("joined", (it) => Object.assign(roomOf(it.room), { joined: true, topic: it.topic, role: it.role }));
  on("caught_up", (it) => { showRooms(); if (it.room === current) show(it.room); });
  for (const type of ["message", "edited", "deleted", "change"]) on(type, arrived);
  on("left", left);
  on("presence", presence);
  on("typing", typing);
  on("notice", noticed);
  on("ack", (it) => settle(it.nonce));
  on("error", (it) => { settle(null); if (!it.ref || it.code !== "malformed") say(it.detail, true); });
  chat.connect();
}

function roomOf(name) {
  if (!rooms.has(name)) {
    rooms.set(name, { name, events: new Map(), edits: new Map(), people: new Map(), typing: new Map(), unread: 0, mentions: 0 });
  }
  return rooms.get(name);
}

async function welcomed(welcome) {
  for (const known of welcome.rooms) {
    Object.assign(roomOf(known.room), { topic: known.topic, member: known.member, unread: known.unread ?? 0, mentions: known.mentions ?? 0 });
  }
  showRooms();
  const wanted = welcome.rooms.filter((known) => known.member && !chat.last.has(known.room)).map((known) => known.room);
  if (!current && !wanted.includes(LOBBY)) wanted.unshift(LOBBY);
  for (const name of wanted) await enter(name, !current);
}

async function enter(name, look = true) {
  try {
    const { room } = await chat.join(name);
    chat.last.set(room, Math.max(chat.last.get(room) ?? 0, 0));
    if (look) show(room);
    return room;
  } catch (error) {
    say(error.message, true);
    return null;
  }
}

function arrived(event) {
  const room = roomOf(event.room);
  if (event.type === "edited") room.edits.set(event.target, event);
  if (event.type === "deleted") room.edits.set(event.target, event);
  room.events.set(event.id, event);
  room.typing.delete(event.user);
  if (event.type === "change" && event.verb === "topic") room.topic = event.text ?? "";
  if (event.type === "change" && ["kick", "ban"].includes(event.verb) && event.user === chat.name) return; // `left` follows
  if (event.room === current) {
    showEvents(room);
    showTyping(room);
    showHead(room);
    if (event.type === "change" || !room.people.has(event.user)) askPeople(room.name);
    markRead(room);
  } else if (event.type === "message" && event.user !== chat.name) {
    room.unread += 1;
    if (event.mentions?.includes(chat.name)) room.mentions += 1;
    showRooms();
  }
}

function left(event) {
  const room = roomOf(event.room);
  room.joined = false;
  chat.last.delete(event.room);
  say(`You are no longer in ${event.room}${event.why ? `: ${event.why} by ${event.by}` : ""}.`, Boolean(event.why));
  if (event.room === current) {
    const next = [...rooms.values()].find((other) => other.joined);
    if (next) show(next.name);
  }
  showRooms();
}

function presence(event) {
  const room = roomOf(event.room);
  room.people.set(event.user, { ...room.people.get(event.user), user: event.user, state: event.state });
  if (event.room === current) showPeople(room);
}

function typing(event) {
  if (event.user === chat.name) return;
  const room = roomOf(event.room);
  clearTimeout(room.typing.get(event.user));
  room.typing.set(event.user, setTimeout(() => { room.typing.delete(event.user); showTyping(room); }, TYPING_SHOWN));
  showTyping(room);
}

function noticed(notice) {
  if (notice.why === "invited") say(`${notice.from} invites you to ${notice.room}: join it on the left.`);
  if (notice.why === "mention" && notice.room !== current) say(`${notice.from} mentions you in ${notice.room}.`);
}

function show(name) {
  current = name;
  const room = roomOf(name);
  markRead(room);
  showHead(room);
  showEvents(room, true);
  showRooms();
  showPeople(room);
  showTyping(room);
  askPeople(name);
  $("text").focus();
}

function markRead(room) {
  room.unread = room.mentions = 0;
  const last = chat.last.get(room.name);
  if (last) chat.tell({ type: "read", room: room.name, id: last });
}

async function askPeople(name) {
  try {
    const answer = await chat.ask({ type: "people", room: name }, "people");
    roomOf(name).people = new Map(answer.people.map((person) => [person.user, person]));
    if (name === current) showPeople(roomOf(name));
  } catch { /* the connection was lost: it is asked again when it is back */ }
}

const titleOf = (name) => (name.includes("+") ? `@${name.split("+").find((one) => one !== chat.name) ?? name}` : `#${name}`);

function showHead(room) {
  $("room").textContent = titleOf(room.name);
  $("topic").textContent = room.topic ?? "";
  document.title = `${titleOf(room.name)} · Chat`;
}

function showState({ state, wait, why }) {
  const words = { connected: "connected", connecting: "connecting", waiting: `reconnecting in ${wait?.toFixed(1)} s`, ended: `ended: ${why}` };
  $("state").dataset.state = state;
  $("state").textContent = words[state];
}

function showRooms() {
  const known = [...rooms.values()].filter((room) => room.joined || !room.name.includes("+"));
  known.sort((a, b) => Number(Boolean(b.joined)) - Number(Boolean(a.joined)) || a.name.localeCompare(b.name));
  $("rooms").replaceChildren(...known.map((room) => {
    const button = make("button", { type: "button", className: room.joined ? "" : "other" }, make("span", {}, titleOf(room.name)));
    button.setAttribute("aria-current", String(room.name === current));
    if (room.unread && room.name !== current) {
      const badge = make("span", { className: `badge${room.mentions ? " mention" : ""}` }, String(room.unread));
      badge.setAttribute("aria-label", `${room.unread} unread`);
      button.append(badge);
    }
    button.addEventListener("click", () => (room.joined ? show(room.name) : enter(room.name)));
    return make("li", {}, button);
  }));
}

function showPeople(room) {
  const order = { online: 0, away: 1, offline: 2 };
  const people = [...room.people.values()].sort((a, b) => order[a.state] - order[b.state] || a.user.localeCompare(b.user));
  $("people").replaceChildren(...people.map((person) => {
    const seen = person.seen ? `last seen ${new Date(person.seen * 1000).toLocaleTimeString()}` : person.state;
    const role = person.role && person.role !== "member" ? person.role : "";
    const item = make("li", { title: seen }, make("span", {}, person.user), make("small", {}, role));
    item.dataset.state = person.state;
    item.append(make("span", { className: "hidden" }, ` is ${person.state}`));
    return item;
  }));
}

function showTyping(room) {
  if (room.name !== current) return;
  const names = [...room.typing.keys()];
  $("typing").textContent = names.length ? `${names.join(", ")} ${names.length > 1 ? "are" : "is"} typing…` : "";
}

function showEvents(room, jump = false) {
  if (atEnd || jump) forgetOldest(room);
  const events = [...room.events.values()].sort((a, b) => a.id - b.id).filter((event) => ["message", "change"].includes(event.type));
  const pending = [...chat.unacknowledged.values()].filter((said) => said.room === room.name);
  $("messages").replaceChildren(...events.map((event) => line(room, event)), ...pending.map(pendingLine));
  $("older").hidden = !events.length || Math.min(...room.events.keys()) <= 1;
  if (atEnd || jump) toEnd();
}

// The oldest of many events can be fetched again: the button above them does.
function forgetOldest(room) {
  const ids = [...room.events.keys()].sort((a, b) => a - b);
  for (const id of ids.slice(0, Math.max(0, ids.length - MOST_SHOWN))) room.events.delete(id);
}

function toEnd() {
  $("log").scrollTop = $("log").scrollHeight;
  atEnd = true;
}

// Who looks at the newest message goes on to, also when there is less place for it.
$("log").addEventListener("scroll", () => { atEnd = $("log").scrollHeight - $("log").scrollTop - $("log").clientHeight < 60; });
new ResizeObserver(() => { if (atEnd) toEnd(); }).observe($("log"));

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

function line(room, event) {
  if (event.type === "change") {
    return make("li", { className: `event ${event.verb}` }, `${event.by} ${DID[event.verb]?.(event) ?? event.verb}`);
  }
  const change = room.edits.get(event.id), mine = event.user === chat.name;
  const gone = change?.type === "deleted";
  const item = make("li", { className: mine ? "mine" : "" },
    make("span", { className: "who" }, event.user),
    make("time", { dateTime: new Date(event.at * 1000).toISOString() }, new Date(event.at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })),
    make("div", { className: gone ? "gone" : "text" }, gone ? "taken back" : change?.text ?? event.text));
  if (event.file && !change && event.text === event.file.name) item.lastChild.remove(); // the link says it
  item.dataset.id = event.id;
  if (event.mentions?.includes(chat.name)) item.classList.add("mentioned");
  if (change?.type === "edited") item.append(make("span", { className: "edited" }, "edited"));
  if (event.file && !gone) item.append(fileLink(event.file));
  if (!gone && (mine || ["moderator", "owner", "admin"].includes(room.role))) item.append(tools(room, event, mine));
  return item;
}

function pendingLine(said) {
  return make("li", { className: "mine pending" }, make("span", { className: "who" }, chat.name), make("div", { className: "text" }, said.text));
}

function fileLink(file) {
  const size = file.size < 1024 ? `${file.size} B` : file.size < 1048576 ? `${Math.round(file.size / 1024)} KB` : `${(file.size / 1048576).toFixed(1)} MB`;
  return make("a", { className: "file", href: `/v1/files/${encodeURIComponent(file.id)}`, download: file.name }, `${file.name} (${size})`);
}

function tools(room, event, mine) {
  const box = make("span", { className: "tools" });
  const add = (label, request) => {
    const button = make("button", { type: "button" }, label);
    button.addEventListener("click", async () => {
      const full = request();
      if (full) await chat.ask({ room: room.name, id: event.id, ...full }, "ack").catch((error) => say(error.message, true));
    });
    box.append(button);
  };
  if (mine) add("edit", () => { const text = prompt("Say instead:", event.text); return text ? { type: "edit", text } : null; });
  add("delete", () => ({ type: "delete" }));
  return box;
}

function settle() {
  if (current) showEvents(roomOf(current));
}

function say(text, wrong = false) {
  $("notice").textContent = text;
  $("notice").classList.toggle("error", wrong);
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const HELP = "/topic TEXT · /invite NAME · /kick NAME · /ban NAME SECONDS · /unban NAME · /mute NAME SECONDS · /unmute NAME · /slow SECONDS · /announce TEXT · /role NAME ROLE · /close · /leave · /away · /back";

async function command(text) {
  const [verb, ...words] = text.slice(1).split(/\s+/);
  const rest = words.join(" ");
  if (verb === "help") return say(HELP);
  if (verb === "leave") return chat.ask({ type: "leave", room: current }, "left");
  if (verb === "away" || verb === "back") return chat.tell({ type: "away", away: verb === "away" });
  const about = ["topic", "announce"].includes(verb) ? { text: rest }
    : verb === "slow" ? { seconds: Number(words[0] ?? 0) }
    : verb === "close" ? {}
    : { user: words[0] };
  if (verb === "role") about.text = words[1] ?? "";
  if (verb === "ban" || verb === "mute") about.seconds = Number(words[1] ?? 600);
  await chat.ask({ type: "command", room: current, verb, ...about }, "done");
}

$("say").addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text || !current) return;
  $("text").value = "";
  say("");
  if (!text.startsWith("/")) {
    chat.say(current, text);
    return showEvents(roomOf(current), true);
  }
  try {
    await command(text);
  } catch (error) {
    say(error.message, true);
  }
});

$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("say").requestSubmit();
  }
});

$("text").addEventListener("input", () => {
  const now = Date.now();
  if (current && now - typed > TYPING_SENT && !$("text").value.startsWith("/")) {
    typed = now;
    chat.tell({ type: "typing", room: current });
  }
});

$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  $("file").value = "";
  if (!file || !current) return;
  say(`Sharing ${file.name}…`);
  try {
    const { id } = await upload(chat.token, file);
    chat.say(current, file.name, id);
    say("");
  } catch (error) {
    say(error.message, true);
  }
});

$("enter").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("enter-name").value.trim().toLowerCase().replace(/^#/, "");
  $("enter-name").value = "";
  try {
    if (!name.startsWith("@") && !rooms.has(name)) await chat.ask({ type: "create", room: name }, "created").catch(() => null);
    await enter(name);
  } catch (error) {
    say(error.message, true);
  }
});

$("older").addEventListener("click", async () => {
  const room = roomOf(current), height = $("log").scrollHeight;
  const answer = await chat.ask({ type: "history", room: current, before: Math.min(...room.events.keys()), limit: 50 }, "history");
  for (const event of answer.items) {
    if (["edited", "deleted"].includes(event.type) && !room.edits.has(event.target)) room.edits.set(event.target, event);
    room.events.set(event.id, event);
  }
  atEnd = false;
  showEvents(room);
  $("log").scrollTop = $("log").scrollHeight - height;
});
