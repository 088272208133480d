"""Wrong solutions. Each is the reference with one mistake that people make, and names the check that rejects it.

They keep the checks honest: a check that no wrong solution fails is not a check.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from primes.contract import Board, Happened, Job, Kind, Limits, News, Part, Ports, State, Status, Tile
from primes.core.tally import Tally
from primes.engine import PrimeCalculator
from primes.engine.coordinator import Coordinator, Run
from primes.engine.jobs import Jobs


class Wrapped:
    """Something with a few attributes replaced."""

    def __init__(self, inner: Any, **changed: Any) -> None:
        self.__dict__.update(changed, inner=inner)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Mutant(PrimeCalculator):
    """The reference, with other `bounds`, and what `spoil` makes of its ports and `wrap` of each board."""

    bounds: Mapping[str, int] = {}

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        super().__init__(self.spoil(ports), replace(limits or Limits(), **self.bounds))

    def spoil(self, ports: Ports) -> Ports:
        return replace(ports, board=lambda job, tiles: self.wrap(ports.board(job, tiles)))

    def wrap(self, board: Board) -> Any:
        return board


class CountsTheEdgeTwice(Mutant):
    """Takes both ends of a tile for parts of it: a prime at a boundary counts twice."""

    caught_by = "answers_are_right"

    class coordinator(Coordinator):  # it stands in for the attribute of this name
        def plan(self, job: Job) -> list[Tile]:
            return [replace(tile, hi=tile.hi + 2 * (tile.hi < job.hi)) for tile in super().plan(job)]


class LosesTheLastTile(Mutant):
    """Divides, and forgets the remainder."""

    caught_by = "answers_are_right"

    class coordinator(Coordinator):
        def plan(self, job: Job) -> list[Tile]:
            tiles = super().plan(job)
            return tiles[:-1] if len(tiles) > 1 else tiles


class ForgetsTwo(Mutant):
    """Looks at odd numbers only."""

    caught_by = "answers_are_right"

    class coordinator(Coordinator):
        def plan(self, job: Job) -> list[Tile]:
            return super().plan(replace(job, lo=max(job.lo, min(3, job.hi))))


class AddsTilesUp(Mutant):
    """Adds up what the tiles say: what lies between two of them is nobody's."""

    caught_by = "what_lies_between_tiles_counts"

    class coordinator(Coordinator):
        def _count(self, run: Run, tile: Tile, part: Part, busy: Mapping[str, float] | None = None) -> None:
            super()._count(run, tile, replace(part, first=0, last=part.last if tile.rank else 0), busy)


class TakesTheTileForTheAnswer(Mutant):
    """Looks the n-th prime up with the n of the whole, in a tile that begins later."""

    caught_by = "the_nth_prime_is_found"

    class coordinator(Coordinator):
        def _open(self, job: Job) -> Run:
            run = super()._open(job)
            run.tally = FirstTile(job, run.tally.tiles)
            return run


class FirstTile(Tally):
    """Searches the first tile for every rank."""

    def owed(self) -> Tile | None:
        owed = super().owed()
        if owed:
            owed = self.tiles[-1] = replace(owed, lo=self.job.lo, hi=self.job.hi, rank=max(1, owed.rank - 1))
        return owed


class ForgivesMistakes(Mutant):
    """Makes the best of a question that makes no sense."""

    caught_by = "mistakes_change_nothing"

    def submit(self, job: Job) -> str:
        lo = max(0, job.lo)
        return super().submit(replace(job, lo=lo, hi=max(lo, min(job.hi, 10**5)), rank=0, kind=Kind.COUNT))


class StaticSplit(Mutant):
    """Gives everybody an equal share, once."""

    caught_by = "work_is_pulled"

    class coordinator(Coordinator):
        def plan(self, job: Job) -> list[Tile]:
            workers = self._limits.workers
            cuts = [job.lo + (job.hi - job.lo) * share // workers for share in range(workers + 1)]
            return [Tile(n, lo, hi, job.kind) for n, (lo, hi) in enumerate(pairwise(cuts)) if lo < hi]


class DeafToDeaths(Mutant):
    """Hears that a worker died, and waits for its result all the same."""

    caught_by = "a_lost_tile_is_given_again"

    class coordinator(Coordinator):
        def _retry(self, run: Run, tile: Tile, reason: str) -> None:
            self._take_back(run, tile)


class WaitsForEver(Mutant):
    """Has no lease: who says nothing is believed to be at work."""

    caught_by = "a_silent_worker_is_noticed"

    class coordinator(Coordinator):
        def _reclaim(self) -> None:
            self._leases.renew_all(self._now())


class IgnoresSignsOfLife(Mutant):
    """Takes who is slow for dead."""

    caught_by = "a_slow_worker_keeps_its_tile"

    class coordinator(Coordinator):
        def _hear(self, news: News) -> None:
            if news.happened is not Happened.ALIVE:
                super()._hear(news)


class CountsEachResult(Mutant):
    """Adds up results as they come, however often they do."""

    caught_by = "each_tile_counts_once"

    class coordinator(Coordinator):
        def _collect(self, run: Run, tile: Tile, busy: Mapping[str, float]) -> bool:
            if busy and tile in run.tally and not tile.rank:
                run.tally._parts[tile] = replace(
                    run.tally._parts[tile], count=2 * run.tally._parts[tile].count
                )
            return super()._collect(run, tile, busy)


class GivesWhatIsCounted(Mutant):
    """Counts a result that comes late, and leaves its tile with those that wait to be given again."""

    caught_by = "what_came_late_is_not_given_again"

    class coordinator(Coordinator):
        def _take_back(self, run: Run, tile: Tile) -> None:
            if (run.job.id, tile) in self._leases:
                super()._take_back(run, tile)


class BelievesOnlyWords(Mutant):
    """Does not look on the board before it gives a tile again."""

    caught_by = "what_is_written_is_not_computed_again"

    class coordinator(Coordinator):
        def _collect(self, run: Run, tile: Tile, busy: Mapping[str, float]) -> bool:
            return bool(busy) and super()._collect(run, tile, busy)


class TriesForEver(Mutant):
    """Gives a tile that kills its workers to the next one, and the next."""

    caught_by, bounds = "a_poison_tile_is_quarantined", {"attempts": 10**9}


class LeaksSharedMemory(Mutant):
    """Never closes a board."""

    caught_by = "killed_processes_cost_nothing"

    def wrap(self, board: Board) -> Any:
        return Wrapped(board, close=lambda: None, discard=lambda: None)


class PausesOnPaper(Mutant):
    """Says that a job is paused, and goes on giving its tiles."""

    caught_by = "pause_stops_and_resume_goes_on"

    class jobs(Jobs):
        def going_on(self) -> list[Job]:
            with self._changed:
                return [one.job for one in self._jobs.values() if not one.state.final]


class ForgetsThePause(Mutant):
    """Says that a job runs when it begins, whatever its user has said meanwhile."""

    caught_by = "an_early_pause_holds"

    class jobs(Jobs):
        def begin(self, job_id: str, tiles: int) -> None:
            self.update(job_id, lambda status: {"state": State.RUNNING, "tiles": tiles})


class TellsOnlyOfAnswers(Mutant):
    """Tells nobody that a job was cancelled."""

    caught_by = "each_end_is_told_once"

    def spoil(self, ports: Ports) -> Ports:
        def finished(status: Status) -> None:
            if status.state is State.DONE:
                ports.finished(status)

        return replace(ports, finished=finished)


class CancelsForAWhile(Mutant):
    """Lets a cancelled job be resumed."""

    caught_by = "cancel_is_final"

    def resume(self, job_id: str) -> None:
        self._move(job_id, State.RUNNING, (State.PAUSED, State.CANCELLED))


class AcceptsEverything(Mutant):
    """Has no bound."""

    caught_by, bounds = "the_queue_is_bounded", {"jobs": 10**9}


class ReturnsOnlyWhatRuns(Mutant):
    """Returns what was at work, and forgets what was paused."""

    caught_by = "stop_returns_the_unfinished"

    def stop(self, deadline: float) -> Sequence[Job]:
        return [job for job in super().stop(deadline) if not job.paused]


class BeginsAnew(Mutant):
    """Does not look at what an earlier life left on the board."""

    caught_by = "goes_on_from_the_board"

    def wrap(self, board: Board) -> Any:
        return Wrapped(board, read=lambda tiles: board.read(tiles) if len(tiles) == 1 else {})


class TellsBeforeItIsDone(Mutant):
    """Tells of the end at the last tile but one."""

    caught_by = "survives_a_crash"

    class coordinator(Coordinator):
        def _open(self, job: Job) -> Run:
            run = super()._open(job)
            if not run.tally.complete and len(run.tally) == len(run.tally.tiles) - 1:
                self._finish_early(run)
            return run

        def _finish_early(self, run: Run) -> None:
            run.tally.add(run.waiting.popleft(), Part())
            self._finish(run)


class KeepsBoards(Mutant):
    """Closes the board of a job that has ended, and leaves what is on it."""

    caught_by = "nothing_is_left"

    def wrap(self, board: Board) -> Any:
        return Wrapped(board, discard=board.close)
