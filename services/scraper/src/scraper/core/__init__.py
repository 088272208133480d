"""Pure logic: no await, no I/O, no clock."""
