"""An alert that comes while the room's log takes nothing waits for it."""

import asyncio
import time

import pytest

from chat.adapters.alerts import Alerts
from chat.adapters.log import Done, Unavailable
from chat.adapters.memory import MemoryLog
from chat.core.events import Event
from lab_kit.messages import Message
from lab_kit.streams import Later


class Closed(MemoryLog):
    """Takes nothing, as when Redis is away or too much waits to be written."""

    def offer(self, event: Event, done: Done) -> None:
        done(Unavailable("too much is waiting to be written"))


def test_no_room_is_no_failure_of_the_alert() -> None:
    def arrived(event: Event, number: int) -> None:
        """Nobody listens."""

    alert = Message("alert.raised", {"alert": {"rule": "errors", "text": "12 errors in 10 s"}})
    with pytest.raises(Later, match="too much is waiting"):
        asyncio.run(Alerts(Closed(arrived), time.time).handle(alert))
    asyncio.run(Alerts(MemoryLog(arrived), time.time).handle(alert))
