"""The real ports and the real senders: files, sockets, Redis."""
