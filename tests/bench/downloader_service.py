"""One large file through the service, and by aria2c from the same origin, in turn.

The service also hashes the file and makes it durable, so aria2c is measured without and with its own checksum.
"""

import argparse
import filecmp
import hashlib
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measure import MIB, Result, high_water, idle_or_exit, in_turn, report, shared_memory, timed
from peers import Peer, find
from stack import Stack, stack


def through_the_service(lab: Stack, url: str, keep: Path) -> Result:
    Path(f"/proc/{lab.process.pid}/clear_refs").write_text("5")  # the peak begins anew
    start = time.perf_counter()
    record = lab.download(url)
    seconds = time.perf_counter() - start
    if record["state"] != "done":
        raise SystemExit(f"the service failed: {record['error']}")
    (lab.data / "files" / record["id"]).rename(keep)
    lab.ask("DELETE", f"/v1/downloads/{record['id']}")
    return Result(seconds, high_water(Path(f"/proc/{lab.process.pid}/status")))


def by_aria2c(peer: Peer, url: str, keep: Path, *checks: str) -> Result:
    options = ("-q", "-x4", "-s4", "-k1M", "--file-allocation=none", "--allow-overwrite=true", *checks)
    return timed([peer.path, *options, f"--dir={keep.parent}", f"--out={keep.name}", url], peer.environment)


def measure(size: str, rounds: int, folder: Path) -> dict[str, list[Result]]:
    """Each in turn; every file is compared byte by byte with the first."""
    aria2c, got, expected = find("aria2c"), folder / "got", folder / "expected"
    with stack(folder) as lab:
        url = f"{lab.origin.url}/files/{size}/bench"
        through_the_service(lab, url, expected)
        digest = hashlib.file_digest(expected.open("rb"), "sha256").hexdigest()

        def checked(run: Callable[[], Result]) -> Callable[[], Result]:
            def run_and_compare() -> Result:
                result = run()
                if not filecmp.cmp(expected, got, shallow=False):
                    raise SystemExit("other bytes were delivered")
                got.unlink()
                return result

            return run_and_compare

        return in_turn(
            rounds,
            {
                "the service": checked(lambda: through_the_service(lab, url, got)),
                "aria2c -x4": checked(lambda: by_aria2c(aria2c, url, got)),
                "aria2c -x4, SHA-256": checked(
                    lambda: by_aria2c(aria2c, url, got, f"--checksum=sha-256={digest}")
                ),
            },
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    options = parser.parse_args()
    idle_or_exit(options.busy)
    with tempfile.TemporaryDirectory(dir=shared_memory(), prefix="lab-bench-") as folder:
        results = measure(f"{options.gib}GiB", options.rounds, Path(folder))
    report(f"{options.gib} GiB through the service", options.gib * 1024 * MIB, results)


if __name__ == "__main__":
    main()
