"""What is fetched is what should be, and each of it once."""

from lab.grader import Conclude
from lab.grader.coroutines import in_virtual_time
from scraper.checks.web import Web
from scraper.checks.world import World
from scraper.contract import Answer, Crawler, State

HOST = "http://a.test"


def test_every_page_comes_once(engine: type[Crawler], conclude: Conclude) -> None:
    """Every page that links lead to is fetched and kept once, however its URL is written; then the crawl ends."""

    async def work() -> None:
        web = Web()
        web.page(
            f"{HOST}/", "/b", "b#top", "HTTP://A.TEST:80/b", "/x/../c", "//a.test/%63", "http://b.test/d"
        )
        web.page(f"{HOST}/b", "/", "?q=1", "mailto:me@a.test", "http://[broken")
        for path in ("/c", "/b?q=1"):
            web.page(f"{HOST}{path}", "/c", "/b")
        web.page("http://b.test/d", f"{HOST}/c")
        async with World(engine, web=web) as world:
            status = await world.crawl(f"{HOST}/")
            wanted = sorted(web.answers)
            assert world.fetched() == wanted, f"the pages are {wanted}, kept were {world.fetched()}"
            twice = [url for url in wanted if web.times(url) != 1]
            assert not twice, f"asked for more than once: {twice}"
            assert (status.state, status.fetched, status.unfinished) == (State.DONE, 5, 0), (
                f"status says {status}"
            )
            assert [end.state for end in world.ended] == [State.DONE], f"its end was told as {world.ended}"

    conclude(in_virtual_time(work))


def test_links_are_followed_as_asked(engine: type[Crawler], conclude: Conclude) -> None:
    """No link is followed below the crawl's depth, nor where the page, the link or X-Robots-Tag says nofollow; a
    page that says noindex is kept as such."""

    async def work() -> None:
        web = Web()
        web.page(f"{HOST}/", "/meta", "/tag", "/none", "/1", head="<base href='http://a.test/'>")
        web.page(f"{HOST}/meta", "/hidden-1", head="<meta name='robots' content='noindex, nofollow'>")
        web.page(f"{HOST}/tag", "/hidden-2", headers={"x-robots-tag": "nofollow"})
        web.page(f"{HOST}/none", "/deep", headers={"x-robots-tag": "otherbot: none, noindex"})
        web.page(f"{HOST}/1", "/2")
        web.page(f"{HOST}/2", "/3")
        async with World(engine, web=web) as world:
            await world.crawl(f"{HOST}/", depth=2)
            asked = {one.url.removeprefix(HOST) for one in web.requests("a.test")}
            wanted = {"/", "/meta", "/tag", "/none", "/1", "/2", "/deep"}
            assert asked == wanted, f"{sorted(wanted)} should be asked for, it was {sorted(asked)}"
            hidden = {page.link.url.removeprefix(HOST) for page in world.pages if not page.index}
            assert hidden == {"/meta"}, f"only /meta says noindex to us, kept as noindex are {hidden}"

    conclude(in_virtual_time(work))


def test_redirects_end(engine: type[Crawler], conclude: Conclude) -> None:
    """The target of a redirect is fetched once, as if it were linked: a loop ends, a chain too long is left."""

    async def work() -> None:
        web = Web()
        web.page(f"{HOST}/", "/short", "/target", "/loop-0", "/chain-0", "/away")
        web.redirect(f"{HOST}/short", "/target", 301)
        web.page(f"{HOST}/target")
        for number in range(3):
            web.redirect(f"{HOST}/loop-{number}", f"/loop-{(number + 1) % 3}")
        for number in range(9):
            web.redirect(f"{HOST}/chain-{number}", f"/chain-{number + 1}")
        web.redirect(f"{HOST}/away", "http://127.0.0.1/secret")
        async with World(engine, web=web) as world:
            status = await world.crawl(f"{HOST}/")
            assert status.state is State.DONE, f"the crawl is {status.state} after ten minutes"
            times = {
                url: web.times(url) for url in (f"{HOST}/target", *(f"{HOST}/loop-{n}" for n in range(3)))
            }
            assert set(times.values()) == {1}, f"each should be asked for once: {times}"
            assert not web.times("http://127.0.0.1/secret"), (
                "it followed a redirect to a host that is not allowed"
            )
            steps = sum("/chain-" in one.url for one in web.asked)
            assert steps == world.limits.redirects + 1, (
                f"{steps - 1} redirects of a chain were followed, not 5"
            )

    conclude(in_virtual_time(work))


def test_traps_are_left(engine: type[Crawler], conclude: Conclude) -> None:
    """A crawl comes to an end where a site has none: its bounds on pages hold, for the crawl and for each host."""

    async def work() -> None:
        for bounds, wanted in (({"domain_pages": 20}, 40), ({"pages": 30}, 30)):
            web = Endless()
            async with World(engine, web=web) as world:
                status = await world.crawl("http://trap.test/0", "http://b.test/0", **bounds)
                assert status.state is State.DONE, f"the crawl is {status.state} after ten minutes"
                trapped = len(web.requests("trap.test"))
                assert trapped <= 20, f"{bounds}: {trapped} pages of trap.test were asked for"
                assert len(world.pages) == wanted, (
                    f"{bounds}: {wanted} pages should be kept, not {len(world.pages)}"
                )

    conclude(in_virtual_time(work))


class Endless(Web):
    """Each page links to two more."""

    async def get(self, url: str) -> Answer:
        answer = await super().get(url)
        if url.endswith("/robots.txt"):
            return answer
        number = int(url.rpartition("/")[2])
        body = f"<a href='/{2 * number + 1}'>x</a><a href='/{2 * number + 2}'>x</a>"
        return Answer(200, {"content-type": "text/html"}, body.encode())
