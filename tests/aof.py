"""When what a Redis has answered survives its SIGKILL."""

import time
from typing import Any

from redis import Redis

PATIENCE = 30.0


def settle(redis: "Redis[Any]") -> None:
    """Wait until all that it has answered is in its append-only file. For a minute it answers no more writes.

    With `appendfsync everysec` it answers first and writes up to two seconds later, while an fsync is under way.
    """
    redis.client_pause(60_000, all=False)  # of what it answered from now on nobody could say where it is
    deadline = time.monotonic() + PATIENCE
    while redis.info("persistence")["aof_buffer_length"]:
        assert time.monotonic() < deadline, f"not written within {PATIENCE:g} s"
        time.sleep(0.01)
