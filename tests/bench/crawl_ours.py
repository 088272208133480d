"""The reference engine with everything on: robots.txt, buckets, breakers, retries, metrics, pages kept."""

import argparse
import asyncio
import gc
import time
from dataclasses import fields
from typing import Any
from urllib.parse import urlsplit

import uvloop
from crawl_pages import LINK, said
from redis.asyncio import Redis

from lab_kit.coroutines import measured
from lab_kit.metrics import Metrics
from lab_kit.streams import connect
from lab_kit.timeline import Timeline
from scraper.adapters.fetcher import HttpFetcher
from scraper.adapters.frontier import RedisFrontier
from scraper.adapters.hosts import AllowedHosts
from scraper.adapters.leases import LeasedFetcher, Leases
from scraper.adapters.memory import MemoryFrontier
from scraper.adapters.registry import Registry
from scraper.adapters.robots import parse_robots
from scraper.contract import Crawl, Found, Limits, Page, Ports, Status
from scraper.engine import Crawler
from scraper.metrics import FetchMetrics


def parse(body: bytes, content_type: str) -> Found:
    return Found(hrefs=[path.decode() for path in LINK.findall(body)])


async def replica(redis: Redis, http: HttpFetcher) -> dict[str, Any]:
    """The ports of an engine that shares its crawls and hosts with others."""
    leases = Leases(
        redis, rest=0.0
    )  # the one of the round before has gone, and nobody's bucket is to be filled
    await leases.renew()
    return {
        "frontier": RedisFrontier(redis, leases),
        "fetcher": LeasedFetcher(http, leases),
        "ours": leases.holds,
    }


async def crawl(seed: str, workers: int, redis_url: str) -> str:
    urls: set[str] = set()

    def keep(page: Page) -> None:
        if page.error is None:
            urls.add(page.link.url)

    redis = connect(redis_url) if redis_url else None
    metrics, timeline, ended = Metrics("scraper"), Timeline(), asyncio.Event()
    common = measured(metrics.of("reference", timeline), workers, timeline)
    hosts = AllowedHosts([urlsplit(seed).netloc], seed)
    http = HttpFetcher(hosts, connections=workers)
    shared = await replica(redis, http) if redis else {"frontier": MemoryFrontier(keep), "fetcher": http}
    beating = [asyncio.create_task(shared["frontier"].beat())] if redis else []

    def finished(status: Status) -> None:
        ended.set()

    ports = Ports(
        **{one.name: getattr(common, one.name) for one in fields(common)},
        **shared | {"fetcher": FetchMetrics(metrics).wrap(shared["fetcher"], "reference", time.perf_counter)},
        parse_page=parse,
        parse_robots=parse_robots,
        offload=asyncio.to_thread,
        allowed=hosts.allows,
        finished=finished,
    )
    limits = Limits(workers=workers, per_domain=workers, rate=1e6, burst=1_000_000, window=2 * workers)
    crawler = Crawler(ports, limits)
    await crawler.start([])
    wanted = Crawl((seed,), depth=100, pages=1_000_000, domain_pages=1_000_000)
    began = time.perf_counter()
    await crawler.submit(wanted)
    await ended.wait()
    seconds = time.perf_counter() - began
    await crawler.stop(0.0)
    await http.close()
    for beat in beating:
        beat.cancel()
    await asyncio.gather(*beating, return_exceptions=True)
    if redis:
        urls = {page["url"] async for page in Registry(redis).every_page(wanted.id) if not page["error"]}
        await redis.aclose()
    return said(urls, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed")
    parser.add_argument("workers", type=int)
    parser.add_argument("--redis", default="")
    options = parser.parse_args()
    gc.freeze()  # as `lab_kit.shell.serve` does
    gc.set_threshold(20_000)  # as `scraper.__main__` does
    print(uvloop.run(crawl(options.seed, options.workers, options.redis)))
