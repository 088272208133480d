"""Redis Streams with consumer groups: handled at least once, and no outage loses what was accepted."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, OutOfMemoryError, RedisError, ResponseError, TimeoutError

from lab_kit.messages import BadMessage, Message

FIELD, DEAD_LETTERS, SOCKET_TIMEOUT = "message", 10_000, 1.5
ADD = """if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end
return redis.call('XADD', KEYS[1], '*', ARGV[2], ARGV[3])"""
log = structlog.get_logger(__name__)


class StreamFull(Exception):
    """The consumers are too far behind: nothing was added. Slow down, or try again later."""


class Reject(Exception):
    """Raised by a handler: this message can never succeed, bury it now."""


class Later(Exception):
    """Raised by a handler that has no room now: the message stays in hand and is handed to it again, uncounted."""


class Lag(NamedTuple):
    """Entries in the stream; not delivered to the group yet (None: Redis cannot tell); not acked yet."""

    length: int
    lag: int | None
    pending: int


@dataclass(frozen=True)
class ConsumerStats:
    """Counts since the start (`delivered` to the handler, how each ended) and what is in hand now."""

    delivered: int = 0
    reclaimed: int = 0
    acked: int = 0
    failed: int = 0
    dead: int = 0
    in_flight: int = 0
    last_error: str | None = None


def connect(url: str, most: int = 0) -> Redis:
    """A client for which a dead Redis fails in 1.5 s; one retry at once hides a connection that went stale.
    So a write may happen twice. Timeouts are not retried; a command must not BLOCK for longer than they last.
    Who finds `most` connections in use waits for one. Without a number it fails at a hundred.
    """
    options: dict[str, Any] = {
        "decode_responses": True, "encoding_errors": "backslashreplace", "socket_timeout": SOCKET_TIMEOUT,
        "socket_connect_timeout": 1, "health_check_interval": 30,
        "retry": Retry(NoBackoff(), 1, (ConnectionError,)),
    }  # fmt: skip
    if most:
        return Redis.from_pool(BlockingConnectionPool.from_url(url, max_connections=most, **options))
    return Redis.from_url(url, **options)


async def publish(redis: Redis, stream: str, message: Message, maxlen: int = 10_000) -> str:
    """Append `message`; returns the entry's id. However many publish, there are at most `maxlen` entries.
    Room is made by dropping what every group has acknowledged, never what is pending or not delivered yet: if
    that is all there is, StreamFull. So the oldest unfinished message pins all that came after it. A stream
    that has no group keeps the newest.
    """
    text = message.encode()
    for _ in range(2):
        if entry := await redis.eval(ADD, 1, stream, maxlen, FIELD, text):
            return str(entry)
        await _trim(redis, stream, maxlen * 9 // 10)
    raise StreamFull(f"{stream} holds {maxlen} messages not yet acknowledged, which is its bound: try later")


async def _trim(redis: Redis, stream: str, keep: int) -> None:
    # These only grow, so what was safe to drop when they were read still is when it is dropped.
    oldest_needed = [await _oldest_needed(redis, stream, g) for g in await redis.xinfo_groups(stream)]
    if oldest_needed:
        await redis.xtrim(stream, minid="{}-{}".format(*min(oldest_needed)), approximate=False)
    else:
        await redis.xtrim(stream, maxlen=keep, approximate=False)


async def _oldest_needed(redis: Redis, stream: str, group: dict[str, Any]) -> tuple[int, int]:
    pending = (await redis.xpending(stream, group["name"]))["min"]
    ms, _, sequence = (pending or group["last-delivered-id"]).partition("-")
    return int(ms), int(sequence) + (not pending)


async def lag(redis: Redis, stream: str, group: str) -> Lag:
    """How far `group` is behind; to one that does not exist yet nothing was delivered."""
    length = int(await redis.xlen(stream))
    groups = await redis.xinfo_groups(stream) if await redis.exists(stream) else []
    found = next((g for g in groups if g["name"] == group), {"lag": length, "pending": 0})
    return Lag(length, found["lag"], found["pending"])


class Consumer:
    """Hands each message of `stream` to `handler`, at most `prefetch` at once, and acks it afterwards.
    Consumers share a group. While a handler runs its lease is renewed: nobody else takes the message unless
    this process is dead, or blocks its loop, for `min_idle` seconds. What was not acknowledged (a death, or
    the handler raised) is delivered again, to anyone. What was delivered `max_deliveries` times, cannot be
    read, or is Rejected goes to `dead_letter`, which keeps some 10,000. What waits, for Redis or for `Later`,
    counts as no delivery. Any await may be cancelled: a message is either acknowledged or still pending.
    """

    def __init__(
        self, redis: Redis, stream: str, group: str, handler: Callable[[Message], Awaitable[None]], *,
        name: str, prefetch: int = 1, min_idle: float = 15.0, max_deliveries: int = 5, block: float = 1.0,
        dead_letter: str | None = None,
    ) -> None:  # fmt: skip
        if not block < SOCKET_TIMEOUT or min(block, prefetch, min_idle, max_deliveries) <= 0:
            given = f"{block=} (below {SOCKET_TIMEOUT}), {prefetch=}, {min_idle=}, {max_deliveries=}"
            raise ValueError(f"a consumer of {stream} needs numbers above 0, got {given}")
        self._redis: Any = redis  # its types are the union of two protocols' answers
        self._stream, self._group, self._name = stream, group, name
        self._handler, self._prefetch, self._max_deliveries = handler, prefetch, max_deliveries
        self._min_idle, self._block, self._dead = min_idle, block, dead_letter or f"{stream}:dead"
        self._in_hand: dict[str, asyncio.Task[None]] = {}
        self._counts, self._outage = Counter[str](), dict[Any, str]()  # calls that failed, not answered yet
        self._last_error: str | None = None
        self._history, self._cursor, self._reclaim_at = "0-0", "0-0", 0.0
        self._grouped = self._stopping = False
        self._reader: asyncio.Task[None] | None = None

    def stats(self) -> ConsumerStats:
        return ConsumerStats(**self._counts, in_flight=len(self._in_hand), last_error=self._last_error)

    async def run(self) -> None:
        """Consume until stopped or cancelled; first what an earlier life of this name left behind."""
        async with asyncio.TaskGroup() as leases:
            renewer = leases.create_task(self._renew())
            async with asyncio.TaskGroup() as work:
                self._reader = work.create_task(self._read(work))
                if self._stopping:
                    self._reader.cancel()
            renewer.cancel()

    async def stop(self, deadline: float) -> None:
        """Read no more; after `deadline` seconds cancel the handlers left: their messages stay pending."""
        self._stopping = True
        if self._reader:
            self._reader.cancel()
        if self._in_hand:
            _, late = await asyncio.wait(self._in_hand.values(), timeout=deadline)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _read(self, work: asyncio.TaskGroup) -> None:
        while True:
            if (room := self._prefetch - len(self._in_hand)) < 1:
                await asyncio.wait(self._in_hand.values(), return_when=asyncio.FIRST_COMPLETED)
                continue
            new, entries = await self._next(room)
            for entry, fields in entries:
                if entry not in self._in_hand:  # else our own lease ran out: Redis or this loop was away
                    task = work.create_task(self._handle(entry, fields, new), name=entry)
                    self._in_hand[entry] = task
                    task.add_done_callback(lambda done: self._in_hand.pop(done.get_name()))

    async def _next(self, room: int) -> tuple[bool, list[Any]]:
        """Our own past, then now and then what others left, else what is new: True for that."""
        now = asyncio.get_running_loop().time()
        if not self._history and now >= self._reclaim_at:
            return False, await self._reclaim(room, now)
        block = max(1, int(1000 * min(self._block, self._reclaim_at - now)))  # BLOCK 0 would be for ever
        source = {self._stream: self._history or ">"}
        reply = await self._ask(
            lambda: self._redis.xreadgroup(self._group, self._name, source, count=room, block=block)
        )
        new, entries = not self._history, [entry for _, page in reply for entry in page]
        if not new:
            self._history = entries[-1][0] if entries else ""
        return new, entries

    async def _reclaim(self, room: int, now: float) -> list[Any]:
        start, idle = self._cursor, int(self._min_idle * 1000)
        self._cursor, entries, deleted = await self._ask(
            lambda: self._redis.xautoclaim(self._stream, self._group, self._name, idle, start, count=room)
        )
        if self._cursor == "0-0":  # the end of the scan; a short or an empty page is not
            self._reclaim_at = now + self._min_idle / 2
        if deleted:
            log.error("deleted before they were handled", stream=self._stream, entries=deleted)
        self._counts["reclaimed"] += len(entries)
        return list(entries)

    async def _handle(self, entry: str, fields: dict[str, str], new: bool) -> None:
        if deliveries := 1 if new else await self._deliveries(entry):
            self._counts["delivered"] += 1
            await self._deliver(entry, fields, deliveries)

    async def _deliveries(self, entry: str) -> int:
        """How often `entry` was delivered; 0 when it is not ours any more."""
        rows = await self._ask(
            lambda: self._redis.xpending_range(self._stream, self._group, entry, entry, 1, self._name)
        )
        return int(rows[0]["times_delivered"]) if rows else 0

    async def _deliver(self, entry: str, fields: dict[str, str], deliveries: int) -> None:
        try:
            if deliveries > self._max_deliveries:
                raise Reject(f"not acknowledged after {self._max_deliveries} deliveries")
            message = Message.decode(fields.get(FIELD, ""))
            structlog.contextvars.bind_contextvars(trace=message.trace, message=message.id)  # this task's own
            await self._when_there_is_room(message)
        except (Reject, BadMessage) as error:
            await self._bury(entry, fields, error, deliveries)
        except (Exception, asyncio.CancelledError) as error:
            if (me := asyncio.current_task()) and me.cancelling():
                raise  # this task is cancelled, not something the handler waited for
            self._note("failed", error, entry)
        else:
            acked = await self._ask(lambda: self._redis.xack(self._stream, self._group, entry))
            self._counts["acked"] += acked

    async def _when_there_is_room(self, message: Message) -> None:
        while True:
            try:
                return await self._handler(message)
            except (Later, ConnectionError, TimeoutError, OutOfMemoryError) as error:
                self._last_error = repr(error)
                await asyncio.sleep(self._block * random.uniform(0.5, 1))

    async def _bury(self, entry: str, fields: dict[str, str], why: Exception, deliveries: int) -> None:
        tried = str(min(deliveries, self._max_deliveries))
        grave = fields | {"entry": entry, "reason": str(why), "deliveries": tried}

        async def move() -> None:
            both = self._redis.pipeline(transaction=True)
            both.xadd(self._dead, grave, maxlen=DEAD_LETTERS).xack(self._stream, self._group, entry)
            await both.execute()

        await self._ask(move)
        self._note("dead", why, entry)

    def _note(self, outcome: str, error: BaseException, entry: str) -> None:
        self._counts[outcome] += 1
        self._last_error = repr(error)
        log.warning(f"message {outcome}", stream=self._stream, entry=entry, exc_info=error)

    async def _renew(self) -> None:
        """Reset the idle time of what is in hand. JUSTID: no delivery; not FORCE: acked stays acked."""

        async def renew() -> None:
            held = list(self._in_hand) or ["0-0"]  # is no entry: who asks nothing would pass for answered
            await self._redis.xclaim(self._stream, self._group, self._name, 0, held, justid=True)

        while True:
            await asyncio.sleep(self._min_idle / 3)
            await self._ask(renew)

    async def _ask(self, call: Callable[[], Awaitable[Any]]) -> Any:
        """Repeat `call` until Redis answers it; one line in the log for an outage, however long.

        It lasts until each call that failed in it is answered (or cancelled): the answer to another may be of
        before it, or what a sick Redis still does. What was asked before its end and fails afterwards is of it.
        """
        delay = 0.1
        try:
            while True:
                outage = self._outage
                try:
                    if not self._grouped:
                        await self._create_group()
                    answer = await call()
                except RedisError as error:
                    if not outage:
                        log.warning("redis failed, trying on", stream=self._stream, error=repr(error))
                    outage[call] = self._last_error = repr(error)
                    self._grouped = self._grouped and "NOGROUP" not in str(error)
                    await asyncio.sleep(delay * random.uniform(0.5, 1))
                    delay = min(2 * delay, 5.0)
                else:
                    if outage.keys() == {call}:
                        log.info("redis answers again", stream=self._stream)
                        self._outage = {}  # the old one keeps `call`: not empty for what fails late
                    return answer
        finally:
            self._outage.pop(call, None)

    async def _create_group(self) -> None:
        try:
            await self._redis.xgroup_create(self._stream, self._group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._grouped = True
