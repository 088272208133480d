"""A host is one replica's at a time, on a real server: shared fairly, handed over at rest, taken from the dead."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import combinations

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from lab_kit.streams import connect
from scraper.adapters.frontier import RedisFrontier
from scraper.adapters.html import parse_page
from scraper.adapters.leases import LeasedFetcher, Leases
from scraper.adapters.robots import parse_robots
from scraper.checks.web import Web
from scraper.contract import Answer, Crawl, Limits, Link, Ports
from scraper.core.shards import shard_of
from scraper.engine import Crawler, run

HOSTS = [f"site-{number}.test" for number in range(40)]
REST, LEASE, PAGES = 0.1, 0.4, 90
LIMITS = Limits(workers=64, per_domain=4, rate=100.0, burst=20, window=256, ahead=16)


@pytest.fixture(scope="module")
def server(start_redis: Callable[[], object]) -> str:
    """Of these tests alone: a service that lives elsewhere would have its share of the hosts."""
    return start_redis().url  # type: ignore[attr-defined, no-any-return]  # a fixture's class has no module


@pytest.fixture
def own_redis(server: str) -> str:
    with SyncRedis.from_url(server) as redis:
        redis.flushall()
    return server


def shared(url: str, work: Callable[[Redis], Awaitable[None]]) -> None:
    """On a connection of its own."""

    async def connected() -> None:
        redis = connect(url)
        try:
            await work(redis)
        finally:
            await redis.aclose()

    asyncio.run(connected())


async def until(happened: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not happened():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)


def hosts_of(leases: Leases) -> set[str]:
    return {host for host in HOSTS if leases.holds(f"http://{host}/")}


def test_replicas_share_the_hosts_and_no_two_have_the_same(own_redis: str) -> None:
    async def work(redis: Redis) -> None:
        replicas = [Leases(redis, rest=0.0) for _ in range(3)]
        await replicas[0].renew()
        assert hosts_of(replicas[0]) == set(HOSTS), "who is alone has all"
        for one in [*replicas, *replicas]:
            await one.renew()
            for left, right in combinations(replicas, 2):
                assert not hosts_of(left) & hosts_of(right)
        assert set().union(*map(hosts_of, replicas)) == set(HOSTS)
        assert min(len(hosts_of(one)) for one in replicas) >= 5
        frontier, crawl = RedisFrontier(redis, replicas[1]), Crawl(())
        await frontier.open(crawl, [Link(f"http://{host}/") for host in HOSTS])
        taken = await frontier.take(crawl.id, 99, ())
        assert {link.url[7:-1] for link in taken.links} == hosts_of(replicas[1]), (
            "only of its own are links taken"
        )
        assert taken.unfinished == len(HOSTS)

    shared(own_redis, work)


def test_who_leaves_a_host_waits_for_its_requests_and_who_gets_it_lets_it_rest(own_redis: str) -> None:
    async def work(redis: Redis) -> None:
        one, other = Leases(redis, rest=0.0), Leases(redis, rest=REST)
        await one.renew()
        for host in HOSTS:
            one.begun(f"http://{host}/")
        for each in (other, one, other):
            await each.renew()
        kept = hosts_of(one)
        assert 0 < len(kept) < len(HOSTS), "of what is due to the other nothing more is asked"
        assert not hosts_of(other), "but the requests to them go on"
        for host in HOSTS:
            one.ended(f"http://{host}/")
        for each in (one, other):
            await each.renew()
        assert not hosts_of(other), "now they rest"
        await until(lambda: hosts_of(other) == set(HOSTS) - kept)

    shared(own_redis, work)


def test_the_dead_know_it_before_the_others(own_redis: str) -> None:
    async def work(redis: Redis) -> None:
        one, other = Leases(redis, rest=REST, seconds=LEASE), Leases(redis, rest=REST, seconds=LEASE)
        await one.renew()
        while hosts_of(one):
            await other.renew()
            assert not hosts_of(one) & hosts_of(other)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(5.0):
            while hosts_of(other) != set(HOSTS):
                await other.renew()
                await asyncio.sleep(0.01)
        await one.renew()
        assert not hosts_of(one), "it comes back, and finds all taken"
        await other.leave()
        await one.renew()
        await until(lambda: hosts_of(one) == set(HOSTS), LEASE)  # who leaves is not waited for

    shared(own_redis, work)


def test_a_host_that_asked_for_rest_gets_it_from_everybody(own_redis: str) -> None:
    async def work(redis: Redis) -> None:
        web = Web()
        web.scripts["http://a.test/"].append(Answer(429, {"retry-after": "120"}))
        first, second = Leases(redis, rest=0.0), Leases(redis, rest=0.0)
        await first.renew()
        await LeasedFetcher(web, first).get("http://a.test/")
        await first.leave()
        await second.renew()
        frontier, crawl = RedisFrontier(redis, second), Crawl(())
        await frontier.open(crawl, [Link("http://a.test/1"), Link("http://b.test/1")])
        assert [link.url for link in (await frontier.take(crawl.id, 9, ())).links] == ["http://b.test/1"]

    shared(own_redis, work)
    with SyncRedis.from_url(own_redis) as redis:
        assert 110 <= redis.ttl("lab:scraper:resting:a.test") <= 120


@pytest.mark.parametrize("host", ["a.test", "www.a.test", "xn--bcher-kva.test", "::1", "127.0.0.1"])
def test_redis_and_we_put_a_host_into_the_same_shard(own_redis: str, host: str) -> None:
    async def work(redis: Redis) -> None:
        leases = Leases(redis, rest=0.0)
        leases.held = lambda: "".join("01"[shard == shard_of(host)] for shard in range(256))  # type: ignore[method-assign]  # that shard alone
        frontier, crawl = RedisFrontier(redis, leases), Crawl(())
        name = f"[{host}]" if ":" in host else host
        await frontier.open(crawl, [Link(f"http://{name}:8080/")])
        assert len((await frontier.take(crawl.id, 9, ())).links) == 1

    shared(own_redis, work)


class Replica:
    """An engine with its share of the hosts. Once lost it is not heard of any more, and knows nothing of that."""

    def __init__(self, redis: Redis, web: Web) -> None:
        self.leases = Leases(redis, LIMITS.burst / LIMITS.rate, LEASE)
        self.frontier = RedisFrontier(redis, self.leases)
        self.engine = Crawler(
            Ports(
                fetcher=LeasedFetcher(web, self.leases),
                frontier=self.frontier,
                parse_page=parse_page,
                parse_robots=parse_robots,
                offload=asyncio.to_thread,
                ours=self.leases.holds,
            ),
            LIMITS,
        )

    async def start(self, crawl: Crawl) -> None:
        await self.leases.renew()
        self.beating = asyncio.create_task(self.frontier.beat())
        await self.engine.start([crawl])

    async def lose(self) -> None:
        """Nobody hears that it leaves."""
        self.leases.leave = asyncio.Event().wait  # type: ignore[assignment, method-assign]  # it dies
        self.beating.cancel()

    async def stop(self) -> None:
        self.beating.cancel()
        await self.engine.stop(0.0)


def excess(times: Sequence[float]) -> float:
    """By how many requests the fullest window is fuller than it may be."""
    rate, burst = LIMITS.rate, LIMITS.burst
    spans = combinations(enumerate(times), 2)
    return max((last - first + 1) - (burst + rate * (end - begin)) for (first, begin), (last, end) in spans)


def test_no_host_is_asked_faster_than_by_one_when_replicas_come_and_are_lost(
    own_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "POLL_SECONDS", 0.02)  # so that nobody rests for want of news

    async def work(redis: Redis) -> None:
        web = Web(latency=0.002)
        seeds = tuple(web.site(host, PAGES) for host in HOSTS[:8])
        crawl = Crawl(seeds)
        one, other = Replica(redis, web), Replica(redis, web)
        await one.start(crawl)
        await until(lambda: len(web.asked) > 150)
        await other.start(crawl)
        await until(lambda: any(hosts_of(other.leases)) and len(web.asked) > 350)
        await one.lose()
        await until(lambda: other.engine.status(crawl.id).state.final)
        for replica in (one, other):
            await replica.stop()
        for host in HOSTS[:8]:
            times = [asked.at for asked in web.requests(host, robots=True)]
            assert len({asked.url for asked in web.requests(host)}) == PAGES
            assert excess(times) <= 0.1, f"{host} was asked more often than its bucket allows"
        assert (await other.frontier.counts(crawl.id))["done"] == 8 * PAGES

    shared(own_redis, work)
