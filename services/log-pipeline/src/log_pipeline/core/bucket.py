"""What a source may send: a token bucket for each, and what its policy makes of the rest."""

import math
from dataclasses import dataclass

from log_pipeline.contract import Batch, Limits, Policy, Reason

SOURCES, LOOK_SECONDS = 10_000, 1.0


@dataclass(slots=True)
class Bucket:
    """At most `burst` tokens, `rate` more a second; below zero: promised to those who wait."""

    tokens: float
    since: float
    beyond: int = 0

    def refill(self, limits: Limits, now: float) -> None:
        self.tokens = min(limits.burst, self.tokens + limits.rate * (now - self.since))
        self.since = now


@dataclass(frozen=True, slots=True)
class Pass:
    """What may come of a batch, in `delay` seconds, for so many `tokens`; the rest is dropped for `reason`."""

    kept: Batch
    dropped: int = 0
    reason: Reason = Reason.RATE
    delay: float = 0.0
    tokens: int = 0


class Buckets:
    """A bucket for each source. Not safe by itself: whoever asks holds a lock.

    At most `SOURCES` of them: then those that are full again, which says nothing of the past, are forgotten.
    Whoever finds no place even so shares one bucket with the others of whom that is true.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buckets: dict[str, Bucket] = {}
        self._shared, self._look_at = Bucket(limits.burst, 0.0), -math.inf

    def claim(self, batch: Batch, now: float) -> Pass:
        """Take the tokens for `batch`: those of the future, too, if its policy is to wait."""
        if math.isinf(self._limits.rate):
            return Pass(batch)
        bucket, policy = self._of(batch.source, now), self._limits.policies[batch.priority]
        if policy is Policy.WAIT:
            bucket.tokens -= batch.records
            return Pass(batch, delay=max(0.0, -bucket.tokens / self._limits.rate), tokens=batch.records)
        return self._without_waiting(bucket, batch, policy)

    def give_back(self, batch: Batch, claimed: Pass, now: float) -> None:
        """`batch` did not come."""
        if claimed.tokens:
            self._of(batch.source, now).tokens += claimed.tokens

    def _without_waiting(self, bucket: Bucket, batch: Batch, policy: Policy) -> Pass:
        free = min(batch.records, max(0, math.floor(bucket.tokens + 1e-6)))
        bucket.tokens -= free
        if free == batch.records:
            return Pass(batch, tokens=free)
        lines = batch.lines()
        kept, beyond = lines[:free], lines[free:]
        if policy is Policy.SAMPLE:
            first = -bucket.beyond % self._limits.sample
            bucket.beyond += len(beyond)
            kept += beyond[first :: self._limits.sample]
        reason = Reason.SAMPLE if policy is Policy.SAMPLE else Reason.RATE
        return Pass(batch.holding(kept), batch.records - len(kept), reason, tokens=free)

    def _of(self, source: str, now: float) -> Bucket:
        bucket = self._buckets.get(source) or self._new(source, now)
        bucket.refill(self._limits, now)
        return bucket

    def _new(self, source: str, now: float) -> Bucket:
        if len(self._buckets) >= SOURCES and now >= self._look_at:
            self._look_at = now + LOOK_SECONDS  # it takes a while, and whoever asks holds a lock
            self._forget(now)
        if len(self._buckets) >= SOURCES:
            return self._shared
        made = self._buckets[source] = Bucket(self._limits.burst, now)
        return made

    def _forget(self, now: float) -> None:
        for bucket in self._buckets.values():
            bucket.refill(self._limits, now)
        burst = self._limits.burst
        self._buckets = {name: one for name, one in self._buckets.items() if one.tokens < burst}
