"""One person at a terminal, who may lose the connection and come back."""

import asyncio
import sys
import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime

from chat.terminal.connection import Connection
from chat.terminal.door import Json, sign_in
from chat.terminal.words import Misunderstood, cut_off, farewell, line, request, show, show_help, title

__all__ = ["Person"]

PAGE, LONGEST = 20, 4000  # older messages at once; characters of a message


class Person:
    """`_room` is the one that is typed into: only its person leaves it."""

    def __init__(self, url: str, name: str, room: str) -> None:
        self._url, self._name = url, name
        self._connection = Connection(url, name, self._hear)
        self._room, self._going = "", self._connection.named(room)
        self._mine: dict[str, list[int]] = defaultdict(list)  # by room: the ids of what one has said
        self._oldest: dict[str, int] = {}
        self._acts: dict[str, Callable[[Json], None]] = {
            **dict.fromkeys(("message", "edited", "deleted", "change"), self._happened),
            "welcome": self._came, "caught_up": self._caught_up, "left": self._left, "lost": self._lose,
            "not_joined": self._not_joined, "typing": self._types, "history": self._older, "rooms": self._list,
            "notice": self._noticed, "presence": self._present,
        }  # fmt: skip
        self._typing: set[tuple[str, str]] = set()
        self._after: str | None = None  # where the list of rooms goes on
        self._lost = self._helped = False

    async def run(self) -> None:
        """Talk until the input ends. Raises `Ended`."""
        token = await asyncio.to_thread(sign_in, self._url, self._name)
        await self._connection.join(self._going)
        typed = asyncio.create_task(self._read_lines())
        talking = asyncio.create_task(self._connection.run(token))
        done, left = await asyncio.wait((typed, talking), return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for task in done:
            task.result()

    async def _read_lines(self) -> None:
        """A thread of its own reads the input, which may never end."""
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

        def read() -> None:
            for text in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, text.strip())
            loop.call_soon_threadsafe(lines.put_nowait, "/quit")

        threading.Thread(target=read, daemon=True).start()
        while (text := await lines.get()) != "/quit":
            try:
                await (self._command(text) if text.startswith("/") else self._say(text))
            except Misunderstood as error:
                show(f"-- {error}")
        await self._connection.drain()

    async def _say(self, text: str) -> None:
        room = self._going or self._room
        if not room:
            raise Misunderstood("you are in no room: /join one")
        if len(text) > LONGEST:
            raise Misunderstood(f"not said: that is longer than {LONGEST} characters")
        if text:
            await self._connection.say(room, text)

    async def _command(self, text: str) -> None:
        verb, _, rest = text[1:].partition(" ")
        match verb:
            case "help":
                show_help()
            case "join":
                await self._go(rest)
            case "create":
                await self._create(rest)
            case "rooms":
                await self._connection.tell_read()
                await self._send(type="rooms", **({"after": self._after} if self._after else {}))
            case "away" | "back":
                await self._send(type="away", away=verb == "away")
            case _:
                await self._here(verb, rest)

    async def _here(self, verb: str, rest: str) -> None:
        """What is about the room one is in."""
        if not self._room:
            raise Misunderstood("you are in no room: /join one")
        match verb:
            case "people" | "leave":
                await self._send(type=verb, room=self._room)
            case "history":
                before = self._oldest.get(self._room, 0)
                await self._send(type="history", room=self._room, before=before, limit=PAGE)
            case "edit" if rest:
                await self._send(type="edit", room=self._room, id=self._last_said(), text=rest)
            case "delete":
                await self._send(type="delete", room=self._room, id=self._last_said())
            case _:
                await self._send(**request(verb, rest), room=self._room)

    def _last_said(self) -> int:
        if not self._mine[self._room]:
            raise Misunderstood(f"you have said nothing in {title(self._room, self._name)} since you came")
        return self._mine[self._room][-1]

    async def _create(self, rest: str) -> None:
        name, _, private = rest.partition(" ")
        await self._send(type="create", room=name, private=private == "private")
        await self._go(name)

    async def _go(self, name: str) -> None:
        room = self._connection.named(name.removeprefix("#"))
        if not room:
            raise Misunderstood("type /join ROOM, or /join @NAME")
        if room in self._connection.settled:
            return self._arrive(room)
        self._going = room
        await self._connection.join(room)

    def _arrive(self, room: str) -> None:
        self._room, self._going = room, ""
        show(f"-- you are in {title(room, self._name)}")
        if not self._helped:
            self._helped = True
            show_help()

    async def _send(self, **message: object) -> None:
        if not await self._connection.send(**message):
            raise Misunderstood("not connected: that was not sent")

    def _hear(self, message: Json) -> None:
        self._acts.get(message["type"], self._print)(message)

    def _caught_up(self, message: Json) -> None:
        if message.get("kept_from"):
            show(f"-- {cut_off(title(message['room'], self._name))}")
        if message["room"] == self._going:
            self._arrive(message["room"])

    def _came(self, _: Json) -> None:
        if self._lost:
            show("-- connected again")
        self._lost = False

    def _lose(self, message: Json) -> None:
        if not self._lost:
            wait = f"{message['wait']:.1f} s"
            show(f"-- not connected: what you say waits, and it is tried again, at first in {wait}")
        self._lost = True

    def _left(self, message: Json) -> None:
        """Nobody is moved to another room: what is being typed was not meant for that."""
        room = message["room"]
        show(f"-- {farewell(title(room, self._name), message.get('why'), message.get('by', ''))}")
        if room == self._room:
            self._room = ""

    def _not_joined(self, message: Json) -> None:
        show(f"-- {message['why']}")
        if message["room"] == self._going:
            self._going = ""

    def _types(self, message: Json) -> None:
        room, user = message["room"], message["user"]
        if room == self._room and user != self._name and (room, user) not in self._typing:
            self._typing.add((room, user))  # once, until they say it
            show(f"-- {user} is typing")

    def _older(self, message: Json) -> None:
        items, more = message["items"], message["more"]
        for event in items:
            show(f"{datetime.fromtimestamp(event['at']):%d %b %H:%M} {self._line(event)}")
        if items:
            self._oldest[message["room"]] = items[0]["id"]
        show("-- /history goes on" if more and items else "-- there is nothing older")

    def _list(self, message: Json) -> None:
        self._print(message)
        self._after = message["rooms"][-1]["room"] if message.get("more") and message["rooms"] else None
        show("-- /rooms goes on" if self._after else "")

    def _happened(self, event: Json) -> None:
        room, mine = event["room"], self._mine[event["room"]]
        self._oldest.setdefault(room, event["id"])
        if event["type"] == "message":
            self._typing.discard((room, event["user"]))
            if event["user"] == self._name:
                mine.append(event["id"])
        elif event.get("target") in mine and event["type"] == "deleted":
            mine.remove(event["target"])
        self._print(event)

    def _noticed(self, notice: Json) -> None:
        if notice["room"] not in self._connection.last:  # else it is seen there
            self._print(notice)

    def _present(self, presence: Json) -> None:
        if presence["user"] != self._name:
            self._print(presence)

    def _print(self, message: Json) -> None:
        show(self._line(message))

    def _line(self, message: Json) -> str:
        return line(message, self._going or self._room, self._name, self._url)
