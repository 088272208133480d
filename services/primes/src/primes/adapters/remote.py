"""Boards and a crew in Redis: the workers are Celery's, on any machine that reaches it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, RedisError
from redis.retry import Retry

from primes.adapters.bell import Bell
from primes.adapters.presence import Presence
from primes.contract import Job, News, Order, Part, Tile, Unavailable
from primes.core.wire import decode_news, decode_part, encode_news, encode_order, encode_part, field_of

__all__ = ["CREW_SECONDS", "CeleryCrew", "RedisBoard", "Telegraph", "redis_client"]

PREFIX = "lab:primes"
NEWS, CREW = f"{PREFIX}:news", f"{PREFIX}:crew"
MOST_NEWS, BATCH = 10_000, 200
CREW_SECONDS = 5.0  # after which a worker that did not report is no longer counted on
OPEN = "open"
WRITE = """if redis.call('HEXISTS', KEYS[1], 'open') == 0 then return -1 end
return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])"""
TRY = """if redis.call('HEXISTS', KEYS[1], 'open') == 0 then return -1 end
return redis.call('HINCRBY', KEYS[1], 'tried:' .. ARGV[1], 1)"""
# By the clock of Redis, the only one that all machines share.
REPORT = """local now = redis.call('TIME')
return redis.call('ZADD', KEYS[1], now[1] + now[2] / 1000000, ARGV[1])"""
HERE = """local now = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now[1] + now[2] / 1000000 - ARGV[1])
return redis.call('ZRANGE', KEYS[1], 0, -1)"""
WAKE = "wake"


def redis_client(url: str) -> Any:
    """A client for threads; it answers or fails within 3 s, which is longer than it ever blocks."""
    return Redis.from_url(
        url, decode_responses=True, socket_timeout=3.0, socket_connect_timeout=1.0, health_check_interval=30,
        retry=Retry(NoBackoff(), 1, (ConnectionError,)),
    )  # fmt: skip


@contextmanager
def available() -> Iterator[None]:
    """Redis's troubles as the contract's."""
    try:
        yield
    except RedisError as error:
        raise Unavailable(f"Redis does not answer: {error}") from error


class RedisBoard:
    """The engine's side of a board: one hash for each job. It outlives engines, services and workers."""

    def __init__(self, redis: Any, job: Job) -> None:
        self._redis, self.name = redis, f"{PREFIX}:board:{job.id}"
        with available():
            redis.hset(self.name, OPEN, 1)

    def read(self, tiles: Sequence[Tile]) -> Mapping[Tile, Part]:
        if not tiles:
            return {}
        with available():
            found = self._redis.hmget(self.name, [field_of(tile) for tile in tiles])
        return {tile: decode_part(text) for tile, text in zip(tiles, found, strict=True) if text}

    def close(self) -> None:
        """Nothing is held here."""

    def discard(self) -> None:
        with available():
            self._redis.delete(self.name)


class Telegraph:
    """The worker's side: it writes parts and tells news. Raises RedisError: then the order's lease ends."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis
        self._write, self._try = redis.register_script(WRITE), redis.register_script(TRY)
        self._report = redis.register_script(REPORT)

    def attempt(self, order: Order) -> int:
        """How often this tile was begun so far, this time included; -1 when nobody wants it any more."""
        return int(self._try([order.board], [field_of(order.tile)]))

    def known(self, order: Order) -> bool:
        """Whether its part is on the board already."""
        return bool(self._redis.hexists(order.board, field_of(order.tile)))

    def write(self, order: Order, part: Part) -> bool:
        """Once for each job, lo and hi: False if somebody was earlier, or the board is gone."""
        return int(self._write([order.board], [field_of(order.tile), encode_part(part)])) == 1

    def tell(self, news: News) -> None:
        both = self._redis.pipeline(transaction=False)
        both.rpush(NEWS, encode_news(news))
        both.ltrim(NEWS, -MOST_NEWS, -1)
        both.execute()

    def report(self, worker: str, processes: int, kernel: str) -> None:
        """This worker is here. To be repeated within `CREW_SECONDS`."""
        self._report([CREW], [f"{processes}|{kernel}|{worker}"])

    def leave(self, worker: str, processes: int, kernel: str) -> None:
        with suppress(RedisError):
            self._redis.zrem(CREW, f"{processes}|{kernel}|{worker}")


class CeleryCrew:
    """The port `crew`. Orders are Celery tasks; news comes back through a list, and wakes who waits for it.

    `send(order, deadly)` publishes a task; it raises what Celery raises. `present` and `interrupt` never wait.
    """

    def __init__(self, redis: Any, send: Callable[[dict[str, Any], bool], None]) -> None:
        self._redis, self._send = redis, send
        self._size, self._asked = 0, 0.0
        self._reported = redis.register_script(HERE)
        self.present = Presence(self._here, RedisError, CREW_SECONDS)
        self.interrupt = Bell(lambda: redis.rpush(NEWS, WAKE), RedisError)

    def size(self) -> int:
        """As the workers reported; asked at most once a second."""
        now = time.monotonic()
        if now - self._asked >= 1.0 or not self._asked:
            with available():
                self._size, self._asked = self._here(), now
        return self._size

    def _here(self) -> int:
        here = self._reported([CREW], [CREW_SECONDS])
        return sum(int(one.partition("|")[0]) for one in here)

    def give(self, order: Order, deadly: bool = False) -> None:
        try:
            self._send(encode_order(order), deadly)
        except Exception as error:  # kombu's and the client's own: all mean that it was not sent
            raise Unavailable(f"the order was not sent: {error}") from error

    def news(self, timeout: float) -> Sequence[News]:
        with available():
            first = self._redis.blpop([NEWS], timeout=timeout) if timeout >= 0.01 else None
            rest = self._redis.lpop(NEWS, BATCH) or []
        texts = [*([first[1]] if first else []), *rest]
        return [news for text in texts for news in _decoded(text)]

    def close(self) -> None:
        """The workers stay; orders that nobody has begun find their board, or do not."""


def _decoded(text: str) -> Iterator[News]:
    """Nothing for a wake-up, nor for what another version wrote."""
    if text != WAKE:
        with suppress(ValueError, KeyError, TypeError):
            yield decode_news(text)
