"""Every kernel that can run here, against published numbers and against each other."""

import random
from contextlib import nullcontext
from typing import Literal

import numpy as np
import pytest

from lab_kit.faults import Faults
from lab_kit.metrics import Metrics
from primes.adapters.crews import Crews
from primes.adapters.faults import FAULTS
from primes.adapters.kernels import KERNELS, Kernel, KernelUnavailable, available, choose, measure
from primes.config import Settings
from primes.contract import Kind, Part, Tile

PI = {10: 4, 100: 25, 10**3: 168, 10**4: 1229, 10**5: 9592, 10**6: 78_498, 10**7: 664_579}  # OEIS A006880
WINDOWS = {10**12: 36_249, 10**15 - 10**6: 28_910}  # primes in the million from here on
SUMS = {10**5: 454_396_537, 10**6: 37_550_402_023}  # OEIS A046731
BELOW_2_63 = (25, 165, 259, 301, 375, 387, 391, 409, 457, 471)  # PrimePages: just below powers of two
TWINS = {10**5: 1224, 10**6: 8169}  # OEIS A007508


@pytest.fixture(params=KERNELS, scope="module")
def kernel(request: pytest.FixtureRequest) -> Kernel:
    try:
        found = choose(request.param)
    except KernelUnavailable as error:
        pytest.skip(str(error))
    found.count(10**10, 10**10 + 1)  # after that numba leaves nothing to numpy
    return found


def asked(kernel: Kernel, kind: Kind, lo: int, hi: int) -> Part:
    return measure(kernel, Tile(0, lo, hi, kind))


@pytest.mark.parametrize(("limit", "count"), PI.items())
def test_pi_is_as_published(kernel: Kernel, limit: int, count: int) -> None:
    assert kernel.count(0, limit) == count


@pytest.mark.parametrize(("lo", "count"), WINDOWS.items())
def test_windows_far_out_are_as_known(kernel: Kernel, lo: int, count: int) -> None:
    assert kernel.count(lo, lo + 10**6) == count


def test_the_last_primes_below_2_63_are_as_published(kernel: Kernel) -> None:
    if kernel.ceiling < 2**63:
        pytest.skip(f"the kernel {kernel.name} goes to {kernel.ceiling:,}")
    found = [2**63 - int(prime) for chunk in kernel.chunks(2**63 - 472, 2**63) for prime in chunk]
    assert tuple(reversed(found)) == BELOW_2_63


def test_sums_twins_and_gaps_are_as_published(kernel: Kernel) -> None:
    assert {hi: asked(kernel, Kind.SUM, 0, hi).total for hi in SUMS} == SUMS
    assert {hi: asked(kernel, Kind.TWINS, 0, hi).twins for hi in TWINS} == TWINS
    gap = asked(kernel, Kind.GAP, 0, 10**6)
    assert (gap.gap, gap.gap_at) == (114, 492_113)  # OEIS A005250, A002386


@pytest.mark.parametrize(
    "bounds", [(0, 0), (0, 2), (0, 3), (2, 3), (3, 3), (3, 4), (24, 29), (24, 30), (1, 31), (30, 31)]
)
def test_ends_belong_where_they_should(kernel: Kernel, bounds: tuple[int, int]) -> None:
    lo, hi = bounds
    right = [n for n in range(max(lo, 2), hi) if all(n % d for d in range(2, n))]
    assert [int(prime) for chunk in kernel.chunks(lo, hi) for prime in chunk] == right
    assert kernel.count(lo, hi) == len(right)


def test_kernels_agree_on_random_ranges(kernel: Kernel) -> None:
    plain, chance = choose("numpy"), random.Random(1)
    for digits in (4, 6, 8, 10, 12):
        lo = chance.randrange(10**digits)
        hi = lo + chance.randrange(300_000)
        assert kernel.count(lo, hi) == plain.count(lo, hi), (lo, hi)
        found, right = (np.concatenate(list(one.chunks(lo, hi))) for one in (kernel, plain))
        assert np.array_equal(found, right), (lo, hi)


def test_the_ranked_prime_of_a_tile(kernel: Kernel) -> None:
    assert measure(kernel, Tile(0, 100, 10**5, Kind.NTH, rank=9592 - 25)) == Part(count=1, last=99_991)
    with pytest.raises(ValueError, match="fewer"):
        measure(kernel, Tile(0, 0, 10, Kind.NTH, rank=5))


def test_beyond_the_ceiling_it_says_so(kernel: Kernel) -> None:
    with pytest.raises(ValueError, match="ceiling"):
        asked(kernel, Kind.COUNT, 0, kernel.ceiling + 1)


def test_what_is_asked_for_by_name_is_there_or_refused() -> None:
    assert available() in KERNELS
    assert available("numpy") == choose("numpy").name == "numpy"
    with pytest.raises(KernelUnavailable, match="no kernel 'abacus'"):
        choose("abacus")


@pytest.mark.parametrize("crew", ["processes", "celery"])
def test_a_service_whose_workers_would_have_no_kernel_does_not_start(
    monkeypatch: pytest.MonkeyPatch, crew: Literal["processes", "celery"]
) -> None:
    """Workers of its own would end as soon as they begin; those elsewhere have kernels of theirs."""
    monkeypatch.setenv("PRIMESIEVE_LIBRARY", "/nowhere/libprimesieve.so")
    settings = Settings(primes_kernel="primesieve", primes_crew=crew)
    expected = pytest.raises(KernelUnavailable, match="primesieve") if crew == "processes" else nullcontext()
    with expected:
        Crews(settings, Metrics("primes"), Faults(*FAULTS))
    with pytest.raises(KernelUnavailable, match="primesieve"):
        available("primesieve")
