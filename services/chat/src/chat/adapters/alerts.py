"""The alerts of the log pipeline become messages in #ops."""

from collections.abc import Callable

from pydantic import BaseModel, Field

from chat.adapters.log import RoomLog, Unavailable, append
from chat.core import events
from lab_kit.messages import Message, read_body
from lab_kit.streams import Later, Reject

__all__ = ["ALERTS", "GROUP", "ROOM", "Alerts"]

ALERTS, GROUP, ROOM, SPEAKER = "lab:alerts", "chat", "ops", "log-pipeline"
LONGEST = 2000


class Alert(BaseModel):
    """What is used of an alert; more may be there."""

    rule: str = Field(max_length=200)
    text: str = Field(max_length=100_000)


class Raised(BaseModel):
    """The body of an `alert.raised` message."""

    alert: Alert


class Alerts:
    """The handler of `lab:alerts`. The same message, delivered again, is the same message in the room."""

    def __init__(self, log: RoomLog, now: Callable[[], float]) -> None:
        self._log, self._now = log, now

    async def handle(self, message: Message) -> None:
        """Returns when it is in the log. Raises `Reject` for what is no alert, `Later` if there is no room."""
        if message.type != "alert.raised":
            raise Reject(f"{message.type!r} is no alert")
        alert = read_body(message, Raised).alert
        text = f"{alert.rule}: {alert.text}"[:LONGEST]
        try:
            await append(self._log, events.message(ROOM, SPEAKER, message.id, self._now(), text))
        except Unavailable as error:
            raise Later(str(error)) from error
