"""Cuts a range into tiles: large ones first, small ones last, each at most as dear as the largest allowed.

Guided self-scheduling (Polychronopoulos and Kuck, 1987): a tile is a share of what remains, so whoever is slow
at the end holds little. Estimated cost, not width, is shared: sieving [lo, hi) crosses off about
(hi - lo) * ln ln sqrt(hi) multiples (Mertens, 1874), after going through all primes up to sqrt(hi).
"""

import math
from collections.abc import Iterator

from primes.contract import InvalidJob, Job, Kind, Limits, Tile

__all__ = ["cost", "least", "nth_bound", "plan", "validate"]

DEAREST = 1.0e9  # cost of the largest tile: 0.05 s of the fastest kernel, seconds of the slowest
SETUP = 24  # a tile is at least so many times wider than the square root, or its setup outweighs it
WHEEL = 30


def cost(lo: int, hi: int) -> float:
    """What it takes to sieve [lo, hi), in crossings."""
    root = math.sqrt(max(hi, 16))
    return (hi - lo) * math.log(math.log(root)) + root


def plan(job: Job, limits: Limits) -> list[Tile]:
    """The tiles of `job`, in order, without gap or overlap; none for an empty range. Same input, same plan."""
    return [Tile(index, lo, hi, job.kind) for index, (lo, hi) in enumerate(_cuts(job, limits))]


def _cuts(job: Job, limits: Limits) -> Iterator[tuple[int, int]]:
    lo, hi = job.lo, job.hi
    while lo < hi:
        end = min(hi, _aligned(lo + _width(lo, hi, limits)))
        yield lo, end
        lo = end


def _width(lo: int, hi: int, limits: Limits) -> int:
    fair = (hi - lo) // (2 * limits.workers)
    most = int(DEAREST * (hi - lo) / cost(lo, hi))
    return max(least(hi, limits), min(fair, most))


def least(hi: int, limits: Limits) -> int:
    """How wide a tile that ends at `hi` is at least, if there is so much left."""
    return max(limits.tile, SETUP * math.isqrt(hi))


def _aligned(number: int) -> int:
    return -(-number // WHEEL) * WHEEL


def nth_bound(rank: int) -> int:
    """A number above the `rank`-th prime: n (ln n + ln ln n) for n >= 6 (Rosser and Schoenfeld, 1962)."""
    return 14 if rank < 6 else int(rank * (math.log(rank) + math.log(math.log(rank)))) + 2


def validate(job: Job, limits: Limits) -> None:
    """Raise InvalidJob, which says the limit, for a job that makes no sense or is too large."""
    if not 0 <= job.lo <= job.hi:
        raise InvalidJob(f"from {job.lo:,} to {job.hi:,} is no range: 0 <= lo <= hi")
    where = f"prime number {job.rank:,} is looked for below {job.hi:,}: " if job.rank else ""
    if job.hi > limits.largest:
        raise InvalidJob(f"{where}hi = {job.hi:,} is beyond the limit of {limits.largest:,}")
    if job.hi - job.lo > limits.widest:
        raise InvalidJob(f"{where}{job.hi - job.lo:,} numbers are more than the {limits.widest:,} of one job")
    if (job.kind is Kind.NTH) != (job.rank > 0):
        raise InvalidJob(f"a rank above 0 belongs to kind nth, and to no other: {job.kind}, rank {job.rank}")
