"""A learner's engine on a small real job: two real processes, one of them killed, and no lab running."""

import traceback

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.traceback import Traceback

from primes.adapters.memory import memory_board
from primes.checks.killing import KillingCrew
from primes.contract import Job, Kind, Limits, Ports, PrimeCalculator, State, Status

JOBS = {
    "primes below 3 * 10^8": (Job(0, 300_000_000), {"count": 16_252_325}),
    "the 1,000,000th prime": (
        Job(0, 16_500_000, Kind.NTH, 1_000_000),
        {"prime": 15_485_863, "rank": 1_000_000},
    ),
}
LONGEST = 30.0


def tryout(engine: type[PrimeCalculator], console: Console | None = None) -> bool:
    """Ask `engine` two questions and show what comes of it; whether both answers are right."""
    console = console or Console()
    crew = KillingCrew(2)
    try:
        ends = _run(engine(Ports(crew=lambda: crew, board=memory_board), Limits(workers=2)), console)
    except Exception as error:
        console.print(_explained(error))
        return False
    finally:
        crew.close()
    console.print(f"{crew.killed} workers were killed meanwhile.")
    return _told(ends, console)


def _run(calculator: PrimeCalculator, console: Console) -> dict[str, Status]:
    calculator.start([])
    try:
        return _followed(calculator, console)
    finally:
        calculator.stop(0.0)


def _followed(calculator: PrimeCalculator, console: Console) -> dict[str, Status]:
    for job, _ in JOBS.values():
        calculator.submit(job)
    columns = (TextColumn("{task.description:>22}"), BarColumn(), MofNCompleteColumn(), TextColumn("tiles"))
    with Progress(*columns, console=console) as bars:
        for name, (job, _) in JOBS.items():
            bar, turns = bars.add_task(name, total=None), 0.0
            while not (now := calculator.wait(job.id, 0.1)).state.final and turns < LONGEST:
                bars.update(bar, completed=now.done, total=now.tiles)
                turns += 0.1
            bars.update(bar, completed=now.done, total=now.tiles)
    return {name: calculator.status(job.id) for name, (job, _) in JOBS.items()}


def _told(ends: dict[str, Status], console: Console) -> bool:
    wrong = False
    for name, status in ends.items():
        right = status.state is State.DONE and status.answer == JOBS[name][1]
        wrong |= not right
        shown = status.error or dict(status.answer or {}) or "no answer"
        console.print(
            f"[{'green' if right else 'red'}]{status.state:>10}[/]  {name}: {shown}", highlight=False
        )
    console.print("Not yet." if wrong else "It works on a sunny day. Now: [bold]lab check M2[/]")
    return not wrong


def _explained(error: Exception) -> RenderableType:
    """The error with its lines; of a method that says nothing but that it is not written, only where it is."""
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, RuntimeError) and not error.args:
        return f"Not written yet: [bold]{frames[-1].name}[/], line {frames[-1].lineno}. The comment says what for."
    return Traceback.from_exception(
        type(error), error, error.__traceback__, max_frames=4, suppress=[__file__]
    )
