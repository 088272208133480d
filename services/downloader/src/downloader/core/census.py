"""What can be said of all downloads together, without looking at each."""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from downloader.contract import State
from downloader.core.download import Download
from downloader.core.rate import Rate


class Facts(NamedTuple):
    """What was counted of one download."""

    state: State
    live: bool
    restarts: int


class Census:
    """Downloads by state, and how many are live. Exact if `note` is called after each change."""

    def __init__(self) -> None:
        self.states = dict.fromkeys(State, 0)
        self.live = self.restarts = 0
        self._known: dict[Download, Facts] = {}

    @property
    def pending(self) -> int:
        """How many will go on by themselves."""
        return self.states[State.QUEUED] + self.states[State.ACTIVE] + self.states[State.RETRYING]

    @property
    def unfinished(self) -> int:
        return self.pending + self.states[State.PAUSED]

    def note(self, download: Download, now: float) -> None:
        """Count `download` as it is now."""
        facts = Facts(download.state(now), download.live, download.restarts)
        counted = self._known.get(download)
        if facts == counted:
            return
        self._known[download] = facts
        self._count(facts, 1)
        self.restarts += facts.restarts
        if counted:
            self._count(counted, -1)
            self.restarts -= counted.restarts

    def forget(self, download: Download) -> None:
        """Count it no more; what it added to `restarts` stays."""
        if facts := self._known.pop(download, None):
            self._count(facts, -1)

    def _count(self, facts: Facts, sign: int) -> None:
        self.states[facts.state] += sign
        self.live += sign * facts.live


@dataclass(slots=True)
class Totals:
    """What only grows while an engine lives. Bytes; retries by reason."""

    received: int = 0
    resumed: int = 0
    retries: Counter[str] = field(default_factory=Counter)
    rate: Rate = field(default_factory=Rate)

    def add(self, count: int, now: float) -> None:
        self.received += count
        self.rate.add(count, now)
