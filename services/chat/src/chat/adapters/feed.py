"""What this replica hears of its rooms: from its own log at once, from the others over Redis.

Published messages may get lost with a connection. The numbers tell: what is missing is read from the stream.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from redis.asyncio import Redis

from chat.adapters.ear import Ear
from chat.adapters.log import DURABLE, KEPT, Entry, RoomLog, Unavailable, channel, own_channel, room_of
from chat.contract import Frame, Kind
from chat.core import frames
from chat.core.answers import Deleted, Happened, read
from chat.core.events import Event, complete, is_edit_of, is_message
from chat.core.order import Sequencer, is_cut_off

__all__ = ["Feed", "Followed"]

RECENT, PAGE, GAP_SECONDS, CONFIRM_SECONDS = 500, 200, 0.2, 2.0


@dataclass(slots=True, eq=False)
class Followed:
    """A room that somebody here is in. `recent`: its last events, for who comes back; without holes from the
    first."""

    name: str
    order: Sequencer[tuple[str, float]]
    recent: deque[tuple[int, Frame]] = field(default_factory=lambda: deque(maxlen=RECENT))

    @property
    def position(self) -> int:
        """The id of the last event that was published to the hub."""
        return self.order.position

    def after(self, id: int) -> list[tuple[int, Frame]] | None:
        """The events after `id`, if all of them are still here."""
        if not self.recent or self.recent[0][0] > id + 1:
            return None
        return [entry for entry in self.recent if entry[0] > id]


type Publish = Callable[[str, Frame], None]
type Noticed = Callable[[Happened], None]
type Heard = Callable[[str, str], None]


class Feed:
    """Publishes the events of followed rooms, each once and in order. `noticed(event)` hears of each
    event that is no message; `told(channel, text)` of what comes on other channels; `lost(room)` of a room whose
    log is shorter than it was, or has lost what was not published yet: from then on, the next event is the next of
    that log."""

    def __init__(
        self,
        redis: Redis,
        replica: str,
        publish: Publish,
        noticed: Noticed,
        told: Heard,
        lost: Callable[[str], None],
    ) -> None:
        self._ear, self._replica = Ear(redis, self._hear), replica
        self._publish, self._noticed, self._told, self._lost = publish, noticed, told, lost
        self._rooms: dict[str, Followed] = {}
        self._followers = Counter[str]()
        self._following: dict[str, asyncio.Lock] = {}
        self._confirmed: dict[str, asyncio.Event] = {}
        self._healing: dict[Followed, asyncio.Task[None]] = {}
        self.log: RoomLog

    @property
    def connected(self) -> bool:
        """Whether Redis tells of the rooms."""
        return self._ear.connected

    def followed(self, room: str) -> Followed | None:
        return self._rooms.get(room)

    async def follow(self, room: str) -> Followed:
        """From now on, every event of `room`, until `forget` has been called as often. Raises `Unavailable`: then
        it need not be."""
        self._followers[room] += 1
        try:
            async with self._following.setdefault(room, asyncio.Lock()):
                if room not in self._rooms:
                    await self.listen(channel(room))
                    self._ear.listen(own_channel(room, self._replica))  # after that one, and ends before it
                    self._rooms[room] = Followed(room, Sequencer(await self.log.last(room)))
                return self._rooms[room]
        except BaseException:
            self.forget(room)
            raise

    def forget(self, room: str) -> None:
        """One less follows `room`; without any, nothing of it is kept: nobody waits for it either."""
        self._followers[room] -= 1
        if not self._followers[room]:
            del self._followers[room], self._following[room]
            self._rooms.pop(room, None)
            self._ear.unlisten(own_channel(room, self._replica))
            self.unlisten(channel(room))

    async def listen(self, name: str) -> None:
        """Subscribe; returns when Redis has confirmed it: what is published from now on comes."""
        event = self._confirmed.setdefault(name, asyncio.Event())
        self._ear.listen(name)
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await event.wait()
        except TimeoutError as error:
            raise Unavailable("Redis does not answer: try again in a second") from error

    def unlisten(self, name: str) -> None:
        self._confirmed.pop(name, None)
        self._ear.unlisten(name)

    def appended(self, event: Event, id: int) -> None:
        """An event of our own has its place; Redis will tell us of it again."""
        if followed := self._rooms.get(event.room):
            self._heal_if_lost(followed, id)
            self._arrived(followed, id, complete(id, event.tail), event.born)

    def unsure(self, room: str) -> None:
        """Redis may have taken an event of our own, and its answer got lost: what it has is read."""
        if followed := self._rooms.get(room):
            self._heal_soon(followed, GAP_SECONDS)

    async def run(self) -> None:
        """Hear, for ever; Redis may be away for as long as it likes."""
        await self._ear.run()

    def _hear(self, kind: str, name: str, data: str) -> None:
        if kind == "subscribe":
            confirmed = self._confirmed.get(name)
            again = confirmed is not None and confirmed.is_set()
            if confirmed:
                confirmed.set()
            room = room_of(name)
            if again and room in self._rooms:  # the connection is a new one: something may have been lost
                self._heal_soon(self._rooms[room], 0.0)
        elif kind == "message":
            followed = self._rooms.get(room_of(name))
            if followed and data.startswith(DURABLE):
                source, *texts = data[len(DURABLE) :].split("\n")
                if source == self._replica:  # the log tells first, unless its answer got lost
                    asyncio.get_running_loop().call_later(GAP_SECONDS, self._told_of, followed, texts)
                else:
                    self._heal_if_lost(followed, _id_of(texts[0]))
                    self._told_of(followed, texts)
            else:
                self._told(name, data)

    def _told_of(self, followed: Followed, texts: list[str]) -> None:
        for text in texts:
            self._arrived(followed, _id_of(text), text, 0.0)

    def _arrived(self, followed: Followed, id: int, text: str, born: float) -> None:
        if id <= followed.position or not self._is_current(followed):
            return
        for ready, at in followed.order.take(id, (text, born)):
            self._release(followed, ready, at)
        if followed.order.gap:
            self._heal_soon(followed, GAP_SECONDS)

    def _is_current(self, followed: Followed) -> bool:
        """False once nobody follows the room, or somebody does anew."""
        return self._rooms.get(followed.name) is followed

    def _release(self, followed: Followed, text: str, born: float) -> None:
        born = born or asyncio.get_running_loop().time()
        frame = frames.frame(text.encode(), Kind.MESSAGE, "", born)
        followed.recent.append((_id_of(text), Frame(frame.data)))
        self._publish(followed.name, frame)
        if not is_message(text):
            self._notice(followed, text)

    def _notice(self, followed: Followed, text: str) -> None:
        event = read(text)
        if isinstance(event, Deleted):
            gone = event.target
            kept = [one for one in followed.recent if one[0] != gone and not is_edit_of(one[1].data, gone)]
            followed.recent = deque(kept, RECENT)
        if event:
            self._noticed(event)

    def _heal_soon(self, followed: Followed, delay: float) -> None:
        if followed not in self._healing:
            self._healing[followed] = task = asyncio.create_task(self._heal(followed, delay))
            task.add_done_callback(lambda _: self._healing.pop(followed))

    def _heal_if_lost(self, followed: Followed, id: int) -> None:
        """A new event with an old number: it was read from the stream already, or the numbers began anew."""
        if id <= followed.position:
            self._heal_soon(followed, 0.0)

    async def _heal(self, followed: Followed, delay: float) -> None:
        """Read from the stream what was published and did not come."""
        await asyncio.sleep(delay)
        while True:
            before = followed.position
            try:
                last = await self.log.last(followed.name)
                page: list[Entry] = await self.log.after(followed.name, followed.position, PAGE)
            except Unavailable:
                await asyncio.sleep(0.5)
                continue
            if not self._is_current(followed):
                return None
            if last < before or (page and is_cut_off(before, page[0][0], last, KEPT)):
                return self._begin_anew(followed, last)
            for id, text in page:
                if id > followed.position + 1:
                    self._skip(followed, id - 1)
                self._arrived_quietly(followed, id, text)
            if len(page) < PAGE:
                return self._skip(followed, last)

    def _begin_anew(self, followed: Followed, last: int) -> None:
        """Redis has lost the end of the log, or all of it, or what this replica has not heard yet: whoever comes
        back is told."""
        followed.order = Sequencer(last)
        followed.recent.clear()
        self._lost(followed.name)

    def _arrived_quietly(self, followed: Followed, id: int, text: str) -> None:
        for ready, at in followed.order.take(id, (text, 0.0)):
            self._release(followed, ready, at)

    def _skip(self, followed: Followed, id: int) -> None:
        """Up to `id` nothing more will come: it was deleted."""
        for ready, at in followed.order.skip_to(id):
            self._release(followed, ready, at)


def _id_of(text: str) -> int:
    return int(text[6 : text.index(",")])
