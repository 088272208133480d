"""Redis did what it was asked, or did not, and nobody heard of it: no link is left in nobody's hands."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from lab_kit.streams import connect
from scraper.adapters.frontier import RedisFrontier
from scraper.adapters.html import parse_page
from scraper.adapters.leases import Leases
from scraper.adapters.registry import Registry
from scraper.adapters.robots import parse_robots
from scraper.checks.web import Web
from scraper.contract import Crawl, Limits, Link, Page, Ports, State
from scraper.engine import Crawler

PAGES = 30
LIMITS = Limits(workers=8, per_domain=8, rate=1e6, burst=1_000_000, window=16)


class Replica:
    """A frontier, and the engines that have it one after the other. What is in `away` Redis does not do, or does
    and does not say."""

    def __init__(self, redis: Redis) -> None:
        self.web, self.leases = Web(latency=0.0), Leases(redis, rest=0.0)
        self.frontier = RedisFrontier(redis, self.leases)
        self.seed = self.web.site("a.test", PAGES)
        self.redis = redis

    def engine(self) -> Crawler:
        ports = Ports(
            fetcher=self.web, frontier=self.frontier, parse_page=parse_page, parse_robots=parse_robots,
            offload=asyncio.to_thread,
        )  # fmt: skip
        return Crawler(ports, LIMITS)

    def lose(self, name: str, times: Iterator[bool], *, done: bool) -> None:
        """Of the calls of a script those of `times` fail, and are `done` all the same or not."""
        call = self.frontier._scripts[name]

        async def losing(**given: Any) -> Any:
            lost = next(times, False)
            if not lost or done:
                answer = await call(**given)
            if lost:
                raise RedisConnectionError("the connection is gone")
            return answer

        self.frontier._scripts[name] = losing

    async def ended(self, engine: Crawler, crawl: Crawl) -> None:
        async with asyncio.timeout(20):
            while not engine.status(crawl.id).state.final:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.01)
        await engine.stop(0.0)
        assert engine.status(crawl.id).state is State.DONE
        urls = [page["url"] async for page in Registry(self.redis).every_page(crawl.id)]
        assert len(urls) == len(set(urls)) == PAGES


def alone(url: str, work: Callable[[Replica], Awaitable[None]]) -> None:
    async def connected() -> None:
        redis = connect(url)
        replica = Replica(redis)
        await replica.leases.renew()
        try:
            await work(replica)
        finally:
            await replica.leases.leave()
            await redis.aclose()

    asyncio.run(connected())


@pytest.fixture
def calm_redis(start_redis: Callable[[], object]) -> str:
    """Of one test alone: nobody else has hosts there."""
    return start_redis().url  # type: ignore[attr-defined, no-any-return]  # a fixture's class has no module


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize("name", ["OPEN", "TAKE", "FINISH"])
def test_every_page_comes_once_whatever_answer_is_lost(calm_redis: str, name: str, done: bool) -> None:
    async def work(replica: Replica) -> None:
        replica.lose(name, iter([True, False, True]), done=done)
        engine, crawl = replica.engine(), Crawl((replica.seed,))
        await engine.submit(crawl)
        await replica.ended(engine, crawl)

    alone(calm_redis, work)


def test_what_an_engine_could_not_give_back_the_next_one_finds(calm_redis: str) -> None:
    """It is stopped while Redis is away; the replica lives on."""

    async def work(replica: Replica) -> None:
        replica.web.slow = {f"{replica.seed}{number}": 30.0 for number in range(1, PAGES)}
        engine, crawl = replica.engine(), Crawl((replica.seed,))
        await engine.submit(crawl)
        async with asyncio.timeout(20):
            while replica.web.open[""] < LIMITS.workers:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.01)
        scripts = dict(replica.frontier._scripts)
        replica.lose("GIVE_BACK", iter([True] * 99), done=False)
        unfinished = await engine.stop(0.0)
        replica.frontier._scripts = scripts
        assert (await replica.frontier.counts(crawl.id))["held"] > 0
        replica.web.slow.clear()
        successor = replica.engine()
        await successor.start(unfinished)
        await replica.ended(successor, crawl)

    alone(calm_redis, work)


def test_who_has_links_in_hand_keeps_them(calm_redis: str) -> None:
    """Also while another answer of the same engine is on its way."""

    async def work(replica: Replica) -> None:
        frontier, crawl = replica.frontier, Crawl(())
        await frontier.open(crawl, [Link(f"{replica.seed}{number}") for number in range(20)])
        both = await asyncio.gather(*(frontier.take(crawl.id, 5, ()) for _ in range(2)))
        taken = [link for one in both for link in one.links]
        assert await frontier.finish(crawl.id, Page(taken[0], 200))
        await frontier.give_back(crawl.id, taken[1:3])
        taken[1:3] = (await frontier.take(crawl.id, 99, ())).links
        assert len(taken) == len(set(taken)) == 20

    alone(calm_redis, work)


def test_a_crawl_that_was_never_closed_is_deleted_with_all_its_keys(calm_redis: str) -> None:
    """Its engine was killed after somebody had cancelled it."""

    async def work(replica: Replica) -> None:
        frontier, crawl = replica.frontier, Crawl(())
        await frontier.open(crawl, [Link(f"{replica.seed}{number}") for number in range(20)])
        [link, *_] = (await frontier.take(crawl.id, 5, ())).links
        await frontier.finish(crawl.id, Page(link, 200))
        await Registry(replica.redis).remove(crawl.id)
        await frontier.close(crawl.id)
        assert [key async for key in replica.redis.scan_iter(f"*{crawl.id}*")] == []

    alone(calm_redis, work)


def test_links_are_kept_as_they_are(calm_redis: str) -> None:
    async def work(replica: Replica) -> None:
        frontier, crawl = replica.frontier, Crawl(())
        await frontier.open(crawl, [Link("http://a.test/")])
        [link] = (await frontier.take(crawl.id, 1, ())).links
        urls = ["http://a.test/x", "http://a.test:8080/x", "http://a.tested.example/", "http://b.test/"]
        await frontier.finish(crawl.id, Page(link, 200, follow=tuple(Link(url, 1) for url in urls)))
        [page] = await Registry(replica.redis).pages(crawl.id, 0, 9)
        assert page["links"] == urls

    alone(calm_redis, work)
