"""The logic of M2: no I/O, no threads, no clock."""
