"""One total order for each room: what comes twice or too early is put right."""

__all__ = ["Sequencer"]


def is_cut_off(position: int, first: int, last: int, kept: int) -> bool:
    """Whether something after `position`, and before the `first` event that a log still has, is too old to be
    kept. It has at least the `kept` events before its `last`: what is missing there was deleted."""
    return first > position + 1 and last - position > kept


class Sequencer[T]:
    """Things with consecutive numbers, each let through once and in order.

    They may come twice (a replica hears its own words again from Redis) and early (two connections overtake
    each other). `position` is the number of the last one let through."""

    def __init__(self, position: int) -> None:
        self.position = position
        self._early: dict[int, T] = {}

    @property
    def gap(self) -> tuple[int, int] | None:
        """The first and the last number that are missing before what came early; None if none is."""
        return (self.position + 1, min(self._early) - 1) if self._early else None

    def take(self, number: int, thing: T) -> list[T]:
        """What is to be let through now that `thing` has come: nothing, it alone, or it and what waited for
        it."""
        if number <= self.position:
            return []
        self._early[number] = thing
        return self._ready()

    def skip_to(self, number: int) -> list[T]:
        """What is missing up to `number` will never come: it was deleted. Let through what waited for it."""
        ready = [self._early.pop(early) for early in sorted(self._early) if early <= number]
        self.position = max(self.position, number)
        return ready + self._ready()

    def _ready(self) -> list[T]:
        ready = []
        while self.position + 1 in self._early:
            self.position += 1
            ready.append(self._early.pop(self.position))
        return ready
