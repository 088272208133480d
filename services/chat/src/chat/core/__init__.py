"""Pure logic of a chat: frames, order, roles, limits, names. No I/O, no clock, nothing shared."""
