"""What waits for one client, within a bound."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from chat.contract import Batch, Frame, Kind
from chat.core.frames import batch


@dataclass(slots=True)
class Tally:
    """What the outboxes of a hub hold together, and what they gave up."""

    frames: int = 0
    bytes: int = 0
    dropped: int = 0
    coalesced: int = 0


class Outbox:
    """Frames in order, at most `limit` bytes of them. When they would be more, `put` makes room: first
    typing goes, then each frame of whose key there is a later one."""

    __slots__ = ("_frames", "_limit", "_tally", "size")

    def __init__(self, limit: int, tally: Tally) -> None:
        self._limit, self._tally, self.size = limit, tally, 0
        self._frames: deque[Frame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    def put(self, frame: Frame) -> bool:
        """Whether there is room for it, or it was typing, which may be lost; if not, nothing has come in."""
        size = len(frame.data)
        if self.size + size > self._limit and frame.kind is Kind.TYPING:
            self._tally.dropped += 1
            return True
        if self.size + size > self._limit:
            self._drop_typing()
        if self.size + size > self._limit:
            self._coalesce(frame.key)
        if self.size + size > self._limit:
            return False
        self._frames.append(frame)
        self._count(1, size)
        return True

    def take(self, most: int) -> Batch:
        """The oldest frames, about `most` bytes of them, at least one."""
        taken: list[Frame] = []
        size = 0
        while self._frames and (not taken or size + len(self._frames[0].data) <= most):
            taken.append(self._frames.popleft())
            size += len(taken[-1].data)
        self._count(-len(taken), -size)
        return batch(taken)

    def empty(self) -> tuple[Frame, ...]:
        """All that waits, which is now somebody else's."""
        frames = tuple(self._frames)
        self._keep(lambda frame: False)
        return frames

    def _drop_typing(self) -> None:
        self._tally.dropped += self._keep(lambda frame: frame.kind is not Kind.TYPING)

    def _coalesce(self, coming: str) -> None:
        """Of each key only the last frame stays, and none of that which is coming."""
        last = {frame.key: frame for frame in self._frames if frame.key}
        last.pop(coming, None)
        self._tally.coalesced += self._keep(lambda frame: not frame.key or last.get(frame.key) is frame)

    def _keep(self, wanted: Callable[[Frame], bool]) -> int:
        before, kept = len(self._frames), [frame for frame in self._frames if wanted(frame)]
        self._frames = deque(kept)
        self._count(len(kept) - before, sum(len(frame.data) for frame in kept) - self.size)
        return before - len(kept)

    def _count(self, frames: int, size: int) -> None:
        self.size += size
        self._tally.frames += frames
        self._tally.bytes += size
