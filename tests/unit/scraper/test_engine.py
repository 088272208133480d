"""The engine in virtual time, where the checks do not look: what a domain asks for, and whom it concerns."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from lab.grader.virtual import virtual_loop
from scraper.checks.web import Web
from scraper.checks.world import LIMITS, World
from scraper.contract import Answer, State
from scraper.engine import Crawler


def virtually(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(work())


def gaps(web: Web, host: str) -> list[float]:
    """Seconds between two requests for pages of a host."""
    times = [one.at for one in web.requests(host)]
    return [round(after - before, 3) for before, after in pairwise(times)]


@pytest.mark.parametrize(("asked", "least"), [(True, 3.0), (False, 0.0)])
def test_crawl_delay_slows_its_domain_if_the_crawl_says_so(asked: bool, least: float) -> None:
    async def work() -> None:
        web = Web()
        seeds = [web.site("slow.test", 8), web.site("fast.test", 8)]
        web.robots("slow.test", "User-agent: *\nCrawl-delay: 3\n")
        async with World(Crawler, web=web) as world:
            await world.crawl(*seeds, crawl_delay=asked)
            assert len(world.fetched()) == 16
            assert min(gaps(web, "slow.test")) >= least
            assert max(gaps(web, "fast.test")) < 1.0
            assert (max(gaps(web, "slow.test")) < 1.0) is not asked

    virtually(work)


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_of_one_answer_slows_the_whole_domain(status: int) -> None:
    async def work() -> None:
        web = Web()
        seeds = [web.site("a.test", 12), web.site("b.test", 12)]
        web.scripts["http://a.test/3"].append(Answer(status, {"retry-after": "40"}))
        async with World(Crawler, replace(LIMITS, per_domain=1), web) as world:
            await world.crawl(*seeds)
            assert max(gaps(web, "a.test")) >= 40.0
            assert sum(gap >= 1.0 for gap in gaps(web, "a.test")) == 1
            assert max(gaps(web, "b.test")) < 1.0
            assert len(world.fetched()) == 24

    virtually(work)


def test_a_429_that_names_no_time_slows_the_whole_domain() -> None:
    async def work() -> None:
        web = Web()
        seeds = [web.site("a.test", 12), web.site("b.test", 12)]
        web.scripts["http://a.test/3"].append(Answer(429, {}))
        async with World(Crawler, replace(LIMITS, per_domain=1), web) as world:
            await world.crawl(*seeds)
            assert [gap for gap in gaps(web, "a.test") if gap >= 1.0] == [pytest.approx(5.1)]
            assert max(gaps(web, "b.test")) < 1.0
            assert len(world.fetched()) == 24

    virtually(work)


def test_each_port_has_a_robots_txt_of_its_own() -> None:
    async def work() -> None:
        web = Web()
        web.page("http://a.test/", "http://a.test:8080/x", "/x")
        web.page("http://a.test/x")
        web.page("http://a.test:8080/x")
        web.answers["http://a.test:8080/robots.txt"] = Answer(200, {}, b"User-agent: *\nDisallow: /x")
        async with World(Crawler, web=web) as world:
            await world.crawl("http://a.test/")
            assert web.times("http://a.test/x") == 1
            assert not web.times("http://a.test:8080/x")
            assert world.errors() == ["robots"]

    virtually(work)


def test_robots_txt_is_asked_for_again_when_its_time_is_over() -> None:
    async def work() -> None:
        web = Web()
        web.site("a.test", 30)
        web.robots("a.test", "User-agent: *\nDisallow:")
        robots = web.answers["http://a.test/robots.txt"]
        web.answers["http://a.test/robots.txt"] = robots._replace(headers={"cache-control": "max-age=100"})
        async with World(Crawler, web=web) as world:
            await world.begin("http://a.test/1")
            await asyncio.sleep(99.0)
            assert web.times("http://a.test/robots.txt") == 1
            for seconds, times in ((0.0, 1), (2.0, 2)):
                await asyncio.sleep(seconds)
                await world.submit("http://a.test/2")
                await asyncio.sleep(0.5)
                assert web.times("http://a.test/robots.txt") == times

    virtually(work)


def test_robots_txt_is_obeyed_as_it_is_when_a_request_is_sent() -> None:
    """Links wait for their turn longer than what was known when they were taken is valid."""

    async def work() -> None:
        web = Web()
        web.site("a.test", 40)
        lasts = {"cache-control": "max-age=100"}
        web.answers["http://a.test/robots.txt"] = Answer(200, lasts, b"User-agent: *\nDisallow: /private")
        limits = replace(LIMITS, rate=0.1, burst=1, per_domain=8)
        async with World(Crawler, limits, web) as world:
            await world.begin("http://a.test/")
            await asyncio.sleep(50.0)
            web.answers["http://a.test/robots.txt"] = Answer(200, lasts, b"User-agent: *\nDisallow: /")
            await asyncio.sleep(950.0)
            assert web.times("http://a.test/robots.txt") > 1
            late = [one.url for one in web.requests("a.test") if one.at >= 100.2]
            assert not late, "what was in hand is disallowed meanwhile"
            assert len(world.fetched()) == 10
            assert set(world.errors()) == {"robots"}

    virtually(work)


def test_a_robots_txt_of_a_short_time_and_a_slow_host_come_together() -> None:
    async def work() -> None:
        web = Web()
        web.site("a.test", 12)
        web.answers["http://a.test/robots.txt"] = Answer(200, {"cache-control": "no-store"}, b"")
        async with World(Crawler, replace(LIMITS, rate=0.01, burst=1), web) as world:
            status = await world.crawl("http://a.test/", seconds=10_000.0)
            assert (status.state, status.fetched) == (State.DONE, 12)
            assert len(web.asked) <= 24

    virtually(work)


@pytest.mark.parametrize("robots_last", [10_000, 60])
def test_links_of_a_host_that_is_anothers_are_given_back(robots_last: int) -> None:
    async def work() -> None:
        web = Web()
        seeds = [web.site("a.test", 60), web.site("b.test", 60)]
        lasts = {"cache-control": f"max-age={robots_last}"}
        web.answers["http://a.test/robots.txt"] = Answer(200, lasts, b"")
        async with World(Crawler, replace(LIMITS, rate=0.2, burst=2), web) as world:
            take = world.frontier.take
            world.frontier.take = lambda crawl, most, skip: take(crawl, most, {*skip, *world.theirs})  # type: ignore[method-assign]  # a stand-in
            await world.begin(*seeds)
            await asyncio.sleep(58.0)
            world.theirs.add("a.test")
            await asyncio.sleep(100.0)
            late = [one.url for one in web.requests("a.test", robots=True) if one.at > 58.0]
            assert not late, "neither a page of it nor its robots.txt is asked for"
            assert len([one for one in web.requests("b.test") if one.at > 58.0]) >= 19
            world.theirs.clear()
            await asyncio.sleep(1000.0)
            assert len(world.fetched("a.test")) == 60

    virtually(work)


def test_a_host_that_was_given_up_is_asked_again_in_the_end() -> None:
    async def work() -> None:
        web = Web()
        web.site("a.test", 60)
        web.robots("a.test", "")
        for url in ("http://a.test/robots.txt", "http://a.test/"):
            web.scripts[url].append(web.answers[url])
        web.down.add("a.test")
        async with World(Crawler, web=web) as world:
            await world.begin("http://a.test/")
            await asyncio.sleep(3600.0)
            assert "down" in world.errors()
            web.down.clear()
            other = await world.submit("http://a.test/7")
            await world.until(lambda: world.crawler.status(other.crawl.id).state is State.DONE, other, 7200.0)
            again = await world.submit("http://a.test/8")
            await world.until(lambda: world.crawler.status(again.crawl.id).state is State.DONE, again)
            assert "http://a.test/8" in world.fetched()
            assert world.crawler.domains()["a.test"].breaker == "closed"

    virtually(work)


def test_a_large_site_that_rests_leaves_room_for_those_that_are_found_later() -> None:
    async def work() -> None:
        web = Web()
        seeds = [web.site("large.test", 500), "http://hub.test/"]
        web.page(seeds[1], *(web.site(f"small-{number}.test", 10) for number in range(6)))
        web.slow[seeds[1]] = 10.0
        for number in range(1, 500):
            web.scripts[f"http://large.test/{number}"].append(Answer(429, {"retry-after": "3600"}))
        async with World(Crawler, web=web) as world:
            await world.begin(*seeds)
            await asyncio.sleep(9.0)
            assert world.crawler.stats().requests > 3
            assert len(world.frontier.held()) < 2 * LIMITS.ahead + 1
            await asyncio.sleep(30.0)
            assert len(world.fetched("small-")) == 60

    virtually(work)
