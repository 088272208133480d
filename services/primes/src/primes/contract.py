"""What an engine of M2 is given, what it promises, and what may go wrong."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from lab_kit.ports import Ports as CommonPorts


class Kind(StrEnum):
    """What is asked about the primes of a range."""

    COUNT = "count"
    SUM = "sum"
    TWINS = "twins"
    GAP = "gap"
    NTH = "nth"


class State(StrEnum):
    """Where a job is. The last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        return self in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Job:
    """A question about the primes p with lo <= p < hi; `rank` is the n of an n-th prime, counted from `lo`."""

    lo: int
    hi: int
    kind: Kind = Kind.COUNT
    rank: int = 0
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Tile:
    """A piece of a job, small enough for one worker. With a `rank` it asks which prime has it, from `lo` on."""

    index: int
    lo: int
    hi: int
    kind: Kind
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """What is known of the primes in a tile: what its kind needs, zero elsewhere.

    `first` and `last` are primes, 0 where there is none; the widest gap inside is `gap_at` to `gap_at + gap`.
    """

    count: int = 0
    total: int = 0
    twins: int = 0
    first: int = 0
    last: int = 0
    gap: int = 0
    gap_at: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """One attempt at a tile, as a worker gets it; `board` is where its part goes."""

    job: str
    tile: Tile
    attempt: int
    board: str


class Happened(StrEnum):
    """What a crew has to tell about an order."""

    BEGAN = "began"
    ALIVE = "alive"
    DONE = "done"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class News:
    """`worker` and `order`; DONE took `seconds`; FAILED and LOST have a `reason`.

    DONE means that the part is on the board. News may come twice, late, or never: a worker can die unheard.
    """

    happened: Happened
    order: Order
    worker: str
    seconds: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """One moment of a job, consistent in itself. `done` of `tiles` are counted; `busy` is seconds by worker.

    `answer` is there when it is DONE. `lost` counts attempts that died, `again` tiles that were computed twice.
    """

    job: Job
    state: State
    tiles: int = 0
    done: int = 0
    lost: int = 0
    again: int = 0
    seconds: float = 0.0
    busy: Mapping[str, float] = field(default_factory=dict)
    answer: Mapping[str, int] | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """One moment of an engine, consistent in itself. The counters never decrease while the engine lives.

    `tiles` were counted, `again` of them more than once computed; attempts `expired` unheard or were `lost`.
    """

    states: Mapping[State, int] = field(default_factory=lambda: dict.fromkeys(State, 0))
    tiles: int = 0
    again: int = 0
    lost: int = 0
    expired: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds an engine keeps. `workers` is what a plan reckons with; a lease without news ends in `lease` s.

    A tile is begun `attempts` times at most, and has at least about `tile` numbers. For each worker, `ahead`
    orders are in the crew's hands at most.
    """

    workers: int = 2
    jobs: int = 1000
    lease: float = 4.0
    attempts: int = 3
    ahead: int = 2
    tile: int = 1 << 22
    largest: int = 10**15
    widest: int = 10**13


class PrimesError(Exception):
    """Anything this engine reports; the text is for people."""


class InvalidJob(PrimesError):
    """The question makes no sense, or is beyond a limit; nothing was accepted."""


class UnknownJob(PrimesError):
    """No such job."""


class Conflict(PrimesError):
    """The job is in a state in which that cannot be done; nothing changed."""


class Busy(PrimesError):
    """The engine accepts no more just now: it has too many jobs, or it is stopping."""


class Unavailable(PrimesError):
    """A board or a crew does not answer now. Nothing is lost; try again in a moment."""


class Board(Protocol):
    """Where workers put the parts of one job: shared memory here, Redis elsewhere. Raises `Unavailable`."""

    @property
    def name(self) -> str:
        """What an `Order` calls it."""

    def read(self, tiles: Sequence[Tile]) -> Mapping[Tile, Part]:
        """The parts of those of `tiles` that have one. The first part that was written stays."""

    def close(self) -> None:
        """Let go of it. Shared memory is gone then; what is in Redis waits for the next engine."""

    def discard(self) -> None:
        """Let go of it and of what it holds: nobody will ask again."""


class Crew(Protocol):
    """Workers, each a process, here or on other machines. They pull: whoever is free takes the oldest order, but
    before all others the oldest whose `attempt` is not the first, for somebody has lost time with it already.

    For one thread, but for `interrupt`. A worker may die at any moment, with or without anybody hearing of it;
    another takes its place. Raises `Unavailable`.
    """

    def size(self) -> int:
        """How many can compute at the same moment, now; 0 while there is none."""

    def give(self, order: Order) -> None:
        """Put an order in the queue. An order whose board is gone by then is dropped in silence."""

    def news(self, timeout: float) -> Sequence[News]:
        """What happened; waits for the first of it up to `timeout` seconds, or until interrupted."""

    def interrupt(self) -> None:
        """Let `news` return at once. Safe from any thread."""

    def close(self) -> None:
        """End what was started for this crew. Orders that nobody has begun are forgotten."""


def _nothing(status: Status) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Ports(CommonPorts):
    """What M2 engines get: the common ports, workers, boards, and whom to tell of the end.

    `board(job, tiles)` makes the job's board with room for so many tiles, or finds the one an earlier life left.
    `finished` is called once for each job that ends, with no lock held, and before `stop` returns.
    """

    crew: Callable[[], Crew]
    board: Callable[[Job, int], Board]
    finished: Callable[[Status], None] = _nothing


class PrimeCalculator(Protocol):
    """The engine. Every method may be called from any thread; none but `wait` and `stop` blocks.

    Guarantees, whoever dies: each tile is counted once; a tile whose worker was lost is given to another
    within `limits.lease` seconds, until it was begun `limits.attempts` times; no board is left of a job that
    has ended.
    """

    def __init__(self, ports: Ports, limits: Limits) -> None: ...

    def start(self, jobs: Sequence[Job]) -> None:
        """Begin, with what an earlier engine or life left unfinished. What is on a board is not computed again."""

    def submit(self, job: Job) -> str:
        """Accept `job`, return its id. Raises `InvalidJob`, `Conflict`, `Busy`, and then accepts nothing."""

    def pause(self, job_id: str) -> None:
        """Give no more of its tiles. What is being computed counts. Raises `UnknownJob`, `Conflict`."""

    def resume(self, job_id: str) -> None:
        """Go on with a paused job. Raises `UnknownJob`, `Conflict`."""

    def cancel(self, job_id: str) -> None:
        """End a job; what was computed is dropped. Raises `UnknownJob`, `Conflict`."""

    def status(self, job_id: str) -> Status:
        """One job now. Raises `UnknownJob`."""

    def forget(self, job_id: str) -> None:
        """Drop what is known of an ended job. Raises `UnknownJob`, `Conflict`."""

    def wait(self, job_id: str, timeout: float | None = None) -> Status:
        """Block until the job is final or `timeout` seconds passed; returns its status either way."""

    def stats(self) -> Stats: ...

    def stop(self, deadline: float) -> Sequence[Job]:
        """Accept nothing more; go on for `deadline` seconds; return the unfinished jobs, for the next engine."""
