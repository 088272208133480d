"""Pure logic: formats, framing, rates, rules. No I/O, no threads, no clock."""
