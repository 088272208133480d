// What the page says of a room that one is out of, or whose past is gone.

const WHY = {
  kick: (title, by) => `${by} put you out of ${title}.`,
  ban: (title, by) => `${by} banned you from ${title}.`,
  close: (title, by) => `${by} closed ${title}.`,
  leave: (title) => `You left ${title} on another device.`,
};

export function farewell(title, why, by) {
  if (!why) return `You left ${title}.`;
  return WHY[why]?.(title, by) ?? `You are no longer in ${title}: ${why}.`;
}

export const cutOff = (title) => `You were away for long. The oldest messages of ${title} that you missed are not kept any more.`;
