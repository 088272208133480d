"""Users who begin, stop and change their minds; and those who come after."""

import asyncio
from dataclasses import replace

from lab.grader import Conclude, requires
from lab.grader.coroutines import cancelled_everywhere, in_virtual_time
from scraper.checks.web import HTML, Web
from scraper.checks.world import LARGE, LIMITS, World
from scraper.contract import Answer, Busy, Conflict, Crawl, Crawler, InvalidCrawl, State, UnknownCrawl

HOST = "http://a.test"


def test_one_site_starves_none(engine: type[Crawler], conclude: Conclude) -> None:
    """However many links of a large, slow site wait, small sites have their share, and near pages come first."""

    async def work() -> None:
        web = Web()
        large = web.site("large.test", 500)
        web.page("http://hub.test/", *(web.site(f"small-{number}.test", 10) for number in range(6)))
        web.slow["http://hub.test/"] = 10.0  # meanwhile the links of large.test are all there are
        web.slow.update({f"http://large.test/{number}": 5.0 for number in range(500)})
        async with World(engine, replace(LIMITS, workers=4), web) as world:
            status = await world.begin(large, "http://hub.test/")
            await world.until(lambda: len(world.fetched("small-")) == 60, status, 300.0)
            now, done = world.now(), len(world.fetched("small-"))
            await world.crawler.stop(0.0)
            assert done == 60, f"{done} of 60 pages of small sites were fetched in 5 minutes"
            assert now < 40.0, f"60 pages of small sites took {now:.0f} s beside a large one"

    conclude(in_virtual_time(work))


def test_a_large_page_holds_up_nobody(engine: type[Crawler], conclude: Conclude) -> None:
    """While a large page is parsed, the loop goes on."""

    async def work() -> None:
        web = Web()
        web.page(f"{HOST}/", "/large")
        web.answers[f"{HOST}/large"] = Answer(200, HTML, b"<a href='/end'>x</a>".ljust(LARGE))
        web.page(f"{HOST}/end")
        async with World(engine, web=web) as world:
            await world.crawl(f"{HOST}/")
            requires(f"{HOST}/large" in [one.url for one in web.asked], "a request for the large page")
            assert f"{HOST}/end" in world.fetched(), "the link on the large page was not followed"

    conclude(in_virtual_time(work))


def test_pause_stops_and_resume_goes_on(engine: type[Crawler], conclude: Conclude) -> None:
    """A paused crawl begins nothing new; resumed, it goes on where it was. Others go on meanwhile."""

    async def work() -> None:
        web = Web()
        async with World(engine, replace(LIMITS, rate=5.0, burst=1), web) as world:
            status = await world.begin(web.site("a.test", 60))
            name = status.crawl.id
            await asyncio.sleep(3.0)
            await world.crawler.pause(name)
            paused = world.now()
            await asyncio.sleep(20.0)
            assert world.crawler.status(name).state is State.PAUSED, "status says it is not paused"
            requires(len([one for one in web.asked if one.at < paused]) < 40, "a pause before the end")
            other = await world.submit(web.site("b.test", 5))
            await asyncio.sleep(60.0)
            assert world.crawler.status(other.crawl.id).state is State.DONE, (
                "another crawl waits for the paused one"
            )
            new = [one.at for one in web.requests("a.test") if one.at > paused + 0.5]
            assert not new, f"{len(new)} requests began while it was paused"
            await world.crawler.resume(name)
            await world.until(lambda: world.crawler.status(name).state.final, status)
            await world.crawler.stop(0.0)
            assert len(world.fetched("a.test")) == 60, (
                f"{len(world.fetched('a.test'))} of 60 pages in the end"
            )

    conclude(in_virtual_time(work))


def test_cancel_leaves_nothing(engine: type[Crawler], conclude: Conclude) -> None:
    """When `cancel` returns, no request and no task of the crawl is left, and nothing begins afterwards."""

    async def work() -> None:
        web = Web(latency=5.0)
        async with World(engine, web=web) as world:
            status = await world.begin(web.site("a.test", 40), web.site("b.test", 40))
            await asyncio.sleep(13.0)
            requires(web.open[""] > 0, "a request at the moment of the cancellation")
            tasks = len(asyncio.all_tasks())
            await world.crawler.cancel(status.crawl.id)
            assert not web.open[""], f"{web.open['']} requests go on after cancel returned"
            assert len(asyncio.all_tasks()) < tasks, "the tasks of the crawl go on after cancel returned"
            before = len(web.asked)
            await asyncio.sleep(60.0)
            assert len(web.asked) == before, f"{len(web.asked) - before} requests after cancel returned"
            assert world.crawler.status(status.crawl.id).state is State.CANCELLED
            await world.crawler.stop(0.0)

    conclude(in_virtual_time(work))


def test_cancellation_anywhere_leaks_nothing(engine: type[Crawler], conclude: Conclude) -> None:
    """Whoever uses the engine may be cancelled at any await: afterwards `stop` leaves no task, no request and no
    link in anybody's hands."""

    async def make() -> World:
        web = Web()
        web.site("a.test", 6)
        return World(engine, web=web)

    async def operate(world: World) -> None:
        status = await world.begin(f"{HOST}/")
        await asyncio.sleep(0.25)
        await world.crawler.pause(status.crawl.id)
        await world.crawler.resume(status.crawl.id)
        await world.crawler.cancel(status.crawl.id)
        other = await world.submit(f"{HOST}/1", f"{HOST}/2")
        await asyncio.sleep(0.15)
        await world.crawler.stop(0.05)
        world.crawler.status(other.crawl.id)

    async def judge(world: World) -> None:
        await world.crawler.stop(0.0)
        assert not world.web.open[""], f"{world.web.open['']} requests are left"
        assert not world.frontier.held(), f"nobody has these links any more: {world.frontier.held()}"
        mine = [task for task in asyncio.all_tasks() if "scraper" in repr(task.get_coro())]
        mine += [task for task in asyncio.all_tasks() if task.get_name() in ("crawl", "page")]
        assert not mine, f"tasks are left: {mine}"

    async def undo(world: World) -> None:
        await world.crawler.stop(0.0)

    async def uncancelled() -> None:
        async with await make() as world:
            await operate(world)
            await judge(world)

    conclude(in_virtual_time(uncancelled))
    conclude(cancelled_everywhere(make, operate, judge, undo))


def test_stop_loses_nothing(engine: type[Crawler], conclude: Conclude) -> None:
    """By the deadline every link is finished or given back; another engine finishes the crawl, each page once."""

    async def work() -> None:
        web = Web(latency=1.0)
        async with World(engine, web=web) as world:
            status = await world.begin(web.site("a.test", 30))
            await asyncio.sleep(4.6)
            began = world.now()
            unfinished = await world.crawler.stop(0.6)
            took = world.now() - began
            assert took <= 0.7, f"the deadline was after 0.6 s, and stop took {took:.1f} s"
            assert [crawl.id for crawl in unfinished] == [status.crawl.id], f"stop returned {unfinished}"
            assert not world.frontier.held(), f"{len(world.frontier.held())} links were not given back"
            try:
                await world.submit(f"{HOST}/")
            except Busy:
                pass
            else:
                raise AssertionError("an engine that was stopped accepted a crawl")
            world.crawler = world.build()
            await world.crawler.start(unfinished)
            await world.until(lambda: world.crawler.status(status.crawl.id).state.final, status)
            await world.crawler.stop(0.0)
            assert len(world.pages) == len(world.fetched()) == 30, f"{len(world.pages)} pages of 30 were kept"

    conclude(in_virtual_time(work))


def test_mistakes_change_nothing(engine: type[Crawler], conclude: Conclude) -> None:
    """What cannot be crawled, a crawl nobody knows, a second one of the same name, one too many, or a request that
    comes too late is refused by the error the contract names."""

    async def work() -> None:
        web = Web()
        async with World(engine, replace(LIMITS, crawls=2), web) as world:
            crawler = world.crawler
            await crawler.start([])
            for seeds in ((), ("ftp://a.test/",), ("http://[broken",), ("http://127.0.0.1/",)):
                await _raises(InvalidCrawl, crawler.submit(Crawl(seeds)), f"submit with seeds {seeds}")
            await _raises(UnknownCrawl, crawler.pause("x"), "pause of an unknown crawl")
            one, two, three = (Crawl((f"{HOST}/{number}",), id=str(number)) for number in range(3))
            web.latency = 5.0
            await crawler.submit(one)
            await _raises(Conflict, crawler.submit(one), "submit of the same crawl again")
            await crawler.submit(two)
            await _raises(Busy, crawler.submit(three), "submit of a third crawl where two are the limit")
            await _raises(Conflict, crawler.resume("0"), "resume of a crawl that runs")
            await crawler.cancel("0")
            await _raises(Conflict, crawler.cancel("0"), "cancel of a cancelled crawl")
            await asyncio.sleep(60.0)
            await _raises(Conflict, crawler.pause("1"), "pause of a crawl that is done")
            await crawler.stop(0.0)

    conclude(in_virtual_time(work))


async def _raises(kind: type[Exception], call: object, what: str) -> None:
    try:
        await call  # type: ignore[misc]  # a coroutine
    except kind:
        return
    raise AssertionError(f"{what} should raise {kind.__name__}")
