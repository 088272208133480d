"""The alerts of the log pipeline become messages in #ops."""

from collections.abc import Callable

from pydantic import BaseModel, Field

from chat.adapters.log import RoomLog, Unavailable, append
from chat.core import events
from lab_kit.messages import Message, read_body
from lab_kit.streams import Reject

__all__ = ["ALERTS", "GROUP", "ROOM", "Alerts"]

ALERTS, GROUP, ROOM, SPEAKER = "lab:alerts", "chat", "ops", "log-pipeline"
LONGEST = 2000


class Alert(BaseModel, extra="allow"):
    """What is used of an alert; more may be there."""

    name: str = Field(default="alert", max_length=200)
    severity: str = Field(default="warning", max_length=32)
    text: str = Field(default="", max_length=100_000)


class Alerts:
    """The handler of `lab:alerts`. The same message, delivered again, is the same message in the room."""

    def __init__(self, log: RoomLog, now: Callable[[], float]) -> None:
        self._log, self._now = log, now

    async def handle(self, message: Message) -> None:
        """Returns when it is in the room's log; raises `Reject` for what is no alert."""
        if message.type != "alert":
            raise Reject(f"{message.type!r} is no alert")
        alert = read_body(message, Alert)
        text = f"[{alert.severity}] {alert.name}: {alert.text}".strip().rstrip(":")[:LONGEST]
        try:
            await append(self._log, events.message(ROOM, SPEAKER, message.id, self._now(), text))
        except Unavailable as error:
            raise ConnectionError(str(error)) from error
