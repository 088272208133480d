"""The real ports of T1: sockets, files, and Redis."""
