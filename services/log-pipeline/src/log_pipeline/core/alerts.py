"""Rules that say when somebody should be told. Time comes from outside."""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from log_pipeline.contract import Batch, Priority

STEPS = 1000


@dataclass(frozen=True, slots=True)
class Rule:
    """`rate`: `count` records at least as urgent as `priority` within `window` seconds; `pattern`: a record that
    contains it; `absence`: none for `window` seconds. The same is not said again for `quiet` seconds.

    `source`: only of that one.
    """

    name: str
    kind: Literal["rate", "pattern", "absence"]
    priority: Priority = Priority.ERROR
    count: int = 1
    window: float = 60.0
    pattern: bytes = b""
    source: str | None = None
    quiet: float = 300.0


@dataclass(frozen=True, slots=True)
class Alert:
    """What a rule found, in words; `time` in seconds of the clock that the rules were asked by."""

    rule: str
    text: str
    time: float


@dataclass(slots=True)
class _Watched:
    rule: Rule
    since: float
    events: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0
    told: float | None = None


class Rules:
    """The rules, and what they have seen. Not safe by itself: whoever asks holds a lock."""

    def __init__(self, rules: Sequence[Rule], now: float) -> None:
        self._watched = [_Watched(rule, now) for rule in rules]

    def see(self, batch: Batch, now: float) -> list[Alert]:
        """What a batch that was accepted gives reason to say."""
        concerned = (one for one in self._watched if _concerns(one.rule, batch))
        return [alert for one in concerned for alert in self._look(one, batch, now)]

    def tick(self, now: float) -> list[Alert]:
        """What has not come."""
        silent = (one for one in self._watched if one.rule.kind == "absence")
        return [
            alert
            for one in silent
            if now - one.since >= one.rule.window
            for alert in self._say(one, f"nothing for {one.rule.window:g} s", now)
        ]

    def _look(self, one: _Watched, batch: Batch, now: float) -> Iterator[Alert]:
        rule = one.rule
        if rule.kind == "absence":
            one.since, one.told = now, None
        elif rule.kind == "pattern":
            found = re.search(rule.pattern, batch.payload)
            if found:
                shown = found[0].decode(errors="backslashreplace")
                yield from self._say(one, f"{shown:.80} from {batch.source}", now)
        elif self._count(one, batch.records, now) >= rule.count:
            yield from self._say(one, f"{one.total} records in {rule.window:g} s", now)

    def _count(self, one: _Watched, records: int, now: float) -> int:
        """Records in the window, in at most `STEPS` counts: so its edge is as exact as one step of them."""
        one.total += records
        if one.events and now - one.events[-1][0] < one.rule.window / STEPS:
            begun, before = one.events.pop()
            one.events.append((begun, before + records))
        else:
            one.events.append((now, records))
        while one.events[0][0] <= now - one.rule.window:
            one.total -= one.events.popleft()[1]
        return one.total

    def _say(self, one: _Watched, text: str, now: float) -> Iterator[Alert]:
        if one.told is None or now - one.told >= one.rule.quiet:
            one.told = now
            yield Alert(one.rule.name, text, now)


def _concerns(rule: Rule, batch: Batch) -> bool:
    return batch.priority <= rule.priority and rule.source in (None, batch.source)
