"""The log pipeline: a million records from Redis, and a SIGTERM with 100,000 records queued.

From Redis they come 500 in an entry, each acknowledged when it is durable; the clock runs from the first look at
the stream to the last acknowledgement. A SIGTERM finds all records in the queue; all have to be in the files.
"""

import argparse
import signal
import socket
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from measure import idle_or_exit
from pipelines import GROUP, STREAM, Service, add, lines_of, settled, shared, until, valkey
from redis import Redis

QUEUED, MANY, PACKED = 100_000, 1_000_000, 500


def drain(redis_url: str) -> float:
    """Seconds that a SIGTERM takes with `QUEUED` records waiting, all of them written."""
    with shared() as folder:
        service = Service(Path(folder), redis_url)
        service.start(log_pipeline_linger=60, log_pipeline_batch_bytes=10**9)
        with socket.create_connection(("127.0.0.1", service.syslog)) as sender:
            sender.sendall(lines_of(range(QUEUED)))
            until(lambda: service.look().get("in_flight") == QUEUED, "the records were not queued")
            seconds = service.end(signal.SIGTERM)
        if sorted(service.numbers()) != list(range(QUEUED)):
            raise SystemExit("not all that was queued is written")
        return seconds


def consume(redis_url: str) -> float:
    """Seconds for what waits in Redis."""
    with Redis.from_url(redis_url, decode_responses=True) as redis, shared() as folder:
        redis.flushall()
        for start in range(0, MANY, PACKED):
            add(redis, range(start, start + PACKED), "waiting")
        redis.xgroup_create("waiting", GROUP, id="0")
        service = Service(Path(folder), redis_url)
        service.start(log_pipeline_rotate_bytes=10**12)
        began = time.perf_counter()
        redis.rename("waiting", STREAM)
        until(lambda: settled(redis), "not all was acknowledged")
        seconds = time.perf_counter() - began
        service.end(signal.SIGTERM)
        if len(service.lines()) != MANY:
            raise SystemExit(f"{len(service.lines()):,} records are written, not {MANY:,}")
        return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    options = parser.parse_args()
    idle_or_exit(options.busy)
    drains, consumed = list[float](), list[float]()
    with valkey() as url:
        for _ in range(options.rounds):
            consumed.append(consume(url))
            drains.append(drain(url))
    rates = [f"{MANY / seconds:,.0f}" for seconds in spread(consumed)]
    print(f"{MANY:,} records from Redis, {PACKED} in an entry: {rates[1]} a second, {rates[2]} to {rates[0]}")
    seconds = [f"{one:.2f}" for one in spread(drains)]
    print(f"SIGTERM with {QUEUED:,} records queued: {seconds[1]} s, {seconds[0]} to {seconds[2]} s")


def spread(seconds: Sequence[float]) -> tuple[float, float, float]:
    """The least, the median, the most."""
    return min(seconds), median(seconds), max(seconds)


if __name__ == "__main__":
    main()
