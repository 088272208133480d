"""A1: a polite crawler. This is your file: `lab start A1` copies it to workspace/scraper.py.

Ports: your engine never opens a connection, never parses HTML and never keeps a list of URLs. It gets objects
that do: `ports.fetcher.get`, `ports.parse_page`, `ports.frontier.take`; it begins tasks with `ports.spawn` and
sleeps with `ports.clock.sleep`. So the same file runs in the live service with real ones, and in `lab check` with
simulated ones, where an hour of waiting takes no time. What each promises stands in `scraper/contract.py`.

    python workspace/scraper.py     tries it once, on a small site in memory
    lab check A1                    judges it: which requirement fails, and why
    lab hint A1                     one level at a time

A way through, each step a little harder. Every step makes some more checks pass:

    [ ] 1. One crawl, one link after the other: `open`, `take`, `get`, `parse_page`, `finish`, until nothing is
           unfinished. Then `status`, and the errors that the contract names. Each check ends with `stop`: let it
           cancel what runs, until you come to 7.
    [ ] 2. A task for each link, `limits.workers` requests at once, `limits.per_domain` of a host. Who ends them?
    [ ] 3. robots.txt: before the first request to an origin, and once, however many tasks want to know.
    [ ] 4. The rate of each host. When is a token taken: before or after a worker is free?
    [ ] 5. What goes wrong: which errors are worth another attempt, when, and how often in all?
    [ ] 6. A host that is down: stop asking, ask once, go on. What if that one is cancelled?
    [ ] 7. `pause`, `resume`, `cancel`, `stop`: at whichever await your tasks are just then.

`scraper.core` has helpers that you may use: `urls.join`, `urls.normalise`, `urls.host_of`, `headers`, `robots`.
"""

import sys
from collections.abc import Mapping, Sequence

if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]  # the folder of this file, which would hide the package of the same name

from scraper.contract import Crawl, DomainStatus, Limits, Ports, Stats, Status


class Crawler:
    """See `contract.Crawler` for what each method promises. All run on one loop, and none may block it."""

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        # TODO: keep the ports and the limits; make what all crawls share. No task begins before `start`.
        self.ports = ports
        self.limits = limits or Limits()

    async def start(self, crawls: Sequence[Crawl]) -> None:
        """Begin, with what an earlier engine or life left unfinished."""
        # TODO: begin them all; one that was paused (`crawl.paused`) stays paused.
        raise NotImplementedError

    async def submit(self, crawl: Crawl) -> None:
        """Accept `crawl`. Raises `InvalidCrawl`, `Conflict`, `Busy`, and then accepts nothing."""
        # TODO: look whether it can be accepted (`ports.allowed(url)` for each seed), and begin it. At which lines
        # of this method may another task run?
        raise NotImplementedError

    async def pause(self, crawl_id: str) -> None:
        """Take no more links; what was begun ends. Raises `UnknownCrawl`, `Conflict`."""
        # TODO: whoever takes links has to look at this. What was taken already?
        raise NotImplementedError

    async def resume(self, crawl_id: str) -> None:
        """Go on. Raises `UnknownCrawl`, `Conflict`."""
        # TODO: wake whoever waits.
        raise NotImplementedError

    async def cancel(self, crawl_id: str) -> None:
        """End a crawl: when this returns, no task or request of it is left. Raises `UnknownCrawl`, `Conflict`."""
        # TODO: cancelling a task is a wish. Who waits until it has come true? And if the caller is cancelled?
        raise NotImplementedError

    def status(self, crawl_id: str) -> Status:
        """One crawl now. Raises `UnknownCrawl`."""
        # TODO: all numbers from one moment: no await between them.
        raise NotImplementedError

    def domains(self) -> Mapping[str, DomainStatus]:
        """Every host this engine has met lately."""
        # TODO: what a user wants to see of a host that is slow.
        raise NotImplementedError

    def stats(self) -> Stats:
        """One moment of the engine."""
        # TODO: the counters must never decrease.
        raise NotImplementedError

    async def stop(self, deadline: float) -> Sequence[Crawl]:
        """Let what runs go on for `deadline` seconds, give the rest back, return what is unfinished."""
        # TODO: every link that was taken is finished, or given back to the frontier; then no task is left.
        raise NotImplementedError


if __name__ == "__main__":
    from scraper.checks.tryout import tryout

    tryout(Crawler)
