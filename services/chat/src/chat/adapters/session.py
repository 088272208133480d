"""One client's conversation: who it is, where it is, and what it may still ask for."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from chat.adapters.connection import WebSocket
from chat.core.protocol import Message

__all__ = ["MOST_WAITING", "Session"]

MOST_WAITING = 64  # requests of one client that wait for their turn; then nothing more is read


@dataclass(slots=True, eq=False)
class Session:
    """Requests that need Redis are done one after the other, by a task that is there only while there are
    some.

    `rooms` it may talk in; in those of them that are `settled` it has caught up, and the hub has it in them.
    """

    connection: WebSocket
    user: str = ""
    admin: bool = False
    rooms: set[str] = field(default_factory=set)
    settled: set[str] = field(default_factory=set)
    waiting: deque[Message] = field(default_factory=deque)
    worker: asyncio.Task[None] | None = None
    deadline: asyncio.TimerHandle | None = None
    unanswered: int = 0
    over: bool = False
