// The page: what comes becomes known of a room, and is shown; what is done here becomes a request.
import { Attention } from "./attention.js";
import { Chat } from "./client.js";
import { HELP, parse } from "./commands.js";
import { Composer } from "./composer.js";
import { $, agreed, make, onSubmit } from "./elements.js";
import { showHead, showNowhere, showPeople, showRooms, showState, showTyping } from "./lists.js";
import { Log } from "./log.js";
import { Room } from "./rooms.js";
import { remembered, signIn, signOut, upload } from "./service.js";
import { cutOff, farewell } from "./words.js";

const TYPING_SHOWN = 6_000; // milliseconds
const LOBBY = "general", NAME = /^(@[a-z][a-z0-9_-]{0,31}|[a-z0-9][a-z0-9_-]{0,63})$/;
const rooms = new Map(), refused = new Map(), wanted = new Set(); // by name, by nonce, names
let chat, attention, current = null;

const log = new Log({
  edit: (event, text) => composer.edit(event, text),
  remove: (event) => attempt(() => chat.ask({ type: "delete", room: event.room, id: event.id }, "ack")),
  again: (said) => { dismiss(said); sayIn(said.room, said.text, said.file); },
  dismiss,
});
const composer = new Composer({
  say: (text) => { say(""); sayIn(current.name, text); },
  edit: (event, text) => attempt(() => chat.ask({ type: "edit", room: event.room, id: event.id, text }, "ack")),
  command: (text) => attempt(() => command(text)),
  typing: () => current && chat.tell({ type: "typing", room: current.name }),
  share: (file) => attempt(() => share(file, current.name)),
});

// ---- coming in

async function comeIn(name) {
  try {
    chat = new Chat(name, await signIn(name));
  } catch (error) {
    return refuse(error);
  }
  $("sign-in").hidden = true;
  $("chat").hidden = false;
  $("me").textContent = $("me").title = name;
  attention = new Attention(chat, () => { if (current) attention.read(current); drawRooms(); });
  for (const [type, act] of Object.entries(HEARD)) chat.addEventListener(type, ({ detail }) => act(detail));
  return chat.open();
}

function refuse(error) {
  $("sign-in").hidden = false;
  $("sign-in-error").textContent = error.message;
  $("sign-in-error").hidden = false;
}

function start() {
  const name = remembered();
  $("sign-in").hidden = Boolean(name);
  if (!name) return $("name").focus(); // it was hidden when the page came
  $("name").value = name;
  comeIn(name);
}

// ---- what comes

const HEARD = {
  state: showState,
  welcome: welcomed,
  joined: (it) => {
    const room = roomOf(it.room);
    room.counted = wanted.delete(it.room) || room.counted;
    const before = room.events.size;
    room.enter(it);
    if (before && !room.events.size && room === current) look(room); // it began anew
  },
  caught_up: caughtUp,
  message: arrived,
  edited: arrived,
  deleted: arrived,
  change: arrived,
  left,
  presence: (it) => { roomOf(it.room).hear(it.user, it.state, it.at); drawPeople(roomOf(it.room)); },
  typing,
  notice: noticed,
  settled: ({ nonce }) => { refused.delete(nonce); log.settle(nonce); },
  refused: notSaid,
};

function roomOf(name) {
  if (!rooms.has(name)) rooms.set(name, new Room(name, chat.name));
  return rooms.get(name);
}

async function welcomed(welcome) {
  for (const room of rooms.values()) room.counted = false;
  for (const known of welcome.rooms) roomOf(known.room).describe(known);
  attention.repeat();
  drawRooms();
  if (!current) await attempt(() => enter(localStorage.getItem("room") || LOBBY));
  if (!current) await attempt(() => enter(LOBBY));
  takeRooms(welcome.rooms.filter((known) => known.member && !chat.last.has(known.room)));
  await listRooms().catch(() => {});
}

function takeRooms(known) {
  for (const one of known) {
    if (one.room !== current?.name) roomOf(one.room).describe(one);
    if (one.member) chat.join(one.room).catch(() => {}); // at the next welcome
  }
}

// The rooms one is in, and those one could join.
async function listRooms() {
  for await (const page of chat.pages("rooms", "room")) {
    takeRooms(page.filter((known) => !known.member || !chat.last.has(known.room)));
  }
  drawRooms();
}

function caughtUp({ room, kept_from: keptFrom }) {
  if (keptFrom) {
    roomOf(room).keptFrom = keptFrom;
    if (room === current?.name) log.cut();
    say(cutOff(roomOf(room).title));
  }
  if (room === current?.name) {
    attention.read(current);
    askPeople(current);
  }
  drawRooms();
}

function arrived(event) {
  const room = roomOf(event.room);
  room.take(event);
  stopTyping(room, event.user);
  if (room !== current || document.hidden) room.count(event);
  if (room === current) showArrived(room, event);
  else room.forgetOldest();
  drawRooms();
}

function showArrived(room, event) {
  log.add(event);
  showHead(room);
  attention.read(room);
  if (chat.settled.has(room.name) && (event.type === "change" || !room.people.has(event.user))) askPeople(room);
}

function left({ room: name, why, by }) {
  const room = roomOf(name);
  room.joined = false;
  if (room.private) rooms.delete(name);
  say(farewell(room.title, why, by), Boolean(why) && why !== "leave");
  if (room === current) look([...rooms.values()].find((other) => other.joined) ?? null);
  drawRooms();
}

function typing({ room: name, user }) {
  if (user === chat.name) return;
  const room = roomOf(name);
  clearTimeout(room.typing.get(user));
  room.typing.set(user, setTimeout(() => stopTyping(room, user), TYPING_SHOWN));
  if (room === current) showTyping(room);
}

function stopTyping(room, user) {
  clearTimeout(room.typing.get(user));
  if (room.typing.delete(user) && room === current) showTyping(room);
}

function noticed({ why, room, from }) {
  if (why === "invited") say(`${from} invites you to #${room}.`, false, ["Join", () => attempt(() => enter(room))]);
  if (why === "mention" && room !== current?.name) say(`${from} mentions you in #${room}.`, false, ["Go there", () => attempt(() => enter(room))]);
}

function notSaid({ said, why }) {
  refused.set(said.nonce, { said, why });
  if (said.room === current?.name) log.wait(said, why);
  else say(`What you said in ${roomOf(said.room).title} was not sent: ${why}`, true);
}

// ---- what is done here

// Whether it was done; if not, why is shown.
async function attempt(act) {
  try {
    await act();
    return true;
  } catch (error) {
    say(error.message, true);
    return false;
  }
}

async function enter(name) {
  if (!NAME.test(name) && !rooms.has(name)) throw new Error("A room's name has lower-case letters, digits, - and _; @NAME is a private conversation.");
  wanted.add(chat.named(name));
  const { room } = await chat.join(name);
  look(roomOf(room));
}

async function enterOrMake(name) {
  try {
    await enter(name);
  } catch (error) {
    if (error.code !== "unknown") throw error;
    const answer = await agreed(name);
    if (!answer) return;
    await chat.ask({ type: "create", room: name, private: answer.private }, "created");
    await enter(name);
  }
}

function look(room) {
  current = room;
  $("chat").classList.toggle("nowhere", !room);
  $("chat").classList.remove("people");
  if (!room) return showNowhere();
  localStorage.setItem("room", room.name);
  const unsettled = [...[...chat.unacknowledged.values()].map(({ said }) => ({ said })), ...refused.values()];
  log.show(room, unsettled.filter(({ said }) => said.room === room.name));
  composer.clear();
  showHead(room);
  showTyping(room);
  attention.read(room);
  drawRooms();
  drawPeople(room);
  askPeople(room);
  if (!matchMedia("(pointer: coarse)").matches) $("text").focus(); // on a phone it would open the keyboard
}

async function askPeople(room) {
  const people = new Map(), asked = performance.now();
  try {
    for await (const page of chat.pages("people", "user", { room: room.name })) for (const person of page) people.set(person.user, person);
  } catch {
    return; // the connection was lost: it is asked again when it is back
  }
  room.setPeople(people, asked);
  drawPeople(room);
}

function sayIn(room, text, file) {
  const said = chat.say(room, text, file);
  if (room !== current?.name) return;
  log.wait(said);
  log.toEnd();
}

function dismiss(said) {
  refused.delete(said.nonce);
  log.settle(said.nonce);
}

async function share(file, room) {
  say(`Sharing ${file.name}…`);
  const { id } = await upload(chat.token, file);
  say("");
  sayIn(room, file.name, id);
}

async function command(text) {
  say("");
  const [verb, name = ""] = text.slice(1).trim().split(/\s+/);
  if (verb === "help") return say(HELP);
  if (verb === "join") return enterOrMake(name.replace(/^#/, ""));
  if (verb === "leave") return chat.ask({ type: "leave", room: current.name }, "left");
  if (verb === "away" || verb === "back") return attention.away(verb === "away");
  return chat.ask({ ...parse(text), room: current.name }, "done");
}

// ---- the page itself

function say(text, wrong = false, [label, act] = []) {
  $("notice").classList.toggle("error", wrong);
  $("notice").replaceChildren(text);
  if (!label) return;
  const button = make("button", { type: "button" }, label);
  button.addEventListener("click", () => { say(""); act(); });
  $("notice").append(" ", button);
}

const drawRooms = () => showRooms(rooms.values(), current, (name) => attempt(() => enter(name)));
const drawPeople = (room) => { if (room === current) showPeople(room, (name) => attempt(() => enter(name))); };

$("sign-in").addEventListener("submit", (event) => { event.preventDefault(); comeIn($("name").value.trim()); });
onSubmit("enter", "enter-name", (name) => attempt(() => enterOrMake(name.toLowerCase().replace(/^#/, ""))));
onSubmit("invite", "invite-name", (name) => attempt(() => command(`/invite ${name.toLowerCase()}`)));
$("enter-name").addEventListener("focus", () => listRooms().catch(() => {})); // those of before will do
$("older").addEventListener("click", () => attempt(async () => {
  const room = current;
  room.takePage(await chat.ask({ type: "history", room: room.name, before: room.oldest, limit: 50 }, "history"));
  if (room === current) log.addOlder();
}));
$("sign-out").addEventListener("click", () => { signOut(); location.reload(); });
$("back").addEventListener("click", () => location.reload());
$("show-people").addEventListener("click", () => $("chat").classList.add("people"));
$("hide-people").addEventListener("click", () => $("chat").classList.remove("people"));
start();
