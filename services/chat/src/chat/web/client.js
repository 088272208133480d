// The protocol, without a page: one connection that comes back by itself, each event once and in order.

const FIRST_WAIT = 500, LONGEST_WAIT = 15_000; // milliseconds, between two connections
const AGAIN = 2_000, PATIENCE = 30_000, TICK = 500; // milliseconds
const EVENTS = ["message", "edited", "deleted", "change"];
const USER = /^@[a-z][a-z0-9_-]{0,31}$/;
const FOR_PEOPLE = {
  unavailable: "The service cannot do that at the moment. Try again soon.",
  malformed: "The service did not understand that.",
};
const nonce = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export class Refused extends Error {
  constructor(code, detail) {
    super(FOR_PEOPLE[code] ?? detail);
    this.code = code;
    this.detail = detail;
  }
}

export class Chat extends EventTarget {
  #socket = null;
  #welcomed = false;
  #failures = 0;
  #over = "";
  #retryAfter = null;
  #waiting = null; // the timer of the next connection
  #asked = null; // since when an answer is due, and nothing at all has come
  #refs = 0;
  #answers = new Map();
  #joining = new Map();
  #delayed = false;

  constructor(name, token) {
    super();
    this.name = name;
    this.token = token;
    this.last = new Map(); // by room one is in: the id of the last event that came
    this.settled = new Set(); // the rooms that have caught up on this connection
    this.unacknowledged = new Map(); // by nonce: what was said and has no place yet; when, and how often it was sent
  }

  open() {
    setInterval(() => this.#tick(), TICK);
    addEventListener("online", () => this.hurry());
    return this.#connect();
  }

  // Do not wait for the next connection.
  hurry() {
    if (this.#waiting) this.#connect();
  }

  // Resolves when the room has caught up; at once, if one is there.
  join(name) {
    const room = this.named(name);
    if (this.settled.has(room)) return Promise.resolve({ room });
    if (!this.#joining.has(room)) this.#joining.set(room, this.#join(room).finally(() => this.#joining.delete(room)));
    return this.#joining.get(room);
  }

  // The name of a room; `@bob` is the private conversation with bob.
  named(name) {
    return USER.test(name) && name.slice(1) !== this.name ? [this.name, name.slice(1)].sort().join("+") : name;
  }

  say(room, text, file) {
    const id = nonce();
    const said = { type: "say", room, text, nonce: id, ref: id, ...(file && { file }) };
    this.unacknowledged.set(id, { said, at: 0, tries: 0 });
    this.#flush();
    return said;
  }

  // Send a request; resolves with the answer of the type that is wanted, rejects with what the service says.
  ask(request, wanted) {
    if (!this.#welcomed) return Promise.reject(new Refused("offline", "Not connected: that was not sent."));
    const ref = String(++this.#refs);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#answer({ type: "error", ref, code: "silent", detail: "The service did not answer." }), PATIENCE);
      this.#answers.set(ref, { wanted, resolve, reject, timer });
      this.#send({ ...request, ref });
    });
  }

  // The pages of a list, one after the other; `key` names what is in it.
  async *pages(list, key, about = {}) {
    let after;
    do {
      const page = await this.ask({ type: list, ...about, ...(after && { after }) }, list);
      yield page[list];
      after = page.more && page[list].at(-1)?.[key];
    } while (after);
  }

  // Send what is not answered; nothing happens without a connection.
  tell(request) {
    if (this.#welcomed) this.#send(request);
  }

  async #connect() {
    clearTimeout(this.#waiting);
    this.#waiting = null;
    this.#tell("state", { state: "connecting" });
    try {
      const where = await (await fetch("/v1/where", { signal: AbortSignal.timeout(PATIENCE) })).json();
      this.#socket = new WebSocket(where.websocket);
    } catch {
      return this.#comeBack();
    }
    this.#asked = Date.now();
    this.#socket.onopen = () => this.#send({ type: "hello", token: this.token, ref: "hello" });
    this.#socket.onmessage = (event) => this.#hear(JSON.parse(event.data));
    this.#socket.onclose = (event) => this.#closed(event);
  }

  async #join(room) {
    try {
      return await this.ask({ type: "join", room, after: this.last.get(room) ?? null }, "caught_up");
    } catch (error) {
      if (error.code === "malformed" && error.detail.includes("already")) return { room }; // the service was faster
      if (["forbidden", "unknown"].includes(error.code) && this.last.has(room)) this.#hear({ type: "left", room, why: error.detail });
      throw error;
    }
  }

  #send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    if (message.ref) this.#asked ??= Date.now();
    this.#socket.send(JSON.stringify(message));
  }

  #hear(message) {
    this.#asked = null;
    const { type, room } = message;
    if (EVENTS.includes(type) && !this.#isNew(message)) return;
    if (type === "welcome") this.#welcome();
    if (type === "joined" && !(this.last.get(room) <= message.last)) this.last.set(room, message.after); // new, or begun anew
    if (type === "caught_up") this.settled.add(room);
    if (type === "left") this.#forget(room, message.why ?? "you left");
    if (type === "closing") this.#retryAfter = message.retry_after * 1000;
    if (type === "ack") this.#acknowledged(message.nonce ?? message.ref);
    if (type === "error") this.#refused(message);
    this.#answer(message);
    this.#tell(type, message);
    if (type === "welcome") this.#rejoin();
    if (type === "caught_up") this.#flush();
    if (type === "notice") this.#noticed(message);
  }

  #answer(message) {
    const answer = this.#answers.get(message.ref);
    if (!answer || ![answer.wanted, "error"].includes(message.type)) return;
    this.#answers.delete(message.ref);
    clearTimeout(answer.timer);
    if (message.type === "error") answer.reject(new Refused(message.code, message.detail));
    else answer.resolve(message);
  }

  #welcome() {
    this.#welcomed = true;
    this.#failures = 0;
    this.#delayed = false;
    for (const entry of this.unacknowledged.values()) entry.at = 0;
    this.#tell("state", { state: "connected" });
  }

  #isNew(event) {
    if (event.id <= (this.last.get(event.room) ?? 0)) return false;
    this.last.set(event.room, event.id);
    if (event.nonce && event.user === this.name) this.#placed(event.nonce);
    return true;
  }

  #placed(id) {
    this.#acknowledged(id);
    this.#tell("settled", { nonce: id });
  }

  #acknowledged(id) {
    this.unacknowledged.delete(id);
    if (!this.unacknowledged.size) this.#delay(false);
  }

  // A message that is refused is not said any more, unless it is only too early; or it may have been the second copy
  // that came too soon after the first.
  #refused(error) {
    if (!this.#welcomed) this.#notWelcome(error);
    const entry = this.unacknowledged.get(error.ref);
    if (!entry) return;
    if (error.code === "unavailable" || (error.code === "too_often" && entry.tries > 1)) return this.#delay(true);
    this.#giveUp(entry.said, error.detail);
  }

  #notWelcome(error) {
    if (error.code === "unavailable") this.#drop();
    else this.#over = error.detail;
  }

  #giveUp(said, why) {
    this.#acknowledged(said.nonce);
    this.#tell("refused", { said, why });
  }

  #delay(delayed) {
    if (this.#delayed === delayed || !this.#welcomed) return;
    this.#delayed = delayed;
    this.#tell("state", { state: delayed ? "delayed" : "connected" });
  }

  #forget(room, why) {
    this.last.delete(room);
    this.settled.delete(room);
    for (const { said } of [...this.unacknowledged.values()]) if (said.room === room) this.#giveUp(said, why);
  }

  // Somebody says something in private, in a conversation that is not open here.
  #noticed(notice) {
    if (notice.why !== "message" || this.last.has(notice.room)) return;
    this.last.set(notice.room, Math.max(0, notice.id - 1));
    this.#rejoin();
  }

  #tick() {
    if (this.#asked && Date.now() - this.#asked > PATIENCE) this.#drop();
    if (!this.#welcomed) return;
    this.#rejoin();
    this.#flush();
  }

  // Enter again what one was in, each after the last id.
  #rejoin() {
    for (const room of this.last.keys()) this.join(room).catch(() => {}); // at the next tick, then
  }

  // Say what has no place yet; the same nonce is the same message.
  #flush() {
    const now = Date.now();
    for (const entry of this.unacknowledged.values()) {
      const early = now - entry.at < Math.min(LONGEST_WAIT, AGAIN * entry.tries);
      if (!this.settled.has(entry.said.room) || (entry.at && early)) continue;
      entry.at = now;
      entry.tries += 1;
      this.#send(entry.said);
      if (entry.tries > 1) this.#delay(true);
    }
  }

  // End a connection from which nothing comes; to close it properly may take minutes.
  #drop() {
    const socket = this.#socket;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
    this.#closed({ code: 1006 });
  }

  #closed({ code, reason }) {
    if (code === 1008 && this.#welcomed) this.#over ||= reason || "the service ended it";
    this.#welcomed = false;
    this.#asked = null;
    this.settled.clear();
    for (const ref of [...this.#answers.keys()]) {
      this.#answer({ type: "error", ref, code: "lost", detail: "The connection was lost before the answer came." });
    }
    if (this.#over) this.#tell("state", { state: "ended", why: this.#over });
    else this.#comeBack();
  }

  // When told to, or after a random wait whose bound doubles: not all at the same moment.
  #comeBack() {
    const bound = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#failures++);
    const wait = this.#retryAfter ?? 100 + Math.random() * bound;
    this.#retryAfter = null;
    this.#tell("state", { state: "waiting", wait });
    this.#waiting = setTimeout(() => this.#connect(), wait);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
