"""The frontier in Redis, on a real server: shared, durable, and each page once."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis import Redis as SyncRedis

from lab_kit.streams import connect
from scraper.adapters.frontier import RedisFrontier
from scraper.adapters.leases import ALIVE, Leases
from scraper.contract import Crawl, FrontierUnavailable, Link, Page

HOSTS = ("a.test", "b.test", "c.test")


def links(count: int, host: str = "a.test") -> list[Link]:
    return [Link(f"http://{host}/{number}") for number in range(count)]


class AllHosts(Leases):
    """Of a replica that believes it has every host: a link is one engine's all the same."""

    def held(self) -> str:
        return "1" * 256


def together(url: str, work: Callable[[RedisFrontier, RedisFrontier], Awaitable[None]]) -> None:
    """Two engines of one crawl, each with a connection of its own."""

    async def both() -> None:
        replicas = [AllHosts(connect(url), rest=0.0) for _ in range(2)]
        for leases in replicas:
            await leases.renew()
        try:
            first, second = (RedisFrontier(leases._redis, leases) for leases in replicas)
            await work(first, second)
        finally:
            for leases in replicas:
                await leases.leave()  # others on the same server do not wait for their ends
                await leases._redis.aclose()

    asyncio.run(both())


def test_nobody_gets_what_another_has(fresh_redis: str) -> None:
    async def work(one: RedisFrontier, other: RedisFrontier) -> None:
        crawl = Crawl(())
        for frontier in (one, other):
            await frontier.open(crawl, [link for host in HOSTS for link in links(20, host)])
        taken = [*(await one.take(crawl.id, 25, ())).links, *(await other.take(crawl.id, 25, ())).links]
        taken += (await one.take(crawl.id, 25, ())).links
        assert len(taken) == len(set(taken)) == 60
        assert not (await other.take(crawl.id, 25, ())).links

    together(fresh_redis, work)


def test_hosts_have_turns_and_are_skipped(fresh_redis: str) -> None:
    async def work(one: RedisFrontier, other: RedisFrontier) -> None:
        crawl = Crawl(())
        await one.open(crawl, [*links(50), *links(2, "b.test"), *links(2, "c.test")])
        assert [link.url[7] for link in (await one.take(crawl.id, 6, ())).links] == ["a", "b", "c"] * 2
        assert not (await one.take(crawl.id, 6, {"a.test"})).links
        assert len((await one.take(crawl.id, 6, ())).links) == 6

    together(fresh_redis, work)


def test_a_page_is_kept_once(fresh_redis: str) -> None:
    async def work(one: RedisFrontier, other: RedisFrontier) -> None:
        crawl = Crawl(())
        await one.open(crawl, links(1))
        await other.open(crawl, [])
        [link] = (await one.take(crawl.id, 9, ())).links
        page = Page(link, 200, follow=(Link("http://a.test/next", 1), link))
        assert not await other.finish(crawl.id, page), "it is not the other's"
        assert await one.finish(crawl.id, page)
        assert not await one.finish(crawl.id, page), "it is finished"
        taken = await other.take(crawl.id, 9, ())
        assert ([one.url for one in taken.links], taken.unfinished) == (["http://a.test/next"], 1)
        assert (await one.counts(crawl.id))["fetched"] == 1

    together(fresh_redis, work)


def test_the_links_of_the_dead_are_given_back(fresh_redis: str) -> None:
    async def work(one: RedisFrontier, other: RedisFrontier) -> None:
        crawl = Crawl(())
        await one.open(crawl, links(5))
        await other.open(crawl, [])
        held = (await one.take(crawl.id, 3, ())).links
        beating = asyncio.create_task(other.beat())
        with SyncRedis.from_url(fresh_redis) as redis:
            assert redis.ttl(ALIVE + one.owner) > 0, "it lives for as long as it says so"
            redis.delete(ALIVE + one.owner)
        async with asyncio.timeout(20):
            while (await other.counts(crawl.id))["held"]:  # noqa: ASYNC110  # Redis tells nobody
                await asyncio.sleep(0.05)
        beating.cancel()
        assert set((await other.take(crawl.id, 9, ())).links) == set(links(5))
        assert not await one.finish(crawl.id, Page(held[0], 200)), (
            "the late page of a dead engine is not kept"
        )

    together(fresh_redis, work)


def test_bounds_hold_for_all_engines_together(fresh_redis: str) -> None:
    async def work(one: RedisFrontier, other: RedisFrontier) -> None:
        crawl = Crawl((), pages=10, domain_pages=4, domains=2, depth=3)
        for frontier in (one, other):
            await frontier.open(crawl, [link for host in HOSTS for link in links(9, host)])
        taken = [*(await one.take(crawl.id, 6, ())).links, *(await other.take(crawl.id, 9, ())).links]
        assert sorted(link.url[7] for link in taken) == ["a"] * 4 + ["b"] * 4

    together(fresh_redis, work)


def test_what_is_closed_is_forgotten(fresh_redis: str) -> None:
    async def work(one: RedisFrontier, other: RedisFrontier) -> None:
        crawl = Crawl(())
        await one.open(crawl, links(100))
        [link] = (await one.take(crawl.id, 1, ())).links
        assert await one.finish(crawl.id, Page(link, 200, files=(link.url,)))
        await other.close(crawl.id)
        assert await one.take(crawl.id, 9, ()) == ([], 0)

    together(fresh_redis, work)
    with SyncRedis.from_url(fresh_redis) as redis:
        left = {key.decode().rpartition(":")[2] for key in redis.scan_iter("lab:scraper:{*")}
    assert left == {"c", "pages", "holders"}


def test_a_server_that_is_away_is_named(start_redis: Callable[[], object]) -> None:
    server = start_redis()

    async def work(one: RedisFrontier, other: RedisFrontier) -> None:
        crawl = Crawl(())
        await one.open(crawl, links(2))
        [link, _] = (await one.take(crawl.id, 2, ())).links
        server.kill()  # type: ignore[attr-defined]
        with pytest.raises(FrontierUnavailable, match=crawl.id):
            await one.take(crawl.id, 2, ())
        with pytest.raises(FrontierUnavailable):
            await one.finish(crawl.id, Page(link, 200))
        server.start()  # type: ignore[attr-defined]
        assert await one.finish(crawl.id, Page(link, 200))

    together(server.url, work)  # type: ignore[attr-defined]
