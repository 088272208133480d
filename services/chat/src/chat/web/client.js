// The protocol, without a page: one connection that comes back by itself, each event once and in order.

const FIRST_WAIT = 0.5, LONGEST_WAIT = 15; // seconds
const nonce = () => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export class Chat extends EventTarget {
  #socket = null;
  #waits = 0;
  #over = false;
  #retryAfter = null;
  #refs = 0;
  #answers = new Map();

  constructor(name, token) {
    super();
    this.name = name;
    this.token = token;
    this.last = new Map(); // by room: the id of the last event that came
    this.unacknowledged = new Map(); // by nonce: what was said and has no place yet
  }

  static async signIn(name) {
    const answer = await fetch("/v1/sign-in", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ name, token: localStorage.getItem(`token:${name}`) ?? "" }),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.detail);
    localStorage.setItem(`token:${name}`, body.token);
    return new Chat(name, body.token);
  }

  async connect() {
    this.#tell("state", { state: "connecting" });
    try {
      const where = await (await fetch("/v1/where")).json();
      this.#socket = new WebSocket(where.websocket);
    } catch {
      return this.#comeBack();
    }
    this.#socket.onopen = () => this.#send({ type: "hello", token: this.token });
    this.#socket.onmessage = (event) => this.#hear(JSON.parse(event.data));
    this.#socket.onclose = (event) => this.#closed(event);
  }

  join(room) {
    return this.ask({ type: "join", room, after: this.last.get(room) ?? null }, "caught_up");
  }

  say(room, text, file) {
    const said = { type: "say", room, text, nonce: nonce(), ...(file && { file }) };
    this.unacknowledged.set(said.nonce, said);
    this.#send(said);
    return said;
  }

  // Send a request; resolves with the answer of the type that is wanted, rejects with what the service says.
  ask(request, wanted) {
    const ref = String(++this.#refs);
    return new Promise((resolve, reject) => {
      this.#answers.set(ref, { wanted, resolve, reject });
      this.#send({ ...request, ref });
    });
  }

  tell(request) {
    this.#send(request);
  }

  #send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  async #hear(message) {
    if (message.type === "welcome") {
      this.#waits = 0;
      this.#tell("state", { state: "connected" });
    }
    if (message.type === "closing") this.#retryAfter = message.retry_after;
    if (message.type === "error" && message.code === "not_signed_in") this.#over = true;
    const answer = this.#answers.get(message.ref);
    if (answer && (message.type === answer.wanted || message.type === "error")) {
      this.#answers.delete(message.ref);
      if (message.type === "error") answer.reject(new Error(message.detail));
      else answer.resolve(message);
    }
    if (message.type === "ack") this.unacknowledged.delete(message.nonce);
    if (message.type === "error" && message.code !== "unavailable") this.unacknowledged.delete(message.ref); // it was refused
    if ("id" in message && ["message", "edited", "deleted", "change"].includes(message.type)) {
      if (message.id <= (this.last.get(message.room) ?? 0)) return; // it has been here
      this.last.set(message.room, message.id);
      if (message.nonce) this.unacknowledged.delete(message.nonce);
    }
    this.#tell(message.type, message);
    if (message.type === "welcome") await this.#resume();
  }

  // Join again what one was in, each after the last id; then say again what has no place yet: the same nonce is the same message.
  async #resume() {
    await Promise.allSettled([...this.last.keys()].map((room) => this.join(room)));
    for (const said of this.unacknowledged.values()) this.#send(said);
  }

  #closed(event) {
    for (const { reject } of this.#answers.values()) reject(new Error("the connection was lost"));
    this.#answers.clear();
    if (this.#over || event.code === 1008) this.#tell("state", { state: "ended", why: event.reason });
    else this.#comeBack();
  }

  // When told to, or after a random wait whose bound doubles: not all at the same moment.
  #comeBack() {
    const bound = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.#waits++);
    const wait = this.#retryAfter ?? 0.1 + Math.random() * bound;
    this.#retryAfter = null;
    this.#tell("state", { state: "waiting", wait });
    setTimeout(() => this.connect(), wait * 1000);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

export async function upload(token, file) {
  const answer = await fetch("/v1/files", {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "X-Filename": encodeURIComponent(file.name) },
    body: file,
  });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}
