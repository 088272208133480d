"""What a client has missed of a room, page by page."""

from chat.adapters.feed import Followed
from chat.adapters.log import KEPT, RoomLog
from chat.contract import Frame
from chat.core import frames
from chat.core.order import is_cut_off

__all__ = ["PAGE", "Missed", "Page"]

PAGE = 200
NOTHING = Frame(b"")

type Page = list[tuple[int, Frame]]


class Missed:
    """From the id `cursor`, which its user moves on, to the room's position. `kept_from`: the first event after
    what was too old to be kept, if something was."""

    def __init__(self, log: RoomLog, followed: Followed, cursor: int) -> None:
        self._log, self._followed, self.cursor = log, followed, cursor
        self.kept_from: int | None = None

    @property
    def more(self) -> bool:
        return self.cursor < self._followed.position

    async def page(self) -> Page:
        """The next events; where all of them were deleted, an empty frame. Raises `Unavailable`."""
        remembered = self._followed.after(self.cursor)
        if remembered is not None:
            return remembered
        name = self._followed.name
        found = await self._log.after(name, self.cursor, PAGE)
        if not found:
            return [(self._followed.position, NOTHING)]
        await self._look_for_a_hole(found[0][0])
        return [(id, frames.frame(text.encode())) for id, text in found]

    async def _look_for_a_hole(self, first: int) -> None:
        if first > self.cursor + 1:
            last = await self._log.last(self._followed.name)
            self.kept_from = first if is_cut_off(self.cursor, first, last, KEPT) else self.kept_from
