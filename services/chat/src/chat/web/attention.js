// Whether somebody looks at the page: what has been read, and who is away.

const READ_AFTER = 300, AWAY_AFTER = 300_000; // milliseconds

export class Attention {
  #chat;
  #away = false;
  #hiding = null;
  #reading = null; // the timer after which the service is told of `#room`
  #room = null;

  // `back()` is called when somebody looks again.
  constructor(chat, back) {
    this.#chat = chat;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.#hiding);
      if (document.hidden) this.#hiding = setTimeout(() => this.away(true), AWAY_AFTER);
      else { this.away(false); back(); }
    });
    addEventListener("pagehide", () => this.#tellRead());
  }

  away(now) {
    if (now !== this.#away) this.#chat.tell({ type: "away", away: now });
    this.#away = now;
  }

  // A new connection does not know it.
  repeat() {
    if (this.#away) this.#chat.tell({ type: "away", away: true });
  }

  // What is looked at has been read; the service is told soon, once for many messages.
  read(room) {
    if (document.hidden) return;
    if (room !== this.#room) this.#tellRead();
    room.read();
    this.#room = room;
    this.#reading ??= setTimeout(() => this.#tellRead(), READ_AFTER);
  }

  #tellRead() {
    clearTimeout(this.#reading);
    const id = this.#reading && this.#chat.last.get(this.#room.name);
    this.#reading = null;
    if (id) this.#chat.tell({ type: "read", room: this.#room.name, id });
  }
}
