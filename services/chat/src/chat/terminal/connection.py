"""The protocol, without a terminal: a connection that comes back by itself, each event once and in order."""

import asyncio
import json
import random
import re
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from chat.terminal.door import Ended, Json, NoAnswer, where

__all__ = ["Connection"]

LONGEST_WAIT, AGAIN, PARTING = 15.0, 2.0, 5.0  # seconds
POLICY = 1008
EVENTS = ("message", "edited", "deleted", "change")
PERSON = re.compile(r"@[a-z][a-z0-9_-]{0,31}")


@dataclass(slots=True)
class Said:
    """Something that has no place yet."""

    message: Json
    at: float = 0.0
    tries: int = 0


class Connection:
    """For one loop. `hear` gets what came and, besides, `refused` (something said, and why), `not_joined`, `lost`,
    and `delayed` and `settled` (what was said waits, and does not any more)."""

    def __init__(self, url: str, name: str, hear: Callable[[Json], None]) -> None:
        self._url, self._name, self._hear = url, name, hear
        self.last: dict[str, int] = {}  # by room one is in: the id of the last event that came
        self._wanted: set[str] = set()  # where one wants to be, and has not been yet
        self.settled: set[str] = set()  # the rooms that have caught up on this connection
        self._said: dict[str, Said] = {}
        self._joins: dict[str, str] = {}  # by ref: the room
        self._read: dict[str, int] = {}
        self._socket: ClientConnection | None = None
        self._welcomed = self._delayed = False
        self._failures, self._wait = 0, 0.0
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, token: str) -> None:
        """Be connected, always again. Raises `Ended`."""
        while True:
            with suppress(OSError, WebSocketException, NoAnswer):
                await self._once(token)
            self._welcomed = self._delayed = False
            self.settled.clear()
            self._joins.clear()
            self._failures += 1
            bound = min(LONGEST_WAIT, 0.25 * 2**self._failures)
            wait, self._wait = self._wait or random.uniform(0.1, bound), 0.0
            self._hear({"type": "lost", "wait": wait})
            await asyncio.sleep(wait)

    async def _once(self, token: str) -> None:
        url = await asyncio.to_thread(where, self._url)
        async with connect(url, compression=None, max_size=None) as socket:
            self._socket = socket
            ticking = asyncio.create_task(self._tick())
            try:
                await self.send(type="hello", token=token)
                async for text in socket:
                    await self._take(json.loads(text))
            except ConnectionClosed as error:
                if self._welcomed and error.rcvd and error.rcvd.code == POLICY:
                    raise Ended(f"the service ended it: {error.rcvd.reason}") from error
            finally:
                self._socket = None
                ticking.cancel()
                await asyncio.gather(ticking, return_exceptions=True)

    async def send(self, **message: object) -> bool:
        """Whether it was sent; then it may be lost all the same."""
        if not self._socket:
            return False
        with suppress(ConnectionClosed):
            await self._socket.send(json.dumps(message))
            return True
        return False

    async def say(self, room: str, text: str) -> None:
        """It is sent until it has its place, or is refused; the same nonce is the same message."""
        nonce = secrets.token_hex(8)
        self._said[nonce] = Said({"type": "say", "room": room, "text": text, "nonce": nonce, "ref": nonce})
        self._idle.clear()
        await self._flush()

    async def join(self, room: str) -> None:
        """Be in a room, now or as soon as one can; and before anything new, get what came after the last event."""
        if room not in self.last:
            self._wanted.add(room)
        if self._welcomed and room not in self.settled and room not in self._joins.values():
            ref = secrets.token_hex(4)
            self._joins[ref] = room
            await self.send(type="join", room=room, after=self.last.get(room), ref=ref)

    def named(self, room: str) -> str:
        """The name of a room; `@bob` is the private conversation with bob."""
        if PERSON.fullmatch(room) and room[1:] != self._name:
            return "+".join(sorted((self._name, room[1:])))
        return room

    async def _take(self, message: Json) -> None:
        if message["type"] in EVENTS and not self._is_new(message):
            return
        if message["type"] != "error" or not await self._refused(message):
            self._learn(message)
            self._hear(message)
        await self._follow(message)

    def _is_new(self, event: Json) -> bool:
        if event["id"] <= self.last.get(event["room"], 0):
            return False
        self.last[event["room"]] = event["id"]
        if event.get("user") == self._name:
            self._placed(event.get("nonce"))
        return True

    def _learn(self, message: Json) -> None:
        room = message.get("room", "")
        match message["type"]:
            case "welcome":
                self._welcomed, self._failures = True, 0
                for said in self._said.values():
                    said.at = 0.0
            case "joined":
                if self.last.get(room, message["last"] + 1) > message["last"]:  # it is new, or began anew
                    self.last[room] = message["after"]
                self._wanted.discard(room)
            case "caught_up":
                self.settled.add(room)
                self._joins.pop(message.get("ref", ""), None)
            case "left":
                self._forget(room, message.get("why") or "you left")
            case "ack":
                self._placed(message.get("nonce"))
            case "closing":
                self._wait = float(message["retry_after"])

    async def _follow(self, message: Json) -> None:
        """What a message makes one ask for."""
        match message:
            case {"type": "welcome"}:
                await self._rejoin()
            case {"type": "caught_up"}:
                self._end_delay()
                await self._flush()
            case {"type": "notice", "why": "message", "room": room} if room not in self.last:
                self.last[room] = max(0, message["id"] - 1)
                await self.join(room)

    def _placed(self, nonce: str | None) -> None:
        self._said.pop(nonce or "", None)
        if not self._said:
            self._idle.set()
        self._end_delay()

    def _end_delay(self) -> None:
        if self._delayed and not self._said:
            self._delayed = False
            self._hear({"type": "settled"})

    async def _refused(self, error: Json) -> bool:
        """Whether an error is nobody's business, or was told in other words. Raises `Ended`."""
        ref, later = error.get("ref") or "", error["code"] == "unavailable"
        if not self._welcomed:
            if not later:
                raise Ended(error["detail"])
            if self._socket:
                await self._socket.close()
            return True
        if ref in self._joins:
            return self._not_joined(self._joins.pop(ref), error)
        if said := self._said.get(ref):
            if later or (error["code"] == "too_often" and said.tries > 1):
                self._delay()
            else:
                self._give_up(ref, error["detail"])
            return True
        return not ref and error["code"] == "forbidden"  # of something that nobody typed

    def _not_joined(self, room: str, error: Json) -> bool:
        if error["code"] == "unavailable":
            self._delay()  # it is tried again
        elif error["code"] != "malformed" or "already" not in error["detail"]:  # else the service was faster
            kind = "left" if room in self.last else "not_joined"
            self._forget(room, error["detail"])
            self._hear({"type": kind, "room": room, "why": error["detail"]})
        return True

    def _forget(self, room: str, why: str) -> None:
        self.last.pop(room, None)
        self._wanted.discard(room)
        self.settled.discard(room)
        for nonce, said in list(self._said.items()):
            if said.message["room"] == room:
                self._give_up(nonce, why)

    def _give_up(self, nonce: str, why: str) -> None:
        said = self._said[nonce]
        self._placed(nonce)
        self._hear({**said.message, "type": "refused", "detail": why})

    def _delay(self) -> None:
        if not self._delayed:
            self._delayed = True
            self._hear({"type": "delayed"})

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(AGAIN / 2)
            if self._welcomed:
                await self._rejoin()
                await self._flush()
                await self.tell_read()

    async def _rejoin(self) -> None:
        for room in [*self.last, *self._wanted]:
            await self.join(room)

    async def _flush(self) -> None:
        now = time.monotonic()
        for said in list(self._said.values()):
            due = said.at + min(LONGEST_WAIT, AGAIN * said.tries) if said.at else 0.0
            if said.message["room"] in self.settled and now >= due:
                said.at, said.tries = now, said.tries + 1
                await self.send(**said.message)
                if said.tries > 1:
                    self._delay()

    async def drain(self) -> None:
        """Tell what was read, and wait until what was said has its place; not for ever."""
        if self._welcomed:
            await self.tell_read()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), PARTING)

    async def tell_read(self) -> None:
        """What was shown has been read."""
        for room in self.settled:
            if self.last[room] > self._read.get(room, 0):
                self._read[room] = self.last[room]
                await self.send(type="read", room=room, id=self.last[room])
