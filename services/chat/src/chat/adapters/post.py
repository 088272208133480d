"""What is meant for one user, or for the moment, on its way to whichever replica they are on."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis

from chat.adapters.log import channel
from chat.core.answers import Left, Notice, Presence, Typing

__all__ = ["Post", "inbox", "reader_of", "room_left"]

INBOX, LEFT = "chat:inbox:", '{"type":"left"'
log = structlog.get_logger(__name__)


class Post:
    """Sends, and does not wait: what cannot be sent is lost, and said so in the service's own log."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._tasks: set[asyncio.Task[Any]] = set()

    def notify(self, user: str, message: Notice | Left) -> None:
        """Tell all devices of a user, on whichever replica; or, of a room that was left, these replicas."""
        self.begin(self._publish(inbox(user), msgspec.json.encode(message).decode()))

    def tell(self, message: Presence | Typing) -> None:
        """Tell a room something of a user that need not last."""
        kind, text = "p" if isinstance(message, Presence) else "t", msgspec.json.encode(message).decode()
        self.begin(self._publish(channel(message.room), f"{kind}{message.user}\n{text}"))

    def begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it beside everything else."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def _publish(self, channel: str, text: str) -> None:
        await self._redis.publish(channel, text)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.warning("something about rooms was not done", error=repr(error))


def inbox(user: str) -> str:
    """The channel of what is meant for one user."""
    return f"{INBOX}{user}"


def reader_of(channel: str) -> str | None:
    """The user whose inbox a channel is; None for another channel."""
    return channel.removeprefix(INBOX) if channel.startswith(INBOX) else None


def room_left(text: str) -> str | None:
    """The room that the user whose inbox this came to has left on some device; None for what is for clients."""
    return msgspec.json.decode(text, type=Left).room if text.startswith(LEFT) else None
