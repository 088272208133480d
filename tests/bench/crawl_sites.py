"""Sites on one address that note who is asked for what and when, served by a thread."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aiohttp import web

__all__ = ["Sites"]

LATENCY = 0.05  # seconds of each page, so that some are always on their way
ROBOTS = "User-agent: *\nDisallow: /private/\n"


class Sites:
    """`sites` virtual hosts of `pages` pages each; from the first page of a host its others can be reached."""

    def __init__(self, sites: int, pages: int) -> None:
        self._pages = pages
        self.hosts = [f"site-{number}.lab.test" for number in range(1, sites + 1)]
        self.asked: Counter[str] = Counter()
        self.times: dict[str, list[float]] = {host: [] for host in self.hosts}
        self._loop = asyncio.new_event_loop()

    @property
    def urls(self) -> set[str]:
        """All there are."""
        return {f"http://{host}/{number}" for host in self.hosts for number in range(1, self._pages + 1)}

    def excess(self, rate: float, burst: float) -> float:
        """By how many requests to a host the fullest of all windows was above burst + rate x its seconds."""
        return max(_excess(times, rate, burst) for times in self.times.values())

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The address of all of them."""
        app = web.Application()
        app.router.add_get("/{number}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            port = asyncio.run_coroutine_threadsafe(_begun(runner), self._loop).result(10)
            yield f"http://127.0.0.1:{port}"
        finally:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    async def _answer(self, request: web.Request) -> web.Response:
        number = request.match_info["number"]
        self.times[request.host].append(time.monotonic())
        if number == "robots.txt":
            return web.Response(text=ROBOTS)
        await asyncio.sleep(LATENCY)
        self.asked[f"http://{request.host}/{number}"] += 1
        return web.Response(text=self._page(request.host, int(number)), content_type="text/html")

    def _page(self, host: str, number: int) -> str:
        chance = random.Random(f"{host} {number}")
        near = [one for one in (2 * number, 2 * number + 1) if one <= self._pages]
        targets = [f"/{one}" for one in (*near, *(chance.randint(1, self._pages) for _ in range(3)))]
        targets.append(f"http://{chance.choice(self.hosts)}/1")
        links = "".join(f'<a href="{target}">x</a>' for target in targets)
        return f"<!doctype html><title>{number}</title>{links}"


def _excess(times: Sequence[float], rate: float, burst: float) -> float:
    least, most = float("inf"), float("-inf")
    for number, at in enumerate(times):
        level = number - rate * at
        least = min(least, level)
        most = max(most, level + 1 - least)
    return most - burst


async def _begun(runner: web.AppRunner) -> int:
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    port: int = runner.addresses[0][1]
    return port
