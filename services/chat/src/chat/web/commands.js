// What begins with a slash.

const USER = /^[a-z][a-z0-9_-]{0,31}$/, FOR_A_WHILE = 600; // seconds
const COMMANDS = {
  topic: "TEXT", announce: "TEXT", invite: "NAME", kick: "NAME", ban: "NAME SECONDS", unban: "NAME", mute: "NAME SECONDS",
  unmute: "NAME", slow: "SECONDS", role: "NAME ROLE", close: "",
};
const OWN = ["/join NAME", "/leave", "/away", "/back", "/help"];
const written = (verb) => `/${verb} ${COMMANDS[verb]}`.trim();

export const HELP = [...OWN, ...Object.keys(COMMANDS).map(written)].join(" · ");

// The request of an administrator's command. Throws what to write instead.
export function parse(text) {
  const [verb, ...words] = text.slice(1).trim().split(/\s+/);
  if (!(verb in COMMANDS)) throw new Error(`There is no /${verb}. /help lists what there is.`);
  const request = { type: "command", verb, ...(PARTS[COMMANDS[verb]] ?? (() => ({})))(words) };
  if (Object.values(request).some((part) => part === null)) throw new Error(`Write ${written(verb)}.`);
  return request;
}

const PARTS = {
  TEXT: (words) => ({ text: words.join(" ").slice(0, 200) }),
  NAME: ([user]) => ({ user: named(user) }),
  "NAME SECONDS": ([user, seconds = FOR_A_WHILE]) => ({ user: named(user), seconds: number(seconds) }),
  "NAME ROLE": ([user, role = null]) => ({ user: named(user), text: role }),
  SECONDS: ([seconds = 0]) => ({ seconds: number(seconds) }),
};

function named(word = "") {
  const name = word.replace(/^@/, "");
  return USER.test(name) ? name : null;
}

const number = (word) => (Number(word) >= 0 ? Number(word) : null);
