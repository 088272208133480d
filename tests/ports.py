"""Ports for servers that have to be told where to listen."""

import fcntl
import itertools
import os
import socket
import tempfile
from pathlib import Path

LOWEST, EACH, RANGES = 10_000, 1_000, 20  # below those that the kernel gives to clients


def _is_claimed(number: int) -> bool:
    """Whether that range of ports is from now on this process's, until it ends."""
    lock = os.open(
        Path(tempfile.gettempdir(), f"lab-test-ports-{os.getuid()}-{number}"), os.O_RDWR | os.O_CREAT
    )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return False
    return True


# Each process of each test run has a range of its own, as long as there are enough of them.
first = LOWEST + EACH * next(filter(_is_claimed, range(RANGES)), os.getpid() % RANGES)
ports = itertools.cycle(range(first, first + EACH))
next(itertools.islice(ports, os.getpid() % EACH, None))  # not the same ones in each run


def free_port(beside: int = 0) -> int:
    """One that is free for TCP and UDP, as is the one `beside` it, and that no other process of a test run will
    get."""
    return next(port for port in ports if _is_free(port) and _is_free(port + beside))


def _is_free(port: int) -> bool:
    try:
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(type=kind) as probe:
                probe.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True
