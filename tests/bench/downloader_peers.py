"""The downloader's engine against its peers: the same nginx, the same bytes, shared memory, in turn.

One file of 1 GiB over four connections, and 2,000 files of 64 KiB eight at a time; every file is compared byte by
byte. What a program needs to start and do nothing is measured in each round, too, and taken off.
"""

import argparse
import filecmp
import hashlib
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from measure import MIB, Result, idle_or_exit, in_turn, report, shared_memory, timed
from peers import Peer, find, python_peer
from web import serving

HERE = Path(__file__).parent
SIZE, SMALL, COUNT = 1024 * MIB, 64 * 1024, 2000
ARIA2C = ("-q", "--file-allocation=none", "--allow-overwrite=true", "-k1M", "-d{out}")


@dataclass(frozen=True)
class Candidate:
    """A program: how it fetches the list `{urls}`, or the one `{url}`, to `{out}`; how it starts for nothing."""

    name: str
    peer: Peer
    fetch: Sequence[str]
    nothing: Sequence[str]

    def run(self, **words: str) -> Result:
        return timed([self.peer.path, *(part.format(**words) for part in self.fetch)], self.peer.environment)

    def start(self, **words: str) -> Result:
        return timed(
            [self.peer.path, *(part.format(**words) for part in self.nothing)], self.peer.environment
        )


def ours(name: str, connections: int, *more: str) -> Candidate:
    run = [str(HERE / "ours.py"), "{urls}", "{out}", f"--connections={connections}", *more]
    return Candidate(name, Peer(sys.executable, os.environ), run, [run[0], "/dev/null", *run[2:]])


def for_one_large_file(digest: str) -> list[Candidate]:
    aria2c, curl, pypdl = find("aria2c"), find("curl"), python_peer()
    segments = [*ARIA2C, "-x4", "-s4", "-o0"]
    by_pypdl = str(HERE / "by_pypdl.py")
    return [
        ours("ours", 4),
        ours("ours, SHA-256", 4, "--checksum"),
        Candidate("curl, one connection", curl, ["-sf", "-o", "{out}/0", "{url}"], ["--version"]),
        Candidate("aria2c -x4", aria2c, [*segments, "{url}"], ["--version"]),
        Candidate(
            "aria2c -x4, SHA-256", aria2c, [*segments, f"--checksum=sha-256={digest}", "{url}"], ["--version"]
        ),
        Candidate("pypdl, 4 segments", pypdl, [by_pypdl, "{urls}", "{out}/0"], [by_pypdl, "/dev/null", "-"]),
    ]


def for_small_files() -> list[Candidate]:
    aria2c, curl = find("aria2c"), find("curl")
    at_once = [
        "-sf",
        "-Z",
        "--parallel-max",
        "8",
        "--output-dir",
        "{out}",
        "--remote-name-all",
        "-K",
        "{config}",
    ]
    return [
        ours("ours", 8),
        ours("ours, SHA-256", 8, "--checksum"),
        ours("ours, 2 at once", 2),
        Candidate("aria2c -j8", aria2c, [*ARIA2C, "-j8", "-i{urls}"], ["--version"]),
        Candidate("curl -Z, 8 at once", curl, at_once, ["--version"]),
    ]


class Course:
    """The files of one comparison, on a web server and on the lists that programs take."""

    def __init__(self, folder: Path, web: str, expected: Sequence[Path]) -> None:
        self._folder, self._expected = folder, expected
        urls = [f"{web}/{path.parent.name}/{path.name}" for path in expected]
        (folder / "urls").write_text("\n".join(urls) + "\n")
        (folder / "config").write_text("".join(f"url={url}\n" for url in urls))
        self._words = {name: str(folder / name) for name in ("urls", "config")} | {"url": urls[0]}

    def run(self, candidate: Candidate) -> Result:
        """Fetch everything, compare it, and take off what starting costs."""
        out = self._folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        start = candidate.start(out=str(out), **self._words)
        fetched = candidate.run(out=str(out), **self._words)
        got = out / "files" if (out / "files").is_dir() else out
        for path in self._expected:
            if not filecmp.cmp(path, got / path.name, shallow=False):
                raise SystemExit(f"{candidate.name} delivered other bytes for {path.name}")
        return Result(fetched.seconds - start.seconds, fetched.peak)


def made(folder: Path, count: int, size: int) -> list[Path]:
    """`count` files of `size` random bytes, the same in every run."""
    folder.mkdir(parents=True)
    chance, paths = random.Random(1), [folder / str(number) for number in range(count)]
    for path in paths:
        with path.open("wb") as file:
            for _ in range(-(-size // MIB)):
                file.write(chance.randbytes(min(size, MIB)))
    return paths


def compare(title: str, course: Course, rounds: int, candidates: Sequence[Candidate], size: int) -> None:
    runs: dict[str, Callable[[], Result]] = {
        one.name: (lambda one=one: course.run(one)) for one in candidates
    }
    report(title, size, in_turn(rounds, runs))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=shared_memory(), prefix="lab-bench-") as name:
        folder = Path(name)
        large, small = made(folder / "web/large", 1, SIZE), made(folder / "web/small", COUNT, SMALL)
        digest = hashlib.file_digest(large[0].open("rb"), "sha256").hexdigest()
        one, many = for_one_large_file(digest), for_small_files()
        idle_or_exit(options.busy)
        with serving(folder / "web", folder) as web:
            compare("one file of 1 GiB", Course(folder, web, large), options.rounds, one, SIZE)
            compare(
                f"{COUNT} files of 64 KiB", Course(folder, web, small), options.rounds, many, COUNT * SMALL
            )


if __name__ == "__main__":
    main()
