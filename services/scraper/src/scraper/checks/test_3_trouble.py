"""A host in trouble is helped by being left alone, and others do not suffer with it."""

import asyncio
from dataclasses import replace

from lab.grader import Conclude, requires
from lab.grader.coroutines import in_virtual_time
from scraper.checks.web import Asked, Web
from scraper.checks.world import LIMITS, World
from scraper.contract import Answer, ConnectionLost, Crawler, State, TimedOut, TooLarge

HOST = "http://a.test"
ALL_AT_ONCE = replace(LIMITS, per_domain=8, ahead=64)


def test_failures_are_retried(engine: type[Crawler], conclude: Conclude) -> None:
    """What may pass (5xx, a lost connection, a timeout) is tried again, at most `retries` times, after waits that
    chance spreads; what will not (404, a body too large) is not."""

    async def work() -> None:
        web = Web()
        web.page(
            f"{HOST}/", "/503", "/lost", "/late", "/404", "/large", "/never", *(f"/ok-{n}" for n in range(60))
        )
        for number in range(60):
            web.page(f"{HOST}/ok-{number}")
        for name, trouble in (
            ("503", Answer(503, {})),
            ("lost", ConnectionLost("reset")),
            ("late", TimedOut("late")),
        ):
            web.page(f"{HOST}/{name}")
            web.scripts[f"{HOST}/{name}"] += [trouble, trouble]
        web.scripts[f"{HOST}/large"].append(TooLarge("too large"))
        web.scripts[f"{HOST}/never"] += [Answer(500, {})] * 9
        # All links are in hand at once, so that nothing but a retry's own pause lies between two attempts.
        limits = replace(LIMITS, breaker_calls=1000, retry_budget=1.0, ahead=LIMITS.window)
        async with World(engine, limits, web) as world:
            await world.crawl(f"{HOST}/")
            times = {
                name: web.times(f"{HOST}/{name}") for name in ("503", "lost", "late", "404", "large", "never")
            }
            wanted = {"503": 3, "lost": 3, "late": 3, "404": 1, "large": 1, "never": 4}
            assert times == wanted, f"how often each should be asked for: {wanted}; it was {times}"
            waits = [second.at - first.at for first, second in _repeated(web)]
            assert len({round(wait, 3) for wait in waits}) > len(waits) // 2, f"all waits are alike: {waits}"

    conclude(in_virtual_time(work))


def test_retries_have_a_budget(engine: type[Crawler], conclude: Conclude) -> None:
    """Where everything fails, retries stay a fraction of the requests instead of multiplying them."""

    async def work() -> None:
        web = Web()
        web.page(f"{HOST}/", *(f"/{number}" for number in range(100)))
        web.answers.update({f"{HOST}/{number}": Answer(500, {}) for number in range(100)})
        async with World(engine, replace(LIMITS, breaker_calls=1000), web) as world:
            status = await world.crawl(f"{HOST}/")
            requires(status.state is State.DONE, "an end of the crawl")
            asked = len(web.requests("a.test"))
            assert asked <= 140, (
                f"101 pages with a budget of 20 % retries, and at first ten: {asked} requests"
            )

    conclude(in_virtual_time(work))


def test_breaker_spares_a_dead_host(engine: type[Crawler], conclude: Conclude) -> None:
    """A host that fails is left alone, its links are given up in the end, and the crawl ends; a healthy host is
    crawled meanwhile as if nothing had happened."""

    async def work() -> None:
        web = Web()
        seeds = [web.page("http://a.test/", *(f"/{n}" for n in range(300))), web.site("b.test", 100)]
        async with World(engine, web=web) as world:
            world_down_after(web, "http://a.test/")
            status = await world.crawl(*seeds, seconds=7200.0)
            asked = len(web.requests("a.test"))
            assert asked <= 40, f"a.test was dead, and was asked {asked} times"
            assert len(world.fetched("b.test")) == 100, "b.test is healthy, and was not crawled"
            assert _ended(web.requests("b.test")) < 60.0, "b.test had to wait for a.test"
            assert status.state is State.DONE, "the links of a dead host should be given up in the end"

    conclude(in_virtual_time(work))


def test_half_open_lets_one_probe_out(engine: type[Crawler], conclude: Conclude) -> None:
    """When a breaker is open nothing goes out; when it is half-open exactly one request does, however many wait,
    until that has ended."""

    async def work() -> None:
        web = Web()
        web.page(f"{HOST}/", *(f"/{number}" for number in range(40)))
        world_down_after(web, f"{HOST}/")
        async with World(engine, ALL_AT_ONCE, web) as world:
            await world.begin(f"{HOST}/")
            await asyncio.sleep(15.0)
            before = len(web.asked)
            requires(before >= 6, "enough failures to open the breaker")
            web.slow.update({f"{HOST}/{number}": 10.0 for number in range(40)})
            await asyncio.sleep(14.0)
            probes = len(web.asked) - before
            await world.crawler.stop(0.0)
            assert before <= 25, (
                f"after 5 failures in 5 requests nothing should go out; {before} requests did"
            )
            assert probes == 1, f"one probe should go out when the breaker is half-open, and {probes} did"

    conclude(in_virtual_time(work))


def test_only_the_probe_closes_the_breaker(engine: type[Crawler], conclude: Conclude) -> None:
    """A success of a request that was sent before the breaker opened says nothing about now."""

    async def work() -> None:
        web = Web()
        web.page(f"{HOST}/", "/old", *(f"/{number}" for number in range(40)))
        web.page(f"{HOST}/old")
        web.slow[f"{HOST}/old"] = 8.0
        web.scripts[f"{HOST}/old"].append(web.answers[f"{HOST}/old"])
        world_down_after(web, f"{HOST}/")
        async with World(engine, ALL_AT_ONCE, web) as world:
            await world.begin(f"{HOST}/")
            await asyncio.sleep(7.0)
            requires(web.open["a.test"] == 1, "a request that is still on its way")
            before = len(web.asked)
            await asyncio.sleep(8.0)
            after = len(web.asked) - before
            await world.crawler.stop(0.0)
            assert not after, (
                f"an old request succeeded, and {after} went out although the breaker had opened since"
            )

    conclude(in_virtual_time(work))


def test_a_lost_probe_wedges_nothing(engine: type[Crawler], conclude: Conclude) -> None:
    """When the probe is cancelled, another one goes out: the host is not lost for ever."""

    async def work() -> None:
        web = Web()
        web.page(f"{HOST}/", *(f"/{number}" for number in range(10)))
        for number in range(10):
            web.page(f"{HOST}/{number}")
        world_down_after(web, f"{HOST}/")
        async with World(engine, ALL_AT_ONCE, web) as world:
            first = await world.begin(f"{HOST}/")
            await asyncio.sleep(15.0)
            web.slow.update({f"{HOST}/{number}": 1000.0 for number in range(10)})
            status = await world.until(lambda: web.open["a.test"] == 1, first, 30.0)
            assert not status.state.final, "the host is down, and its links were given up within a minute"
            requires(web.open["a.test"] == 1, "a probe")
            await world.crawler.cancel(first.crawl.id)
            web.down.clear()
            web.slow.clear()
            await world.submit(f"{HOST}/3")
            await asyncio.sleep(150.0)
            await world.crawler.stop(0.0)
            assert f"{HOST}/3" in world.fetched(), "the host is well again, and nobody asks it any more"

    conclude(in_virtual_time(work))


def world_down_after(web: Web, seed: str) -> None:
    """robots.txt and the seed are answered, then the host is down."""
    web.robots("a.test", "")
    web.scripts[f"{HOST}/robots.txt"].append(web.answers[f"{HOST}/robots.txt"])
    web.scripts[seed].append(web.answers[seed])
    web.down.add("a.test")


def _repeated(web: Web) -> list[tuple[Asked, Asked]]:
    """Each request and the next for the same URL."""
    last: dict[str, Asked] = {}
    pairs = []
    for asked in web.asked:
        if asked.url in last:
            pairs.append((last[asked.url], asked))
        last[asked.url] = asked
    return pairs


def _ended(requests: list[Asked]) -> float:
    return max(one.until or 0.0 for one in requests)
