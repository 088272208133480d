"""What was said in each room: one Redis stream a room, in one order for all replicas.

The id of an entry is its number in the room, from 1, without gaps: INCR and XADD in one script.
`appendfsync` decides what an acknowledgement is worth: docs/architecture.md."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, RedisError

from chat.adapters.line import Line
from chat.adapters.script import APPEND
from chat.contract import ChatError
from chat.core.events import Event
from chat.core.limits import TooOften, slowly

__all__ = [
    "DURABLE",
    "Entry",
    "Receipt",
    "RedisLog",
    "RoomLog",
    "Unavailable",
    "append",
    "channel",
    "own_channel",
    "room_of",
]

KEPT, NONCE_SECONDS, BATCH, BACKLOG = 10_000, 3600, 500, 20_000
DURABLE = "d"  # then the replica, then lines: what is published when events have their place in the order
log = structlog.get_logger(__name__)


class Unavailable(ChatError):
    """Redis does not answer, or is too far behind. The same message again, with the same nonce, is safe."""

    code = "unavailable"


@dataclass(frozen=True, slots=True)
class Receipt:
    """An event has its place; `fresh` is false for one that had it already. `id` is 0 if what it edits or deletes
    is not there any more: then it has none."""

    id: int
    fresh: bool


type Result = Receipt | Unavailable | TooOften
type Done = Callable[[Result], None]
type Entry = tuple[int, str]
type Arrived = Callable[[Event, int], None]


class RoomLog(Protocol):
    """The logs of all rooms. `offer` may be called before `run` does."""

    def offer(self, event: Event, done: Done) -> None:
        """Append soon, in the order of the calls; `done` is called once, when it is durable or has failed, or is
        refused because it came too early in slow mode."""

    async def after(self, room: str, id: int, limit: int) -> list[Entry]:
        """The oldest events with greater ids; deleted ones are missing. Raises `Unavailable`."""

    async def before(self, room: str, id: int, limit: int) -> list[Entry]:
        """The newest events with smaller ids, in order. Raises `Unavailable`."""

    async def last(self, room: str) -> int:
        """The highest id given so far, 0 if none was. Raises `Unavailable`."""

    async def run(self) -> None: ...


async def append(log: "RoomLog", event: Event) -> Receipt:
    """Append and wait. Raises `Unavailable`, `TooOften`."""
    answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()

    def done(result: Result) -> None:
        if not answer.done():  # whoever waited may have been cancelled
            answer.set_result(result) if isinstance(result, Receipt) else answer.set_exception(result)

    log.offer(event, done)
    return await answer


class RedisLog:
    """Appends in groups: while one round trip is under way, the next group gathers. One group of one replica
    is in one order; what replicas do at the same time Redis puts in one. `arrived` hears of each fresh event
    in that order before `done` does. Redis tells the others, if there are any that listen to the room besides
    `replica`. `unsure` hears of a room whose events may have got their place although nobody said so."""

    def __init__(
        self,
        redis: Redis,
        replica: str,
        arrived: Arrived,
        unsure: Callable[[str], None],
        delay: Callable[[], float] = float,
    ) -> None:
        self._redis: Any = redis
        self._line = Line(redis)
        self._replica, self._head = replica, f"{DURABLE}{replica}\n"
        self._arrived, self._unsure, self._delay = arrived, unsure, delay
        self.seconds = 0.0
        self._offered: list[tuple[Event, Done]] = []
        self._some = asyncio.Event()
        self._sha = ""

    def offer(self, event: Event, done: Done) -> None:
        if len(self._offered) >= BACKLOG:
            return done(Unavailable("too much is waiting to be written: send it again in a second"))
        self._offered.append((event, done))
        self._some.set()
        return None

    async def run(self) -> None:
        """Write what is offered, for ever."""
        try:
            await self._write_all()
        finally:
            await self._line.close()

    async def _write_all(self) -> None:
        while True:
            await self._some.wait()
            group, self._offered = self._offered[:BATCH], self._offered[BATCH:]
            if not self._offered:
                self._some.clear()
            by_room: dict[str, list[tuple[Event, Done]]] = defaultdict(list)
            for event, done in group:
                by_room[event.room].append((event, done))
            await self._write(by_room)

    async def after(self, room: str, id: int, limit: int) -> list[Entry]:
        return await self._ask(lambda: self._redis.xrange(_log(room), f"({id}-0", "+", limit), _entries)

    async def before(self, room: str, id: int, limit: int) -> list[Entry]:
        newest = await self._ask(lambda: self._redis.xrevrange(_log(room), f"({id}-0", "-", limit), _entries)
        return newest[::-1]

    async def last(self, room: str) -> int:
        return await self._ask(lambda: self._redis.get(_seq(room)), lambda found: int(found or 0))

    async def _ask[T](self, call: Callable[[], Any], read: Callable[[Any], T]) -> T:
        try:
            return read(await call())
        except RedisError as error:
            raise Unavailable(f"the history cannot be read just now: {error}") from error

    async def _write(self, by_room: dict[str, list[tuple[Event, Done]]]) -> None:
        calls = [self._call(room, [event for event, _ in offered]) for room, offered in by_room.items()]
        began = asyncio.get_running_loop().time()
        if delay := self._delay():
            await asyncio.sleep(delay)
        try:
            answers = await self._run_script(calls)
            self.seconds = asyncio.get_running_loop().time() - began
        except RedisError as error:
            log.warning(
                "cannot write what was said", error=repr(error), events=sum(map(len, by_room.values()))
            )
            failed = Unavailable("it could not be made durable: send it again, with the same nonce")
            answers = [failed] * len(calls)
            for room in by_room:
                self._unsure(room)
        for offered, answer in zip(by_room.values(), answers, strict=True):
            self._tell(offered, answer)

    async def _run_script(self, calls: Sequence[Sequence[Any]]) -> list[Any]:
        """Once more where Redis began anew, without scripts, or the connection had: a nonce counts once."""
        for attempt in range(2):
            self._sha = self._sha or await self._redis.script_load(APPEND)
            try:
                answers = await self._line.ask(*(("EVALSHA", self._sha, 5, *call) for call in calls))
            except ConnectionError:
                if attempt:
                    raise
                continue
            if not any(str(answer).startswith("NOSCRIPT") for answer in answers):
                break
            self._sha = ""
        return answers

    def _call(self, room: str, events: Sequence[Event]) -> list[Any]:
        call: list[Any] = [
            _seq(room),
            _log(room),
            _nonce(room),
            _edits(room),
            _spoke(room),
            KEPT,
            NONCE_SECONDS,
            channel(room),
            self._head,
            own_channel(room, self._replica),
        ]
        for event in events:
            call += (event.user, event.nonce, event.tail, event.target or -event.pause)
        return call

    def _tell(self, offered: Sequence[tuple[Event, Done]], answer: Any) -> None:
        if not isinstance(answer, list):
            failed = answer if isinstance(answer, Unavailable) else Unavailable(f"Redis refused it: {answer}")
            for _, done in offered:
                done(failed)
            return
        for (event, done), number in zip(offered, answer, strict=True):
            if event.pause and isinstance(number, list):
                done(slowly(event.room, number[0] / 1000))
                continue
            if number > 0:
                self._arrived(event, number)
            done(Receipt(abs(number), number > 0))


def channel(room: str) -> str:
    """Where Redis tells what happens in `room`."""
    return f"chat:{{{room}}}:live"


def own_channel(room: str, replica: str) -> str:
    """What `replica` listens to besides: nothing is ever told there, but Redis can count who is there."""
    return f"{channel(room)}:{replica}"


def room_of(name: str) -> str:
    """The room that a channel is of."""
    return name[name.find("{") + 1 : name.rfind("}")]


def _seq(room: str) -> str:
    return f"chat:{{{room}}}:seq"


def _log(room: str) -> str:
    return f"chat:{{{room}}}:log"


def _nonce(room: str) -> str:
    return f"chat:{{{room}}}:nonce:"


def _edits(room: str) -> str:
    return f"chat:{{{room}}}:edits"


def _spoke(room: str) -> str:
    return f"chat:{{{room}}}:spoke:"


def _entries(found: Any) -> list[Entry]:
    return [(int(id.partition("-")[0]), fields["e"]) for id, fields in found or ()]
