"""What servers say that no standard foresees: it costs the page at most, never the crawl nor its host."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import generate_latest

from lab.grader.virtual import virtual_loop
from lab_kit.metrics import Metrics
from scraper.adapters.html import parse_page
from scraper.checks.web import Web
from scraper.checks.world import LIMITS, World
from scraper.contract import Answer, Found, Refused, State, TooLarge
from scraper.core.headers import retry_after, robots_tag
from scraper.engine import Crawler
from scraper.engine.hosts import Hosts
from scraper.metrics import FetchMetrics

SEED = "http://a.test/"


def virtually(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(work())


@pytest.mark.parametrize(
    "date", ["Mon, 99999999999999999999 Jan 2020 00:00:00 GMT", "Mon, 01 Jan 2020 00:00:00 +99999999999999"]
)
def test_a_date_that_no_calendar_has_is_no_date(date: str) -> None:
    assert retry_after({"retry-after": date}, 0.0) is None


@pytest.mark.parametrize("value", ["max-video-preview: 0, noindex", "noindex, max-snippet: 5"])
def test_a_rule_with_a_value_names_no_agent(value: str) -> None:
    assert robots_tag({"x-robots-tag": value}, "me") == (False, True)


def test_an_agent_may_have_digits_in_its_name() -> None:
    assert robots_tag({"x-robots-tag": "bot2000: nosnippet, noindex"}, "me") == (False, False)


@pytest.mark.parametrize("charset", ["idna", "undefined", "nobody-knows", "hex"])
def test_a_page_of_an_odd_charset_is_a_page(charset: str) -> None:
    assert parse_page(b"<a href='/x'>\xff</a>", f"text/html; charset={charset}").hrefs == ["/x"]


@pytest.mark.parametrize(("status", "outcome"), [(200, "2xx"), (429, "429"), (503, "5xx"), (999, "other")])
def test_any_status_is_counted(status: int, outcome: str) -> None:
    """Some sites answer robots with 999."""
    metrics, web = Metrics("scraper"), Web()
    web.answers[SEED] = Answer(status, {})
    fetcher = FetchMetrics(metrics).wrap(web, "reference", lambda: 0.0)
    virtually(lambda: _get(fetcher.get(SEED)))
    series = f'scraper_requests_total{{engine="reference",outcome="{outcome}",service="scraper"}} 1.0'
    assert series in generate_latest(metrics.registry).decode()


async def _get(answer: Coroutine[Any, Any, Answer]) -> None:
    await answer


def test_a_page_that_breaks_the_engine_costs_that_page() -> None:
    async def work() -> None:
        web = Web()
        web.site("a.test", 5)
        async with World(Crawler, web=web) as world:

            def parse(body: bytes, content_type: str) -> Found:
                if b"a.test/3" in body:
                    raise KeyError("a parser's bug")
                return parse_page(body, content_type)

            object.__setattr__(world.crawler._ports, "parse_page", parse)  # type: ignore[attr-defined]
            status = await world.crawl(SEED)
            assert (status.state, status.fetched, status.failed) == (State.DONE, 4, 1)
            assert world.errors() == ["bug"]
            assert world.crawler.stats().errors == {"bug": 1}
            assert not world.frontier.held()

    virtually(work)


@pytest.mark.parametrize("error", [TooLarge("4 MiB are read"), Refused("encoded as 'br'")])
def test_a_host_of_pages_that_nobody_wants_is_well(error: TooLarge | Refused) -> None:
    async def work() -> None:
        web = Web()
        web.page(SEED, *(f"/{number}" for number in range(30)), "/last")
        for number in range(30):
            web.scripts[f"{SEED}{number}"].append(error)
        web.page(f"{SEED}last")
        async with World(Crawler, web=web) as world:
            status = await world.crawl(SEED, seconds=60.0)
            assert world.crawler.domains()["a.test"].breaker == "closed"
            assert (status.state, set(world.errors())) == (State.DONE, {error.reason})
            assert f"{SEED}last" in world.fetched()

    virtually(work)


def test_a_crawl_that_is_cancelled_while_it_ends_is_cancelled() -> None:
    async def work() -> None:
        web = Web()
        web.page(SEED)
        async with World(Crawler, web=web) as world:
            take, asked, answered = world.frontier.take, asyncio.Event(), asyncio.Event()

            async def slowly(crawl: str, most: int, skip: Any) -> Any:
                taken = await take(crawl, most, skip)
                if not taken.unfinished:
                    asked.set()
                    await answered.wait()
                return taken

            world.frontier.take = slowly  # type: ignore[method-assign]  # a stand-in
            status = await world.begin(SEED)
            await asked.wait()
            cancelling = asyncio.create_task(world.crawler.cancel(status.crawl.id))
            await asyncio.sleep(0)
            answered.set()
            await cancelling
            assert [world.crawler.status(status.crawl.id).state, world.ended[0].state] == [
                State.CANCELLED
            ] * 2

    virtually(work)


def test_a_dead_host_is_forgotten_when_room_is_needed() -> None:
    async def work() -> None:
        limits, web = replace(LIMITS, domains=3), Web()
        web.down |= {"dead-1.test", "dead-2.test", "busy.test"}
        ports = World(Crawler, limits, web).crawler._ports  # type: ignore[attr-defined]  # those of the reference
        hosts = Hosts(ports, limits)
        for name in sorted(web.down):
            for _ in range(limits.breaker_calls):
                await hosts.of(f"http://{name}/").get(f"http://{name}/", lambda: True)
        hosts.began("http://busy.test/")
        hosts.of("http://now.test/")
        assert hosts.met.keys() == {*web.down, "now.test"}, "their breakers are open"
        await asyncio.sleep(limits.breaker_seconds)
        hosts.of("http://new.test/")
        assert hosts.met.keys() == {"busy.test", "new.test"}
        assert hosts.forgotten.requests == 2 * limits.breaker_calls

    virtually(work)
