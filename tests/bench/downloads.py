"""One large file through the service, and by aria2c from the same origin, in turn.

The service also hashes the file and makes it durable, so aria2c is measured without and with its own checksum.
"""

import argparse
import filecmp
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from peers import Peer, find
from rich.console import Console
from rich.table import Table
from stack import Stack, stack

MIB = 1024 * 1024
SHARED_MEMORY = Path("/dev/shm")
BUSY_PERCENT = 15.0


@dataclass(frozen=True)
class Result:
    """Seconds, and the peak of the process's resident memory in bytes."""

    seconds: float
    peak: int


def through_the_service(lab: Stack, url: str, keep: Path) -> Result:
    Path(f"/proc/{lab.process.pid}/clear_refs").write_text("5")  # the peak begins anew
    start = time.perf_counter()
    record = lab.download(url)
    seconds = time.perf_counter() - start
    if record["state"] != "done":
        raise SystemExit(f"the service failed: {record['error']}")
    (lab.data / "files" / record["id"]).rename(keep)
    lab.ask("DELETE", f"/v1/downloads/{record['id']}")
    return Result(seconds, _high_water(lab.process.pid))


def by_aria2c(peer: Peer, url: str, keep: Path, *checks: str) -> Result:
    command = [
        peer.path,
        "-q",
        "-x4",
        "-s4",
        "-k1M",
        "--file-allocation=none",
        "--allow-overwrite=true",
        *checks,
    ]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*command, f"--dir={keep.parent}", f"--out={keep.name}", url], env=peer.environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"aria2c ended with {status}")
    return Result(time.perf_counter() - start, usage.ru_maxrss * 1024)


def _high_water(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measure(size: str, rounds: int, folder: Path) -> dict[str, list[Result]]:
    """`rounds` of each, interleaved; every file is compared byte by byte with the first."""
    aria2c, results = find("aria2c"), defaultdict(list)
    with stack(folder) as lab:
        url = f"{lab.origin.url}/files/{size}/bench"
        through_the_service(lab, url, folder / "expected")
        digest = hashlib.file_digest((folder / "expected").open("rb"), "sha256").hexdigest()
        candidates: dict[str, Callable[[Path], Result]] = {
            "the service": lambda keep: through_the_service(lab, url, keep),
            "aria2c -x4": lambda keep: by_aria2c(aria2c, url, keep),
            "aria2c -x4, SHA-256": lambda keep: by_aria2c(aria2c, url, keep, f"--checksum=sha-256={digest}"),
        }
        for _ in range(rounds):
            for name, run in candidates.items():
                results[name].append(run(folder / "got"))
                if not filecmp.cmp(folder / "expected", folder / "got", shallow=False):
                    raise SystemExit(f"{name} delivered other bytes")
                (folder / "got").unlink()
    return results


def report(size: int, results: dict[str, list[Result]]) -> None:
    table = Table(title=f"{size / MIB:.0f} MiB, median of {len(results['the service'])} interleaved rounds")
    for heading in ("", "MiB/s", "slowest", "fastest", "peak MiB", "time / ours"):
        table.add_column(heading, justify="left" if not heading else "right")
    ours = results["the service"]
    for name, runs in results.items():
        rates = sorted(size / MIB / run.seconds for run in runs)
        ratios = [theirs.seconds / mine.seconds for mine, theirs in zip(ours, runs, strict=True)]
        peak = max(run.peak for run in runs) / MIB
        cells = [f"{statistics.median(rates):.0f}", f"{rates[0]:.0f}", f"{rates[-1]:.0f}", f"{peak:.0f}"]
        table.add_row(name, *cells, f"{statistics.median(ratios):.2f}")
    Console().print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="2GiB")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    options = parser.parse_args()
    busy = psutil.cpu_percent(interval=2.0)
    if busy > BUSY_PERCENT and not options.busy:
        sys.exit(f"The machine is {busy:.0f} % busy: what is measured now says little. Wait, or add --busy.")
    place = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(dir=place, prefix="lab-bench-") as folder:
        results = measure(options.size, options.rounds, Path(folder))
    report(int(float(options.size.removesuffix("GiB")) * 1024 * MIB), results)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
