"""Users change their minds, engines are switched and killed: no job is lost, and nothing is left."""

import threading
from collections.abc import Callable
from pathlib import Path

from lab.grader import Conclude, Inconclusive
from lab.grader.kills import Reached, killed_everywhere
from primes.checks.disk import FileBoards, Ledger
from primes.checks.world import LIMITS, WELL, Boards, Mishap, World, answer_of
from primes.contract import Busy, Conflict, Job, Limits, Order, PrimeCalculator, State, UnknownJob


class Gate:
    """A script that lets `free` orders begin, and then holds its world's clock until it is opened."""

    def __init__(self, free: int) -> None:
        self._free, self.reached, self._open = free, threading.Event(), threading.Event()

    def __call__(self, order: Order, number: int) -> Mishap:
        if number == self._free:
            self.reached.set()
            self._open.wait(5.0)
        return WELL

    def wait(self) -> None:
        if not self.reached.wait(5.0):
            raise AssertionError("the engine gave too few orders within 5 s")

    def open(self) -> None:
        self._open.set()


def test_pause_stops_and_resume_goes_on(engine: type[PrimeCalculator]) -> None:
    """A paused job gets no more workers than it has; resumed, it goes on and computes nothing twice."""
    gate, job, other = Gate(5), Job(0, 100_000, id="job"), Job(0, 50_000, id="other")
    world = World(gate)
    calculator = world.engine(engine)
    calculator.submit(job)
    gate.wait()
    calculator.pause(job.id)
    calculator.submit(other)
    gate.open()
    [ended] = world.settled(calculator, other)
    given = sum(order.job == job.id for _, order in world.began)
    assert ended.answer == answer_of(other), f"beside a paused job another came to {ended.answer}"
    assert calculator.status(job.id).state is State.PAUSED, (
        f"it is {calculator.status(job.id).state}, not paused"
    )
    assert given <= 6 + LIMITS.ahead * 3, f"paused after 6 orders, and {given} were given"
    calculator.resume(job.id)
    [ended] = world.settled(calculator, job)
    calculator.stop(0.0)
    assert ended.answer == answer_of(job), f"paused and resumed, it came to {ended.answer}"
    twice = [tile for (_, tile), times in world.boards.computed.items() if times > 1]
    assert not twice, f"computed before the pause and after it: {twice[0]}"


def test_an_early_pause_holds(engine: type[PrimeCalculator]) -> None:
    """Paused while the engine is about to begin it, a job is paused: it does not begin all the same."""
    world, job, other = World(), Job(0, 100_000, id="job"), Job(0, 20_000, id="other")
    begins, paused = threading.Event(), threading.Event()

    def opening(which: Job) -> None:
        if which.id == job.id and not begins.is_set():
            begins.set()
            paused.wait(1.0)  # an engine may make a user wait meanwhile

    world.boards.opening = opening
    calculator = world.engine(engine)
    calculator.submit(job)
    if not begins.wait(5.0):
        raise Inconclusive("the engine opened no board within 5 s")
    calculator.pause(job.id)
    paused.set()
    calculator.submit(other)
    world.settled(calculator, other)
    state = calculator.status(job.id).state
    assert state is State.PAUSED, f"pause() returned, and later the job is {state}"
    calculator.resume(job.id)
    [ended] = world.settled(calculator, job)
    calculator.stop(0.0)
    assert ended.answer == answer_of(job), f"paused and resumed, it came to {ended.answer}"


def test_each_end_is_told_once(engine: type[PrimeCalculator]) -> None:
    """`finished` hears once of each job that ends: done or cancelled, queued, paused or at work."""
    gate = Gate(3)
    world = World(gate)
    calculator = world.engine(engine)
    done, running = Job(0, 20_000, id="done"), Job(0, 90_000, id="running")
    paused, queued = Job(0, 50_000, id="paused"), Job(0, 40_000, id="queued")
    for job in (running, done, paused, queued):
        calculator.submit(job)
    gate.wait()
    calculator.pause(paused.id)
    for job in (running, paused, queued):
        calculator.cancel(job.id)
    gate.open()
    world.settled(calculator, done)
    calculator.stop(5.0)
    told = sorted((status.job.id, status.state) for status in world.ended)
    wanted = [("done", "done"), ("paused", "cancelled"), ("queued", "cancelled"), ("running", "cancelled")]
    assert told == wanted, f"finished() should hear of {wanted}, it heard of {told}"


def test_cancel_is_final(engine: type[PrimeCalculator]) -> None:
    """A cancelled job stays so, gets no more workers, and cannot be resumed; an ended one cannot be cancelled."""
    gate, job, next_one = Gate(3), Job(0, 100_000, id="job"), Job(0, 20_000, id="next")
    world = World(gate)
    calculator = world.engine(engine)
    calculator.submit(job)
    gate.wait()
    calculator.cancel(job.id)
    gate.open()
    calculator.submit(next_one)
    world.settled(calculator, next_one)
    given = sum(order.job == job.id for _, order in world.began)
    state = calculator.status(job.id).state
    assert state is State.CANCELLED, f"cancel() returned, and the job is {state}"
    assert given <= 4 + LIMITS.ahead * 3, f"cancelled after 4 orders, and {given} were given"
    for refused in (calculator.resume, calculator.pause, calculator.cancel):
        _require(Conflict, refused, job.id)
    _require(Conflict, calculator.cancel, next_one.id)
    _require(UnknownJob, calculator.cancel, "nobody")
    calculator.stop(0.0)


def test_the_queue_is_bounded(engine: type[PrimeCalculator]) -> None:
    """One job too many is refused as Busy, a job that is here already as Conflict; both change nothing."""
    gate, jobs = Gate(0), [Job(0, 30_000, id=f"job-{number}") for number in range(3)]
    world = World(gate)
    calculator = world.engine(engine, Limits(workers=3, tile=1000, jobs=3))
    for job in jobs[:2]:
        calculator.submit(job)
    _require(Conflict, calculator.submit, jobs[0])
    calculator.submit(jobs[2])
    _require(Busy, calculator.submit, Job(0, 10))
    gate.open()
    for status in world.settled(calculator, *jobs):
        assert status.state is State.DONE, f"{status.job.id} is {status.state}"
    calculator.stop(0.0)


def test_stop_returns_the_unfinished(engine: type[PrimeCalculator]) -> None:
    """Each accepted job is told of or returned, never both; a paused one is returned as paused."""
    gate = Gate(4)
    world = World(gate)
    calculator = world.engine(engine)
    jobs = [Job(0, hi, id=f"to-{hi}") for hi in (90_000, 80_000, 70_000)]
    for job in jobs:
        calculator.submit(job)
    gate.wait()
    calculator.pause(jobs[2].id)
    threading.Timer(0.05, gate.open).start()
    returned = calculator.stop(0.0)
    ended = [status.job.id for status in world.ended]
    if len(ended) == 3:
        raise Inconclusive("everything was done before the deadline")
    names = sorted(ended + [job.id for job in returned])
    assert names == sorted(job.id for job in jobs), f"told {ended}, returned {[job.id for job in returned]}"
    assert [job.paused for job in returned if job.id == jobs[2].id] == [True], (
        "a paused job came back as another"
    )
    assert world.closed, "stop() left the crew at work"


def test_goes_on_from_the_board(engine: type[PrimeCalculator]) -> None:
    """The next engine computes only what is not on the job's board yet."""
    gate, boards, job = Gate(6), Boards(), Job(0, 100_000, id="job")
    world = World(gate, boards=boards)
    calculator = world.engine(engine)
    calculator.submit(job)
    gate.wait()
    threading.Timer(0.05, gate.open).start()
    returned = calculator.stop(0.0)
    before = sum(boards.computed.values())
    if not before or not returned:
        raise Inconclusive(f"{before} tiles were computed before the switch, {len(returned)} jobs came back")
    after = World(boards=boards)
    calculator = after.engine(engine, jobs=returned)
    [status] = after.settled(calculator, job)
    calculator.stop(0.0)
    twice = [tile for (_, tile), times in boards.computed.items() if times > 1]
    assert status.answer == answer_of(job), f"after the switch it came to {status.answer}"
    assert not twice, f"on the board before the switch, and computed again: {twice[0]}"


def test_survives_a_crash(engine: type[PrimeCalculator], conclude: Conclude) -> None:
    """Killed at any moment and started again, it tells of each job once, rightly, and computes no tile twice."""
    jobs = [Job(0, 60_000, id="first"), Job(0, 20_000, id="second")]

    def work(folder: Path, reached: Reached) -> None:
        ledger = Ledger(folder, reached)
        world = World(boards=FileBoards(folder, reached))
        world.ended = ledger
        left = [job for job in jobs if job.id not in ledger.told()]
        calculator = world.engine(engine, jobs=left)
        world.settled(calculator, *left)
        calculator.stop(5.0)

    def judge(folder: Path) -> None:
        told = Ledger(folder).told()
        for job in jobs:
            right = [dict(answer_of(job))]
            assert told.get(job.id) == right, (
                f"{job.id} should end once with {right}, it did with {told.get(job.id)}"
            )
        twice = FileBoards(folder).twice()
        assert not twice, f"it was on the board, and was computed again: {twice[0]}"

    conclude(killed_everywhere(work, judge, most=24))


def test_nothing_is_left(engine: type[PrimeCalculator]) -> None:
    """When a job has ended, however, its board is gone; after `stop` every board is closed."""
    gate = Gate(5)
    world = World(gate)
    calculator = world.engine(engine)
    done, cancelled, left = (Job(0, hi, id=f"to-{hi}") for hi in (20_000, 90_000, 80_000))
    for job in (cancelled, done):
        calculator.submit(job)
    gate.wait()
    calculator.cancel(cancelled.id)
    gate.open()
    world.settled(calculator, done)
    calculator.submit(left)
    calculator.pause(left.id)
    calculator.stop(5.0)
    if not world.boards.computed:
        raise Inconclusive("the engine used no board")
    kept = sorted(set(world.boards.parts) - {left.id})
    assert not kept, f"ended, and its board is still there: {', '.join(kept)}"
    assert not world.boards.open, f"still open after stop(): {', '.join(sorted(world.boards.open))}"


def _require(error: type[Exception], call: Callable[..., object], *arguments: object) -> None:
    try:
        call(*arguments)
    except error:
        return
    raise AssertionError(f"{getattr(call, '__name__', call)}{arguments} should raise {error.__name__}")
