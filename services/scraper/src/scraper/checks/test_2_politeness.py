"""No host is asked more than it wants."""

import asyncio
from dataclasses import replace

from lab.grader import Conclude, requires
from lab.grader.coroutines import in_virtual_time
from scraper.checks.web import Asked, Web
from scraper.checks.world import LIMITS, World
from scraper.contract import Answer, ConnectionLost, Crawler


def test_rate_is_never_exceeded(engine: type[Crawler], conclude: Conclude) -> None:
    """In any s seconds a host gets at most burst + rate * s requests, also while workers are scarce, and no fewer
    than the rate where there is enough to do."""

    async def work() -> None:
        web = Web()
        web.slow["http://hog.test/"] = (
            20.0  # meanwhile no worker is free, and tokens must not pile up in hands
        )
        web.site("a.test", 40)
        web.page("http://hog.test/")
        limits = replace(LIMITS, rate=2.0, burst=3, workers=1, per_domain=8, ahead=16)
        async with World(engine, limits, web) as world:
            await world.crawl("http://hog.test/", "http://a.test/")
            times = [one.at for one in web.requests("a.test", robots=True)]
            requires(len(times) == 41, "a crawl of all pages")
            worst = max(
                (j - i + 1) - (3 + 2.0 * (times[j] - times[i]))
                for i in range(len(times))
                for j in range(i, len(times))
            )
            assert worst <= 1e-3, f"burst 3 and 2 a second were exceeded by {worst:.1f} requests"
            took = times[-1] - times[0]
            assert took <= 45.0, f"41 requests at 2 a second took {took:.0f} s"

    conclude(in_virtual_time(work))


def test_hosts_and_workers_are_bounded(engine: type[Crawler], conclude: Conclude) -> None:
    """Of each host at most `per_domain` requests go on at once, and at most `workers` in all; no fewer where there
    is enough to do."""

    async def work() -> None:
        web = Web(latency=1.0)
        hosts = [f"{name}.test" for name in "abcdef"]
        async with World(engine, web=web) as world:
            await world.crawl(*(web.site(host, 12) for host in hosts))
            most = {host: web.most[host] for host in ("", *hosts)}
            assert most.pop("") == 8, f"8 workers are the limit, {web.most['']} requests went on at once"
            assert set(most.values()) == {2}, f"2 at once are the limit of each host: {most}"

    conclude(in_virtual_time(work))


def test_robots_txt_is_obeyed(engine: type[Crawler], conclude: Conclude) -> None:
    """Nothing that robots.txt disallows is asked for, linked or redirected to, there or on another host; and
    robots.txt itself is asked for once for each origin, before anything else."""

    async def work() -> None:
        web = Web()
        rules = "User-agent: *\nDisallow: /private/\nAllow: /private/press\n"
        for host in ("a.test", "b.test"):
            web.robots(host, rules)
            web.page(f"http://{host}/private/x")
        web.page("http://a.test/", "/private/x", "/private/press", "/go", *(f"/{n}" for n in range(20)))
        web.page("http://a.test/private/press")
        web.redirect("http://a.test/go", "http://b.test/private/x")
        for number in range(20):
            web.page(f"http://a.test/{number}", "http://b.test/ok")
        web.page("http://b.test/ok")
        async with World(engine, web=web) as world:
            await world.crawl("http://a.test/", "http://a.test/1", "http://a.test/2")
            for host in ("a.test", "b.test"):
                asked = [one.url for one in web.requests(host, robots=True)]
                assert not web.times(f"http://{host}/private/x"), f"{host} disallows /private/x"
                assert asked[0].endswith("/robots.txt"), f"the first thing asked of {host} was {asked[0]}"
                count = web.times(f"http://{host}/robots.txt")
                assert count == 1, f"robots.txt of {host} was asked for {count} times"
            assert web.times("http://a.test/private/press") == 1, (
                "/private/press is allowed: the longest match wins"
            )
            assert "robots" in world.errors(), "what is disallowed is kept as a page with the error 'robots'"

    conclude(in_virtual_time(work))


def test_robots_txt_in_trouble(engine: type[Crawler], conclude: Conclude) -> None:
    """Without a robots.txt (4xx) all is allowed; while the server fails or cannot be reached, nothing is, and what
    was to be fetched is fetched later; five redirects are followed (RFC 9309, 2.3.1)."""

    async def work() -> None:
        web = Web()
        for host in ("none.test", "failing.test", "lost.test", "moved.test"):
            web.page(f"http://{host}/")
        web.scripts["http://failing.test/robots.txt"].append(Answer(503, {}))
        web.scripts["http://lost.test/robots.txt"].append(ConnectionLost("reset"))
        web.redirect("http://moved.test/robots.txt", "/0")
        for number in range(4):
            web.redirect(f"http://moved.test/{number}", f"/{number + 1}")
        web.answers["http://moved.test/4"] = Answer(200, {}, b"User-agent: *\nDisallow: /")
        async with World(engine, web=web) as world:
            await world.begin(
                *(f"http://{host}/" for host in ("none.test", "failing.test", "lost.test", "moved.test"))
            )
            await asyncio.sleep(20.0)
            early = [one.url for one in web.requests("failing.test") + web.requests("lost.test")]
            assert not early, f"nobody knew what is allowed, and it asked for {early}"
            assert web.times("http://none.test/") == 1, "a robots.txt that is missing (404) allows all"
            await asyncio.sleep(400.0)
            await world.crawler.stop(0.0)
            later = [web.times(f"http://{host}.test/") for host in ("failing", "lost")]
            assert later == [1, 1], f"when robots.txt can be had again, the page should be fetched: {later}"
            assert not web.times("http://moved.test/"), (
                "after five redirects there is a robots.txt, and it disallows all"
            )

    conclude(in_virtual_time(work))


def test_retry_after_slows_the_host(engine: type[Crawler], conclude: Conclude) -> None:
    """After a 429 with Retry-After the whole host rests for so long, and no other."""

    async def work() -> None:
        web = Web()
        seeds = [web.site("a.test", 20), web.site("b.test", 20)]
        limits = replace(LIMITS, rate=4.0, burst=1)
        web.scripts["http://a.test/5"].append(Answer(429, {"retry-after": "60"}))
        async with World(engine, limits, web) as world:
            await world.crawl(*seeds)
            [asked, *again] = [one for one in web.requests("a.test") if one.url == "http://a.test/5"]
            assert asked.until is not None
            soon = [one.url for one in web.requests("a.test") if asked.until < one.at < asked.until + 59.9]
            assert not soon, f"a.test asked for 60 s of rest, and was asked for {soon}"
            assert len(again) == 1, (
                f"what was answered with 429 should be asked for again, once: {len(again)}"
            )
            assert _last(web.requests("b.test")) < 30.0, "b.test had to wait for a.test"

    conclude(in_virtual_time(work))


def _last(requests: list[Asked]) -> float:
    return max(one.at for one in requests)
