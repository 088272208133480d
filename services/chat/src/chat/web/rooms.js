// What is known of a room. Nothing here touches the page.

const MOST_KEPT = 500; // events
const MODERATORS = ["moderator", "owner", "admin"];

export class Room {
  topic = "";
  private = false;
  role = "member";
  joined = false;
  more = false; // before the oldest event that is known here
  oldest = Infinity;
  keptFrom = 0; // the oldest event of all, if what came before it was missed, and is gone
  unread = 0;
  most = "";
  mentions = 0;
  counted = false; // the service has told on this connection how much is unread
  newAfter = 0; // the id after which an event is not in that count
  events = new Map(); // by id: messages and changes
  edits = new Map(); // by the id of a message: what came of it at last
  people = new Map();
  heard = new Map(); // by user: what was heard of them last, and when
  typing = new Map();

  constructor(name, me) {
    this.name = name;
    this.me = me;
  }

  get isPrivate() {
    return this.name.includes("+");
  }

  get title() {
    return this.isPrivate ? `@${this.name.split("+").find((one) => one !== this.me) ?? this.name}` : `#${this.name}`;
  }

  describe(known) {
    this.topic = known.topic;
    this.private = known.private;
    if (!known.member) return;
    this.unread = known.unread ?? 0;
    this.most = known.more ? "+" : ""; // there may be more
    this.mentions = known.mentions ?? 0;
    this.counted = true;
  }

  // If the room has fewer events than are known here, it began anew.
  enter(joined) {
    const { topic, role, last, after } = joined;
    if (last < Math.max(0, ...this.events.keys())) this.#forget();
    if (this.oldest === Infinity) this.more = after > 0;
    Object.assign(this, { topic, role, private: joined.private, joined: true, newAfter: this.counted ? last : after });
  }

  #forget() {
    this.events.clear();
    this.edits.clear();
    this.keptFrom = 0;
    this.oldest = Infinity;
  }

  take(event) {
    this.oldest = Math.min(this.oldest, event.id);
    if ("target" in event) {
      if ((this.edits.get(event.target)?.id ?? 0) < event.id) this.edits.set(event.target, event);
    } else {
      this.events.set(event.id, event);
    }
    if (event.verb === "topic") this.topic = event.text ?? "";
  }

  // An older page, which came late: what is known already may be newer.
  takePage({ items, more }) {
    for (const event of items) this.take(event);
    this.more = more && items.length > 0;
  }

  count(event) {
    if (event.type !== "message" || event.user === this.me || event.id <= this.newAfter) return;
    this.unread += 1;
    if (event.mentions?.includes(this.me)) this.mentions += 1;
  }

  read() {
    this.unread = this.mentions = 0;
    this.most = "";
  }

  // The oldest of many can be fetched again.
  forgetOldest() {
    if (this.events.size <= MOST_KEPT) return [];
    const old = this.inOrder().slice(0, this.events.size - MOST_KEPT);
    for (const { id } of old) this.events.delete(id);
    [this.oldest, this.more] = [this.inOrder()[0].id, true];
    return old;
  }

  inOrder() {
    return [...this.events.values()].sort((a, b) => a.id - b.id);
  }

  mayChange(event) {
    return event.user === this.me || MODERATORS.includes(this.role);
  }

  hear(user, state, seen) {
    this.heard.set(user, { state, seen, at: performance.now() });
    this.#setPerson(user, state, seen);
  }

  // People as they were when they were asked for; what was heard since then is newer.
  setPeople(people, asked) {
    this.people = people;
    for (const [user, { state, seen, at }] of this.heard) if (at >= asked) this.#setPerson(user, state, seen);
  }

  #setPerson(user, state, seen) {
    if (state === "left") this.people.delete(user);
    else this.people.set(user, { role: "member", ...this.people.get(user), user, state, seen });
  }
}
