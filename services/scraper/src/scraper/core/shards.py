"""Which replica asks which hosts: hosts fall into shards, and a shard is one replica's at a time."""

from collections.abc import Collection
from functools import lru_cache
from hashlib import sha1

__all__ = ["SHARDS", "Holding", "shard_of", "share"]

SHARDS = 256


@lru_cache(4096)
def shard_of(host: str) -> int:
    """The first byte of a hash. `www.` before a host changes nothing: the two redirect to each other."""
    return sha1(host.removeprefix("www.").encode(), usedforsecurity=False).digest()[0]


@lru_cache(16)
def share(replica: str, replicas: frozenset[str]) -> frozenset[int]:
    """The shards that `replica` should have, by rendezvous hashing (Thaler and Ravishankar, 1998): all have about
    as many; who comes takes some from everybody, and when one goes the others keep what they have."""

    def winner(shard: int) -> str:
        return max(replicas, key=lambda one: sha1(f"{one} {shard}".encode(), usedforsecurity=False).digest())

    return frozenset(shard for shard in range(SHARDS) if winner(shard) == replica)


class Holding:
    """The shards of one replica: its own for `lease` seconds since it last asked for them. One that may have been
    another's rests for `rest` seconds first. If that is as long as an empty bucket takes to fill, then a host
    gets, in whichever window, no more from the two than from one. All times are of one monotonic clock.
    """

    def __init__(self, lease: float, rest: float) -> None:
        self._lease, self._rest = lease, rest
        self._until = float("-inf")
        self._since: dict[int, float] = {}

    def holds(self, shard: int, now: float) -> bool:
        """Whether its hosts may be asked."""
        return now < self._until and self._since.get(shard, now + 1.0) <= now

    def renewed(self, asked: float, now: float, held: Collection[int], fresh: Collection[int]) -> None:
        """What was `asked` is answered `now`: `held` are this replica's, and `fresh` were never anybody's."""
        if now >= self._until:
            self._since.clear()  # meanwhile all may have been another's
        self._until = asked + self._lease
        self._since = {
            shard: self._since.get(shard, now if shard in fresh else now + self._rest) for shard in held
        }

    def keep(self, wanted: Collection[int]) -> set[int]:
        """Ask no hosts of the others any more; which those are."""
        left = self._since.keys() - set(wanted)
        self._since = {shard: since for shard, since in self._since.items() if shard not in left}
        return left
