"""The pure logic of A1: names of pages, rates, breakers, shares, and what an answer means."""

import tracemalloc
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scraper.contract import Crawl, Link
from scraper.core.breaker import Breaker, BreakerState, Permit
from scraper.core.bucket import Bucket
from scraper.core.headers import max_age, retry_after, robots_tag
from scraper.core.retry import RetryBudget, backoff
from scraper.core.seen import Seen
from scraper.core.shards import SHARDS, Holding, shard_of, share
from scraper.core.shares import Shares
from scraper.core.traps import CALENDAR_PAGES, Traps
from scraper.core.urls import join, normalise


@pytest.mark.parametrize(
    ("url", "normal"),
    [  # RFC 3986, 6.2.2 and 6.2.3, and what crawlers add
        ("HTTP://www.EXAMPLE.com/", "http://www.example.com/"),
        ("http://a.test", "http://a.test/"),
        ("http://a.test:80/x", "http://a.test/x"),
        ("https://a.test:443/x", "https://a.test/x"),
        ("http://a.test:8080/x", "http://a.test:8080/x"),
        ("http://a.test/%7Euser/%3a", "http://a.test/~user/%3A"),
        ("http://a.test/a/b/c/./../../g", "http://a.test/a/g"),
        ("http://a.test/a/..", "http://a.test/"),
        ("http://a.test/../g", "http://a.test/g"),
        ("http://a.test/a b?c d", "http://a.test/a%20b?c%20d"),
        ("http://a.test/100%", "http://a.test/100%25"),
        ("http://a.test/x#fragment", "http://a.test/x"),
        ("http://a.test/x?", "http://a.test/x"),
        ("http://a.test/x;jsessionid=1A2B?q=1", "http://a.test/x?q=1"),
        ("http://a.test/x?PHPSESSID=1&q=1", "http://a.test/x?q=1"),
        ("http://a.test/x?q=1&sid=7", "http://a.test/x?q=1"),
        ("http://bücher.test/ü", "http://xn--bcher-kva.test/%C3%BC"),
        ("http://[2001:db8::1]:80/", "http://[2001:db8::1]/"),
        ("ftp://a.test/", None),
        ("mailto:me@a.test", None),
        ("http://[broken", None),
        ("http://a.test:x/", None),
        ("http://a b.test/", None),
        ("http://a.test\\x/", None),
        ("http://%61.test/", None),
        ("http://[fe80::1%25eth0]/", None),
        ("http://a.test/" + "x" * 3000, None),
    ],
)
def test_a_page_has_one_name(url: str, normal: str | None) -> None:
    assert normalise(url) == normal


@given(st.text(alphabet="abc/.%?;=&#: 7Fü", max_size=30))
def test_normalising_twice_changes_nothing(rest: str) -> None:
    once = normalise(f"http://a.test/{rest}")
    assert once is None or normalise(once) == once


@given(st.from_regex(r"(/[a-z0-9_.~-]{1,5}){1,4}/?", fullmatch=True))
def test_the_short_way_for_plain_links_is_the_long_way(path: str) -> None:
    assert join("http://a.test/x/y", path) == normalise(f"http://a.test{path}")


@given(st.lists(st.floats(0.0, 3.0), min_size=1, max_size=60), st.floats(0.1, 10.0), st.integers(1, 5))
def test_a_bucket_keeps_its_promise_in_every_window(waits: list[float], rate: float, burst: int) -> None:
    bucket, now, sent = Bucket(rate, burst, 0.0), 0.0, list[float]()
    for wait in waits:
        now += wait
        now += bucket.wait(now)
        bucket.take(now)
        sent.append(now)
    for i, first in enumerate(sent):
        for j in range(i, len(sent)):
            assert j - i + 1 <= burst + rate * (sent[j] - first) + 1e-3


def test_a_bucket_lets_its_burst_go_at_once() -> None:
    bucket = Bucket(rate=0.2, burst=2, at=0.0)  # 2 in 10 s, where a leaky bucket lets 3 go within 5 s
    sent = []
    now = 0.0
    while now < 10.0:
        now += bucket.wait(now)
        bucket.take(now)
        sent.append(now)
    assert sent[:3] == [0.0, 0.0, pytest.approx(5.0)]


class TestBreaker:
    def tripped(self) -> Breaker:
        breaker = Breaker(rate=0.5, calls=4, window=10.0, seconds=5.0)
        for _ in range(4):
            breaker.ended(breaker.permit(0.0), False, 0.0)
        return breaker

    def test_opens_by_rate_and_not_before_enough_calls(self) -> None:
        breaker = Breaker(rate=0.5, calls=4, window=10.0, seconds=5.0)
        for success in (True, False, True):
            breaker.ended(breaker.permit(0.0), success, 0.0)
        assert breaker.state(0.0) is BreakerState.CLOSED
        breaker.ended(breaker.permit(0.0), False, 0.0)
        assert breaker.state(0.0) is BreakerState.OPEN

    def test_forgets_what_is_older_than_the_window(self) -> None:
        breaker = Breaker(rate=0.5, calls=4, window=10.0, seconds=5.0)
        for second in (0.0, 0.0, 0.0, 11.0, 11.0):
            breaker.ended(breaker.permit(second), False, second)
        assert breaker.state(11.0) is BreakerState.CLOSED

    def test_lets_one_of_twenty_out(self) -> None:
        breaker, out = self.tripped(), 0
        assert breaker.wait(2.0) == 3.0
        for _ in range(20):
            if not breaker.wait(5.0):
                breaker.permit(5.0)
                out += 1
        assert out == 1

    def test_a_probe_decides(self) -> None:
        breaker = self.tripped()
        breaker.ended(breaker.permit(5.0), False, 6.0)
        assert breaker.wait(6.0) == 10.0, "twice as long as before"
        breaker.ended(breaker.permit(16.0), True, 17.0)
        assert breaker.state(17.0) is BreakerState.CLOSED

    def test_a_late_end_changes_nothing(self) -> None:
        breaker = Breaker(rate=0.5, calls=4, window=10.0, seconds=5.0)
        old = breaker.permit(0.0)
        for _ in range(4):
            breaker.ended(breaker.permit(0.0), False, 0.0)
        breaker.ended(old, True, 1.0)
        assert breaker.state(1.0) is BreakerState.OPEN
        breaker.permit(5.0)
        breaker.ended(old, True, 5.0)
        assert breaker.state(5.0) is BreakerState.HALF_OPEN

    @pytest.mark.parametrize("told", [True, False])
    def test_a_lost_probe_wedges_nothing(self, told: bool) -> None:
        breaker = self.tripped()
        probe = breaker.permit(5.0)
        if told:
            breaker.lost(probe)
        assert breaker.wait(5.0 if told else 15.0) == 0.0

    def test_somebody_elses_loss_is_not_the_probes(self) -> None:
        breaker = self.tripped()
        breaker.permit(5.0)
        breaker.lost(Permit(0, 0.0))
        assert breaker.wait(5.0) > 0.0


def test_backoff_is_full_jitter_below_a_bound_that_doubles() -> None:
    random = Random(1)
    assert all(0.0 <= backoff(3, 1.0, 100.0, random) <= 4.0 for _ in range(100))
    assert max(backoff(20, 1.0, 8.0, random) for _ in range(100)) <= 8.0


def test_a_budget_pays_for_a_share_of_the_requests() -> None:
    budget = RetryBudget(0.1, floor=0.0)
    for _ in range(100):
        budget.requested()
    assert sum(budget.take() for _ in range(100)) in (9, 10)  # of what was earned in floats


def test_headers_say_when_and_what() -> None:
    assert retry_after({"retry-after": "120"}, 0.0) == 120.0
    assert retry_after({"retry-after": "Thu, 01 Jan 1970 00:02:00 GMT"}, 60.0) == 60.0
    assert retry_after({"retry-after": "soon"}, 0.0) is None
    assert max_age({"cache-control": "public, max-age=60"}, 1.0, 10.0) == 10.0
    assert max_age({"cache-control": "no-store"}, 1.0, 10.0) == 0.0
    assert robots_tag({"x-robots-tag": "nofollow"}, "me") == (True, False)
    assert robots_tag({"x-robots-tag": "otherbot: none, noindex"}, "me") == (False, False)
    assert robots_tag({"x-robots-tag": "me: noindex"}, "me") == (False, True)
    assert robots_tag({"x-robots-tag": "none"}, "me") == (True, True)


def test_traps_are_known_by_their_looks() -> None:
    traps = Traps()
    assert traps.holds("http://a.test/a/b/a/b/a/b/c")
    assert traps.holds("http://a.test/" + "d/" * 30)
    assert not traps.holds("http://a.test/page/7")
    dates = [f"http://a.test/calendar/{2000 + number}/01" for number in range(80)]
    assert sum(not traps.holds(url) for url in dates) == CALENDAR_PAGES
    assert not traps.holds(dates[0]), "one that was let through is so again"


def test_articles_that_have_a_date_in_their_path_are_no_calendar() -> None:
    traps = Traps()
    urls = [f"http://a.test/2024/05/{day}article-{number}" for number in range(80) for day in ("", "07/")]
    assert not any(map(traps.holds, urls))


@pytest.mark.parametrize("form", ["/{}/5", "/{}-05/", "/en/{}/05/31?view=day", "/events?year={}"])
def test_a_calendar_is_one_however_its_dates_are_written(form: str) -> None:
    traps = Traps()
    dates = [f"http://a.test{form.format(2000 + number)}" for number in range(80)]
    assert sum(not traps.holds(url) for url in dates) == CALENDAR_PAGES


def test_a_million_fingerprints_are_small() -> None:
    tracemalloc.start()
    seen = Seen()
    for number in range(10_000):
        assert seen.add(f"http://a.test/{number}")
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not any(seen.add(f"http://a.test/{number}") for number in range(0, 10_000, 7))
    assert len(seen) == 10_000
    assert size <= 25 * 10_000


class TestShares:
    def shares(self, **about: int) -> Shares:
        shares = Shares(Crawl((), **about))  # type: ignore[arg-type]  # the numbers of a crawl
        shares.add([Link(f"http://large.test/{number}", 1) for number in range(100)])
        shares.add([Link(f"http://{host}.test/{number}", 1) for host in "abc" for number in range(3)])
        return shares

    def test_each_site_has_its_turn(self) -> None:
        taken = self.shares().take(8, ())
        assert [link.url.partition("/")[2].partition("/")[2].partition(".")[0] for link in taken] == [
            *("large", "a", "b", "c"),
            *("large", "a", "b", "c"),
        ]

    def test_near_comes_before_far_and_preferred_before_both(self) -> None:
        shares = Shares(Crawl((), prefer=("/news/",)))
        shares.add([Link("http://a.test/3", 3), Link("http://a.test/1", 1), Link("http://a.test/news/2", 2)])
        assert [link.url for link in shares.take(9, ())] == [
            *("http://a.test/news/2", "http://a.test/1", "http://a.test/3"),
        ]

    def test_hosts_are_skipped(self) -> None:
        assert {link.url[7] for link in self.shares().take(50, {"large.test"})} == {"a", "b", "c"}

    def test_bounds_hold(self) -> None:
        assert len(self.shares(pages=5).take(50, ())) == 5
        assert self.shares(domain_pages=2).waiting == 8
        assert self.shares(domains=2).waiting == 103
        assert self.shares(depth=0).waiting == 0

    def test_what_is_given_back_comes_again_and_first(self) -> None:
        shares = self.shares()
        taken = shares.take(3, ())
        shares.give_back(taken)
        assert set(taken) <= set(shares.take(4, ()))
        assert shares.unfinished == 109


def test_replicas_share_the_shards_and_keep_them() -> None:
    before, after = frozenset("abc"), frozenset("abcd")
    shares = {one: share(one, before) for one in before}
    assert sorted(shard for each in shares.values() for shard in each) == list(range(SHARDS))
    assert min(map(len, shares.values())) > SHARDS // 5
    for one in before:
        assert share(one, after) < shares[one], "who comes takes from everybody, and nobody else gets any"


def test_a_host_and_its_www_are_in_one_shard() -> None:
    assert shard_of("www.a.test") == shard_of("a.test")
    assert len({shard_of(f"{number}.test") for number in range(5000)}) == SHARDS


def test_what_may_have_been_anothers_rests_first() -> None:
    holding = Holding(lease=6.0, rest=2.0)
    holding.renewed(0.0, 0.1, held={1, 2}, fresh={1})
    assert [holding.holds(1, 0.1), holding.holds(2, 2.0), holding.holds(2, 2.2)] == [True, False, True]
    assert not holding.holds(3, 3.0)
    holding.renewed(5.0, 5.1, held={1, 2}, fresh=())
    assert all(holding.holds(shard, 5.1) for shard in (1, 2)), "it had both all the time"
    assert holding.keep({2}) == {1}
    assert not holding.holds(1, 5.2)
    holding.renewed(5.2, 5.3, held={1, 2}, fresh=())
    assert not holding.holds(1, 5.4), "it may have been away"


def test_a_lease_ends_for_its_holder_first_and_what_follows_it_rests() -> None:
    holding = Holding(lease=6.0, rest=2.0)
    holding.renewed(asked=10.0, now=14.0, held={1}, fresh={1})
    assert holding.holds(1, 15.9), "from when it was asked for"
    assert not holding.holds(1, 16.0)
    holding.renewed(asked=15.0, now=16.5, held={1}, fresh=())
    assert not holding.holds(1, 17.0), (
        "asked in time, answered too late: meanwhile it may have been another's"
    )
    assert holding.holds(1, 18.5)
