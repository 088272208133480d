"""Who came and went, told to a room a few times a second: of a thousand who come back at once, nobody hears a
thousand times."""

import asyncio
from collections.abc import Callable

from chat.contract import Frame, Kind
from chat.core import frames

__all__ = ["Bulletin"]

SECONDS = 0.2


class Bulletin:
    """Gathers the presence of users by room, the last word on each, and publishes it `SECONDS` after the first."""

    def __init__(self, publish: Callable[[str, Frame], None]) -> None:
        self._publish = publish
        self._gathered: dict[str, dict[str, Frame]] = {}

    def tell(self, room: str, user: str, message: bytes) -> None:
        news = self._gathered.setdefault(room, {})
        if not news:
            asyncio.get_running_loop().call_later(SECONDS, self._post, room)
        news.pop(user, None)  # in the order of the last
        news[user] = frames.frame(message, Kind.PRESENCE, f"presence/{room}/{user}")

    def _post(self, room: str) -> None:
        for frame in self._gathered.pop(room).values():
            self._publish(room, frame)
