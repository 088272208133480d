"""Each fault of the origin against the reference and the naive engine, through the real service, as a table.

Both engines meet the same web: the same files, and for each request the same draws of the same seed.
"""

import argparse
import hashlib
import os
import tempfile
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import urllib3
from stack import Stack, stack

from lab.origin.content import digest

KIB, MIB = 1024, 1024 * 1024
ENGINES = ("reference", "naive")
RETRY_TOTAL, PATIENCE = 20.0, 100.0
NEWEST = 40


@dataclass(frozen=True)
class Case:
    """What the origin does, in words and as a query; `domain` is whose file comes in the end."""

    words: str
    query: str
    size: int = 3 * MIB
    domain: str = ""
    checked: bool = False

    @property
    def faults(self) -> list[str]:
        """The faults that the query asks for."""
        return [name for name, _ in parse_qsl(self.query, keep_blank_values=True)]

    def url(self, number: int) -> str:
        name = hashlib.sha256(f"{self.words} {self.query}".encode()).hexdigest()[:8]
        return f"http://faults{number % 4}.lab.test/files/{self.size}/{name}-{number}?{self.query}"


CASES = (
    Case("nothing: a sunny day", ""),
    Case("waits before it answers, 0.2 s on average", "latency=0.2"),
    Case("sends at most 2 MiB/s on a connection", f"bandwidth={2 * MIB}"),
    Case("answers three of ten requests with 503", "error-rate=0.3"),
    Case("answers every request with 500", "status=500"),
    Case("answers every request with 404", "status=404"),
    Case("answers the first two requests for a file with 503", "fail-first=2"),
    Case("429 first, and Retry-After: 2", "fail-first=1&status=429&retry-after=2"),
    Case("503 first, and Retry-After as a date", "fail-first=1&retry-after=2&retry-after-date=1"),
    Case("resets every other connection in the middle of a body", "drop-after=0.6&drop-rate=0.5"),
    Case("resets every connection before the last byte of its body", "drop-after=0.5"),
    Case(
        "the file changes, size kept, after the first request",
        "change-after=1&drop-after=0.6&drop-rate=0.5",
    ),
    Case("the file changes now and then, size kept", "change-content=0.3&drop-after=0.6&drop-rate=0.5"),
    Case(
        "… and has a weak ETag and no date",
        "change-content=0.3&etag=weak&lastmod=none&drop-after=0.6&drop-rate=0.5",
    ),
    Case("… and keeps its ETag and date", "change-after=1&stale-etag=1&drop-after=0.6&drop-rate=0.5"),
    Case(
        "… the same, and the SHA-256 was given",
        "change-after=1&stale-etag=1&drop-after=0.6&drop-rate=0.5",
        checked=True,
    ),
    Case("declares 1000 bytes too many, and closes", "wrong-length=1000"),
    Case("declares 1000 bytes too few", "wrong-length=-1000"),
    Case("sends, and declares, another range", "wrong-range=1000&drop-after=0.6&drop-rate=0.5"),
    Case("ignores Range", "ignore-range=1"),
    Case("ignores Range, and resets every other body", "ignore-range=1&drop-after=0.6&drop-rate=0.5"),
    Case("encodes with gzip though nobody asked", "force-encoding=1"),
    Case("sends chunks and no Content-Length", "no-length=1"),
    Case("ends the body with the connection", "close-length=1"),
    Case("refuses its own ETag in If-Range", "reject-if-range-etag=1&drop-after=0.6&drop-rate=0.5"),
    Case("redirects three times", "redirect=3"),
    Case("redirects in a circle", "redirect-loop=3"),
    Case("redirects to another host", "redirect-host=1", domain="elsewhere.lab.test"),
    Case("redirects to this machine's port 1", "redirect-host=1&to=127.0.0.1:1"),
    Case("sends a byte each millisecond", "slow-loris=0.001", size=2 * KIB),
    Case("two of ten answers have headers and then nothing", "stall=0.2"),
)


@dataclass
class Result:
    """What became of the downloads of one case with one engine."""

    outcomes: Counter[str] = field(default_factory=Counter)
    fired: dict[str, int] = field(default_factory=dict)
    sent: float = 0.0
    size: int = 0
    retries: int = 0
    restarts: int = 0
    seconds: float = 0.0
    why: str = ""

    def cell(self) -> str:
        counted = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common())
        costs = [
            f"{self.retries} retries",
            f"{self.restarts} restarts",
            f"{self.sent / self.size:.2f} x sent",
        ]
        why = f" ({self.why})" if self.why else ""
        return f"{counted}{why}; {', '.join(costs)}; {self.seconds:.1f} s"


class Bench:
    """The origin and the service of one stack."""

    def __init__(self, lab: Stack, count: int) -> None:
        self._lab, self._count, self._web = lab, count, urllib3.PoolManager()

    def run(self, case: Case) -> Result:
        self._web.request("PUT", f"{self._lab.origin.url}/lab/faults", json={"faults": {}, "seed": 1})
        fired, sent, began = self._fired(), self._sent(), time.monotonic()
        ends = list(self._ended(self._create(case)))
        result = Result(seconds=time.monotonic() - began, size=self._count * case.size)
        for number, end in enumerate(ends):
            result.outcomes[self._outcome(case, number, end)] += 1
            result.retries += end["retries"]
            result.restarts += end["restarts"]
            result.why = result.why or _short(end["error"])
        self._forget(ends)
        now = self._fired()
        result.fired = {name: now[name] - fired[name] for name in case.faults if name in now}
        result.sent = self._sent() - sent
        return result

    def _create(self, case: Case) -> list[str]:
        wanted = []
        for number in range(self._count):
            given = {"sha256": _expected(case, number, 1)} if case.checked else {}
            wanted.append({"url": case.url(number), **given})
        return [accepted["id"] for accepted in self._lab.ask("POST", "/v1/downloads", wanted)]

    def _ended(self, job_ids: Sequence[str]) -> Iterator[dict[str, Any]]:
        deadline = time.monotonic() + PATIENCE
        for job_id in job_ids:
            shown = self._lab.ask("GET", f"/v1/downloads/{job_id}")
            while shown["state"] not in ("done", "failed") and time.monotonic() < deadline:
                time.sleep(0.02)
                shown = self._lab.ask("GET", f"/v1/downloads/{job_id}")
            yield shown

    def _outcome(self, case: Case, number: int, end: dict[str, Any]) -> str:
        final = self._lab.data / "files" / end["id"]
        if end["state"] != "done":
            left = " **and left a file under the final name**" if final.exists() else ""
            return ("failed cleanly" if end["state"] == "failed" else f"not ended in {PATIENCE:.0f} s") + left
        found = hashlib.sha256(final.read_bytes()).hexdigest()
        right = any(found == _expected(case, number, version) for version in range(NEWEST))
        return "right" if right else f"**wrong** ({final.stat().st_size - case.size:+d} bytes)"

    def _forget(self, ends: Sequence[dict[str, Any]]) -> None:
        for end in ends:
            for method, path in (("POST", f"/{end['id']}/cancel"), ("DELETE", f"/{end['id']}")):
                try:
                    self._lab.ask(method, "/v1/downloads" + path)
                except urllib.error.HTTPError as error:
                    error.close()  # it has ended, or is just ending

    def _fired(self) -> dict[str, int]:
        described = self._web.request("GET", f"{self._lab.origin.url}/lab/faults").json()
        return {name: int(facts["fired"]) for name, facts in described.items()}

    def _sent(self) -> float:
        text = self._web.request("GET", f"{self._lab.origin.url}/metrics").data.decode()
        return next(
            float(line.split()[1]) for line in text.splitlines() if line.startswith("origin_bytes_sent_total")
        )


def _expected(case: Case, number: int, version: int) -> str:
    parts = urlsplit(case.url(number))
    return digest(1, case.domain or parts.hostname or "", parts.path, case.size, version)


def _short(error: str | None) -> str:
    """The first of what is said in an error, for a table."""
    first = (error or "").partition(";")[0].partition(", ")[0]
    return first if len(first) < 80 else first[:80] + "…"


def _times(fired: dict[str, int]) -> str:
    return ", ".join(f"{name} {count or '0: never'}" for name, count in fired.items()) or "-"


def measure(cases: Sequence[Case], count: int, folder: Path) -> dict[str, list[Result]]:
    """Every case with each engine."""
    results: dict[str, list[Result]] = {}
    with stack(folder) as lab:
        bench = Bench(lab, count)
        for engine in ENGINES:
            lab.ask("PUT", "/lab/engine", {"engine": engine})
            results[engine] = [bench.run(case) for case in cases]
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=8, help="downloads of each case")
    parser.add_argument("--only", default="", help="cases whose words or query have this in them")
    options = parser.parse_args()
    os.environ |= {"DOWNLOADER_RETRY_TOTAL": str(RETRY_TOTAL), "ORIGIN_SEED": "1"}
    cases = [case for case in CASES if options.only in f"{case.words} {case.query}"]
    with tempfile.TemporaryDirectory(prefix="lab-faults-") as folder:
        results = measure(cases, options.count, Path(folder))
    print(
        "| what the origin does | fired: reference | reference | fired: naive | naive |\n|---|---|---|---|---|"
    )
    for case, *both in zip(cases, *results.values(), strict=True):
        cells = (cell for result in both for cell in (_times(result.fired), result.cell()))
        print(f"| {case.words} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
