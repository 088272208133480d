"""The log pipeline killed with SIGKILL at a seeded moment, again and again, while senders of three kinds send.

Each round kills the service in the middle of records from Redis, HTTP and TCP, starts it again, and compares:

- the ledger added up at every look, and never said written of what was not on the disk;
- lines on the disk after the kill + written by the next life = lines in the files at the end;
- every record of Redis is there, and every one of HTTP, whose sender asked again unless it had an answer; nothing
  is there that nobody sent, and nothing is left pending.

What TCP had delivered and nobody had written yet is lost, since its sender cannot know: that is counted. It needs
no idle machine.
"""

import argparse
import random
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from pipelines import Service, add, lines_of, settled, shared, until, valkey
from redis import Redis

BLOCKS, POSTS, BLOCK, PAUSE = 150, 40, 100, 0.002
LINGER = 0.1  # seconds: so that there is always something in flight
FROM_HTTP, FROM_TCP = 1_000_000, 2_000_000  # the numbers of Redis begin at 0


@dataclass(frozen=True)
class Outcome:
    """Records of one round: in all, written twice, and lost of those that came by TCP."""

    records: int
    twice: int
    lost: int


def killed_once(seed: int, redis_url: str) -> Outcome:
    """One round; SystemExit if anything is not as it has to be."""
    with Redis.from_url(redis_url, decode_responses=True) as redis, shared() as folder:
        redis.flushall()
        service, dead = Service(Path(folder), redis_url), threading.Event()
        service.start(log_pipeline_linger=LINGER)
        with ThreadPoolExecutor(2) as pool:
            posted, looked = pool.submit(post, service), pool.submit(look, service, dead)
            durable = send(service, redis, random.Random(seed), dead)
            require(looked.result() <= durable, f"{looked.result()} were said to be written, {durable} are")
            posted.result()
        written = durable + rest(service, redis)
        service.end(signal.SIGTERM)
        return judged(service.numbers(), written)


def send(service: Service, redis: "Redis[str]", chance: random.Random, dead: threading.Event) -> int:
    """Send over Redis and TCP, kill and start again on the way; returns the lines on the disk in between."""
    at, moment, durable = chance.randrange(BLOCKS), chance.uniform(0, 0.05), 0
    connection = socket.create_connection(("127.0.0.1", service.syslog))
    for number in range(BLOCKS):
        add(redis, block(number))
        with suppress(OSError):  # the end of the other side
            connection.sendall(lines_of(block(number, FROM_TCP)))
        time.sleep(PAUSE)
        if number == at:
            time.sleep(moment)
            service.end(signal.SIGKILL)
            dead.set()
            durable = len(service.lines())
            service.start(log_pipeline_linger=LINGER)
            connection.close()
            connection = socket.create_connection(("127.0.0.1", service.syslog))
    with connection:
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)  # its end: all that was sent is accepted
    return durable


def post(service: Service) -> None:
    """Send over HTTP; ask again until there is an answer."""
    for number in range(POSTS):
        lines = lines_of(block(number, FROM_HTTP))
        until(answered(service, lines), "a request was not answered")


def answered(service: Service, lines: bytes) -> Callable[[], object]:
    return lambda: service.ask("/v1/logs", lines)


def look(service: Service, dead: threading.Event) -> int:
    """Look at the ledger until the service is dead; returns what it said last to be written."""
    written = 0
    while not dead.is_set():
        written = service.look().get("written", written)
    return written


def rest(service: Service, redis: "Redis[str]") -> int:
    """Wait until all is acknowledged and at rest; returns what this life has written."""
    until(lambda: settled(redis), "not all was acknowledged")
    until(lambda: service.look()["in_flight"] == 0, "something is still in flight")
    return int(service.look()["written"])


def judged(numbers: Sequence[int], written: int) -> Outcome:
    found = set(numbers)
    redis, http, tcp = (
        {n for number in range(count) for n in block(number, start)}
        for count, start in ((BLOCKS, 0), (POSTS, FROM_HTTP), (BLOCKS, FROM_TCP))
    )
    require(redis <= found, f"{len(redis - found)} records of Redis are missing")
    require(http <= found, f"{len(http - found)} records of HTTP are missing")
    require(found <= redis | http | tcp, "there are records that nobody sent")
    require(len(numbers) == written, f"{len(numbers)} lines are in the files, the two lives wrote {written}")
    return Outcome(len(redis | http | tcp), len(numbers) - len(found), len(tcp - found))


def block(number: int, start: int = 0) -> range:
    return range(start + number * BLOCK, start + (number + 1) * BLOCK)


def require(right: bool, otherwise: str) -> None:
    if not right:
        raise SystemExit(otherwise)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first round")
    parser.add_argument("--busy", action="store_true", help="has no effect: nothing here depends on it")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that what was started is also ended
    outcomes = list[Outcome]()
    with valkey() as url:
        for seed in range(options.seed, options.seed + options.rounds):
            try:
                outcomes.append(killed_once(seed, url))
            except SystemExit as error:
                raise SystemExit(f"seed {seed}: {error}") from None
    print(
        f"{len(outcomes)} of {options.rounds} rounds of {outcomes[0].records:,} records: the ledger is exact"
    )
    for what, counts in (
        ("written twice", [one.twice for one in outcomes]),
        ("lost of those sent by TCP", [one.lost for one in outcomes]),
    ):
        print(f"{what}: {median(counts):,.0f} in the median, {max(counts):,} at most, {sum(counts):,} in all")


if __name__ == "__main__":
    main()
