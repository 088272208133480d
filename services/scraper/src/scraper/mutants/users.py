"""Mistakes that users see, or those who come after."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from scraper.contract import Crawl, Limits, Link, Page, Ports, State, Taken
from scraper.engine.run import Run
from scraper.engine.visit import Visits
from scraper.mutants.spoiled import Mutant, spoiled_frontier

__all__ = [
    "AcceptsAnything",
    "CancelsAndLeaves",
    "FirstComeFirstServed",
    "GoesOnInHand",
    "LeavesTheEndToItsCaller",
    "ParsesOnTheLoop",
    "TakesAndForgets",
]


class FirstComeFirstServed(Mutant):
    """Takes what is next, though its host has more in hand already than it can be asked for."""

    caught_by = "one_site_starves_none"

    def spoil(self, ports: Ports) -> Ports:
        async def take(crawl: str, most: int, skip: Collection[str]) -> Taken:
            return await ports.frontier.take(crawl, most, ())

        return spoiled_frontier(ports, take=take)


class ParsesOnTheLoop(Mutant):
    """Parses a page wherever it is just now."""

    caught_by = "a_large_page_holds_up_nobody"

    def spoil(self, ports: Ports) -> Ports:
        async def offload(function: Callable[..., Any], *arguments: Any) -> Any:
            return function(*arguments)

        return replace(ports, offload=offload)


class GoesOnInHand(Mutant):
    """Takes no more links when paused, but fetches all it has taken."""

    caught_by = "pause_stops_and_resume_goes_on"

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        super().__init__(ports, limits)
        self._visits = _Stubborn(ports, self._limits, self._hosts)


class _Stubborn(Visits):
    async def visit(self, crawl: Crawl, link: Link, wanted: Callable[[], bool]) -> Page:
        return await super().visit(crawl, link, lambda: True)


class CancelsAndLeaves(Mutant):
    """Asks the tasks to end, and does not wait until they have."""

    caught_by = "cancel_leaves_nothing"

    async def cancel(self, crawl_id: str) -> None:
        run = self._in(crawl_id, State.RUNNING, State.PAUSED)
        self._leaving = self._ports.spawn(run.end(0.0, State.CANCELLED))


class LeavesTheEndToItsCaller(Mutant):
    """Whoever calls `stop` or `cancel` gives back what was taken; if that one is cancelled, nobody does."""

    caught_by = "cancellation_anywhere_leaks_nothing"

    def _begin(self, crawl: Crawl) -> None:
        self._runs[crawl.id] = _EndedByCaller(self._ports, crawl, self._hosts, self._visits, self._room)


class _EndedByCaller(Run):
    async def end(self, deadline: float, state: State | None = None) -> None:
        await super().end(deadline, state)
        await super()._wind_up()

    async def _wind_up(self) -> None:
        pass


class TakesAndForgets(Mutant):
    """Leaves with what it has taken."""

    caught_by = "stop_loses_nothing"

    def spoil(self, ports: Ports) -> Ports:
        async def give_back(crawl: str, links: Sequence[Link]) -> None:
            pass

        return spoiled_frontier(ports, give_back=give_back)


class AcceptsAnything(Mutant):
    """Looks at what it was given when it comes to it."""

    caught_by = "mistakes_change_nothing"

    async def submit(self, crawl: Crawl) -> None:
        await self.start([crawl])
