"""Ports for servers that have to be told where to listen."""

import itertools
import os
import socket

LOWEST, EACH = 10_000, 2_000  # below those that the kernel gives to clients: nobody else takes one in between
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
ports = itertools.cycle(range(LOWEST + EACH * WORKER, LOWEST + EACH * (WORKER + 1)))
next(itertools.islice(ports, os.getpid() % EACH, None))  # not the same ones in each run


def free_port(beside: int = 0) -> int:
    """One that is free for TCP and UDP, as is the one `beside` it, and that no other process of this test run will
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
