"""The logic of T1: no I/O, no threads, no clock. The engine calls it with its lock held."""
