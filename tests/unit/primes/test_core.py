"""The pure parts of M2: plans, leases, tallies, and what travels."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from primes.contract import Happened, InvalidJob, Job, Kind, Limits, News, Order, Part, Tile
from primes.core.leases import Leases
from primes.core.plan import DEAREST, cost, nth_bound, plan, validate
from primes.core.record import READY, SIZE, pack, unpack
from primes.core.tally import Tally, imbalance, merged
from primes.core.wire import decode_news, decode_order, decode_part, encode_news, encode_order, encode_part

LIMITS = Limits(workers=2)
ranges = st.tuples(st.integers(0, 10**15), st.integers(0, 10**12)).map(lambda pair: (pair[0], sum(pair)))
numbers = st.integers(0, 2**63)


@given(ranges, st.integers(1, 64))
@settings(max_examples=60)
def test_tiles_cover_the_range_once_and_in_order(bounds: tuple[int, int], workers: int) -> None:
    lo, hi = bounds
    tiles = plan(Job(lo, hi), Limits(workers=workers))
    edges = [lo, *(tile.hi for tile in tiles)]
    assert [tile.lo for tile in tiles] == edges[:-1]
    assert edges[-1] == hi
    assert [tile.index for tile in tiles] == list(range(len(tiles)))
    assert all(tile.lo < tile.hi for tile in tiles)


def test_no_tile_is_dearer_than_the_largest_allowed_and_later_ones_are_not_larger() -> None:
    tiles = plan(Job(0, 10**11), LIMITS)
    assert max(cost(tile.lo, tile.hi) for tile in tiles) <= 1.01 * DEAREST
    widths = [tile.hi - tile.lo for tile in tiles[:-1]]
    assert all(left + 30 >= right for left, right in itertools.pairwise(widths))
    assert widths[-1] < widths[0] / 20


def test_a_number_far_out_costs_more() -> None:
    assert cost(10**15, 10**15 + 10**6) > 5 * cost(10**6, 2 * 10**6)


@pytest.mark.parametrize(
    ("rank", "prime"), [(1, 2), (5, 11), (6, 13), (10**6, 15_485_863), (10**9, 22_801_763_489)]
)
def test_the_nth_prime_is_below_its_bound(rank: int, prime: int) -> None:
    assert prime < nth_bound(rank) < 2 * prime + 20


@pytest.mark.parametrize(
    ("job", "limit"),
    [
        (Job(5, 4), "0 <= lo <= hi"),
        (Job(-1, 4), "0 <= lo <= hi"),
        (Job(10**15, 10**15 + 1), "1,000,000,000,000,000"),
        (Job(0, 10**13 + 1), "10,000,000,000,000"),
        (Job(0, 10, Kind.NTH), "rank"),
        (Job(0, 10, rank=1), "rank"),
        (Job(0, 2 * 10**13, Kind.NTH, 6 * 10**11), "prime number 600,000,000,000.*10,000,000,000,000"),
    ],
)
def test_a_refusal_says_the_limit(job: Job, limit: str) -> None:
    with pytest.raises(InvalidJob, match=limit):
        validate(job, Limits())


class TestLeases:
    """A clock by hand: leases of 10 s."""

    @pytest.fixture
    def leases(self) -> Leases[str]:
        leases = Leases[str](10.0, attempts=2)
        for order, key in enumerate("abc"):
            leases.grant(key, float(order))
        return leases

    def test_silence_ends_a_lease(self, leases: Leases[str]) -> None:
        assert leases.next_end() == 10.0
        assert leases.expired(9.9) == []
        assert leases.expired(11.0) == ["a", "b"]

    def test_a_sign_of_life_renews_it_and_those_that_wait_behind(self, leases: Leases[str]) -> None:
        leases.renew("a", 9.0)
        assert leases.expired(18.9) == []

    def test_who_was_overtaken_is_not_renewed(self, leases: Leases[str]) -> None:
        leases.renew("b", 9.0)
        assert leases.expired(12.0) == ["a"]

    def test_who_has_begun_lives_by_its_own_signs(self, leases: Leases[str]) -> None:
        leases.renew("b", 1.0)
        leases.renew("a", 9.0)
        assert leases.expired(12.0) == ["b"]

    def test_who_works_at_what_nobody_wants_keeps_those_that_wait(self, leases: Leases[str]) -> None:
        leases.renew("b", 1.0)
        leases.forget("a")
        leases.renew("a", 9.0)
        assert leases.expired(18.9) == ["b"]
        assert leases.expired(19.0) == ["b", "c"]

    def test_an_ended_lease_is_not_renewed(self, leases: Leases[str]) -> None:
        leases.end("a")
        leases.renew("a", 5.0)
        assert len(leases) == 2

    def test_it_is_spent_when_it_was_begun_too_often_not_when_nobody_was_there(
        self, leases: Leases[str]
    ) -> None:
        leases.renew("a", 1.0)
        for now in (20.0, 40.0, 60.0):
            leases.end("a")
            leases.grant("a", now)
            assert not leases.spent("a")
        leases.renew("a", 61.0)
        leases.renew("a", 62.0)
        assert leases.spent("a")

    def test_attempts_are_counted_until_it_is_forgotten(self, leases: Leases[str]) -> None:
        leases.grant("a", 5.0)
        assert leases.attempt("a") == 2
        leases.forget("a")
        assert leases.attempt("a") == 0


def part_of(primes: list[int]) -> Part:
    gaps = [(right - left, left) for left, right in itertools.pairwise(primes)]
    gap, at = max(gaps, key=lambda found: (found[0], -found[1]), default=(0, 0))
    return Part(
        count=len(primes),
        total=sum(primes),
        twins=sum(size == 2 for size, _ in gaps),
        first=primes[0] if primes else 0,
        last=primes[-1] if primes else 0,
        gap=gap,
        gap_at=at,
    )


@given(st.lists(st.integers(0, 1000), max_size=10).map(sorted))
def test_wherever_it_is_cut_the_whole_is_the_same(cuts: list[int]) -> None:
    primes = [n for n in range(2, 1000) if all(n % d for d in range(2, int(n**0.5) + 1))]
    edges = [0, *cuts, 1000]
    pieces = [[p for p in primes if lo <= p < hi] for lo, hi in itertools.pairwise(edges)]
    assert merged([part_of(piece) for piece in pieces]) == part_of(primes)


def test_a_tile_counts_once() -> None:
    job = Job(0, 10)
    tile = Tile(0, 0, 10, Kind.COUNT)
    tally = Tally(job, [tile])
    assert tally.add(tile, Part(count=4))
    assert not tally.add(tile, Part(count=9))
    assert tally.answer() == {"count": 4}


def test_the_tile_of_the_nth_prime_is_owed_once() -> None:
    tiles = [Tile(0, 0, 10, Kind.NTH), Tile(1, 10, 20, Kind.NTH)]
    tally = Tally(Job(0, 20, Kind.NTH, 6), tiles)
    for tile in tiles:
        assert tally.owed() is None
        tally.add(tile, Part(count=4))
    owed = tally.owed()
    assert owed == Tile(2, 10, 20, Kind.NTH, rank=2)
    assert tally.owed() is None
    assert not tally.complete
    tally.add(owed, Part(count=1, last=13))
    assert tally.answer() == {"prime": 13, "rank": 6}


def test_imbalance_is_how_much_longer_the_busiest_computed() -> None:
    assert imbalance({}) == imbalance({"a": 0.0}) == 0.0
    assert imbalance({"a": 3.0, "b": 1.0}) == 0.5


@given(st.builds(Part, numbers, st.integers(0, 2**127), numbers, numbers, numbers, numbers, numbers))
def test_a_part_survives_its_row_and_its_message(part: Part) -> None:
    row = pack(part)
    assert len(row) == SIZE
    assert unpack(row) is None
    assert unpack(READY + row[len(READY) :]) == part
    assert decode_part(encode_part(part)) == part


def test_orders_and_news_survive_their_messages() -> None:
    order = Order("job", Tile(3, 10, 20, Kind.NTH, 2), 1, "board")
    assert decode_order(encode_order(order)) == order
    news = News(Happened.LOST, order, "worker", 0.25, "killed")
    assert decode_news(encode_news(news)) == news
