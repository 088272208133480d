"""The desk between replicas, on a real server: what others decided is done, and no file is lost between two."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from redis.asyncio import Redis

from lab_kit.engines import EngineHost
from lab_kit.streams import connect
from scraper.adapters import desk
from scraper.adapters.desk import DOWNLOADS, Desk, Request
from scraper.adapters.frontier import FILES, RedisFrontier
from scraper.adapters.html import parse_page
from scraper.adapters.leases import LeasedFetcher, Leases
from scraper.adapters.registry import Record, Registry
from scraper.adapters.robots import parse_robots
from scraper.checks.web import Web
from scraper.contract import Answer, Crawl, Crawler, Link, Ports, State, UnknownCrawl
from scraper.engine import Crawler as Reference

SEED = "http://a.test/"
WANTED = Request(seeds=[SEED])


class Replica:
    """One of those that share a Redis, without the shell."""

    def __init__(self, redis: Redis) -> None:
        self.leases = Leases(redis, rest=0.0)
        self.registry, frontier = Registry(redis), RedisFrontier(redis, self.leases)
        web = Web(latency=30.0)  # so no crawl ends by itself
        self.host: EngineHost[Crawler] = EngineHost(lambda name: Reference(_ports(web, frontier, self)))
        self.observed: list[Record] = []
        self.desk = Desk(redis, self.host, frontier, self.registry, self.observed.append)

    def state(self, crawl_id: str) -> State | None:
        with suppress(UnknownCrawl):
            return self.host.engine.status(crawl_id).state
        return None


def _ports(web: Web, frontier: RedisFrontier, replica: Replica) -> Ports:
    return Ports(
        fetcher=web, frontier=frontier, parse_page=parse_page, parse_robots=parse_robots,
        offload=asyncio.to_thread, finished=lambda status: replica.desk.ended(status),
    )  # fmt: skip


@asynccontextmanager
async def replicas(url: str, count: int) -> AsyncIterator[list[Replica]]:
    redis = connect(url)
    some = [Replica(redis) for _ in range(count)]
    for one in some:
        await one.leases.renew()
        await one.host.start()
    try:
        yield some
    finally:
        for one in some:
            await one.host.stop(0.0)
            await one.leases.leave()
        await redis.aclose()


@pytest.fixture
def quiet_redis(start_redis: Callable[[], object]) -> str:
    """Of one test alone: no service hands on what is there."""
    return start_redis().url  # type: ignore[attr-defined, no-any-return]  # a fixture's class has no module


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not happened():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)


def test_a_crawl_that_was_deleted_meanwhile_is_ended_everywhere(
    quiet_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it takes the place of another for ever."""
    monkeypatch.setattr(desk, "FOLLOW_SECONDS", 0.01)

    async def work() -> None:
        async with replicas(quiet_redis, 2) as (one, other):
            await one.desk.accept("x", WANTED, "trace")
            await one.desk.change("x", "pause", State.PAUSED)
            following = asyncio.create_task(other.desk.follow())
            await until(lambda: other.state("x") is State.PAUSED)
            following.cancel()
            await one.desk.change("x", "cancel", State.CANCELLED)
            await one.desk.delete("x")
            following = asyncio.create_task(other.desk.follow())
            await until(lambda: other.state("x") is State.CANCELLED)
            following.cancel()
            assert [key async for key in one.registry._redis.scan_iter("lab:scraper:{*")] == []

    asyncio.run(work())


def test_an_old_record_undoes_nothing(quiet_redis: str) -> None:
    """Somebody pauses the crawl after the records were read, and before this one's turn has come."""

    async def work() -> None:
        async with replicas(quiet_redis, 1) as (one,):
            await one.desk.accept("x", WANTED, "trace")
            old = await one.registry.all()
            await one.desk.change("x", "pause", State.PAUSED)
            await one.desk._apply(old[0])
            assert one.state("x") is State.PAUSED
            await one.desk.change("x", "cancel", State.CANCELLED)
            await one.desk.delete("x")
            await one.desk._apply(Record(Crawl((SEED,), id="y"), "trace", 0.0))
            assert one.state("y") is None, "it was deleted before it was begun here"

    asyncio.run(work())


def test_two_replicas_hand_on_every_file(quiet_redis: str) -> None:
    async def work() -> None:
        async with replicas(quiet_redis, 2) as both:
            redis = both[0].registry._redis
            urls = [f"http://a.test/files/{number}" for number in range(300)]
            await redis.rpush(FILES, *(json.dumps({"crawl": "x", "url": url}) for url in urls))
            handing = [asyncio.create_task(one.desk.hand_on_files()) for one in both]
            async with asyncio.timeout(20):
                while await redis.llen(FILES):  # noqa: ASYNC110  # nobody tells
                    await asyncio.sleep(0.01)
            for task in handing:
                task.cancel()
            entries = [json.loads(fields["message"]) for _, fields in await redis.xrange(DOWNLOADS)]
            assert {entry["url"] for entry in entries} == set(urls)
            assert len({entry["id"] for entry in entries}) == len(urls), "twice is under the same id"

    asyncio.run(work())


def test_the_longest_rest_that_was_asked_for_stands(quiet_redis: str) -> None:
    async def work() -> None:
        async with replicas(quiet_redis, 1) as (one,):
            web, redis = Web(latency=0.0), one.registry._redis
            fetcher = LeasedFetcher(web, one.leases)
            for status, rest in ((503, "120"), (503, "1"), (429, "soon"), (429, "300"), (200, "3000")):
                web.answers[SEED] = Answer(status, {"retry-after": rest})
                await fetcher.get(SEED)
            assert 290 <= await redis.ttl("lab:scraper:resting:a.test") <= 300
            web.answers["http://b.test/"] = Answer(200, {"retry-after": "3000"})
            await fetcher.get("http://b.test/")
            frontier = RedisFrontier(redis, one.leases)
            await frontier.open(Crawl((), id="x"), [Link("http://b.test/1")])
            assert len((await frontier.take("x", 9, ())).links) == 1, "who answers needs no rest"

    asyncio.run(work())
