"""The load test of M2: what its users ask, as functions of a visitor, whoever runs them.

The answers are known: published counts, and what the same range came to in parts.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

from lab_kit.visits import Visitor

COUNTS = {10**5: 9592, 10**6: 78498, 10**7: 664_579, 10**8: 5_761_455}  # pi(10^k): OEIS A006880
SUMS = {10**5: 454_396_537, 10**6: 37_550_402_023}  # OEIS A046731
NTH = {1000: 7919, 10_000: 104_729, 100_000: 1_299_709, 1_000_000: 15_485_863}  # OEIS A006988
TWINS = {10**5: 1224, 10**6: 8169, 10**7: 58_980}  # OEIS A007508
GENTLE = {10**7: 664_579, 10**8: 5_761_455}  # what a gentle load asks
GENTLE_NAME = "gentle load"
FINAL = ("done", "failed", "cancelled")
ONE = "/v1/jobs/[id]"
POLL = (0.05, 0.5)  # seconds between two looks: first, longest
PATIENCE = 120.0


type Record = dict[str, Any]


def count(visitor: Visitor) -> None:
    """How many primes there are below a power of ten."""
    hi, right = visitor.random.choice(list(COUNTS.items()))
    _job(visitor, {"kind": "count", "hi": hi}, {"count": right})


def add_up(visitor: Visitor) -> None:
    """What they add up to."""
    hi, right = visitor.random.choice(list(SUMS.items()))
    _job(visitor, {"kind": "sum", "hi": hi}, {"sum": right})


def nth(visitor: Visitor) -> None:
    """Which prime is the n-th."""
    rank, right = visitor.random.choice(list(NTH.items()))
    _job(visitor, {"kind": "nth", "n": rank}, {"prime": right})


def twins(visitor: Visitor) -> None:
    """How many pairs of twins there are, told by events."""
    hi, right = visitor.random.choice(list(TWINS.items()))
    _job(visitor, {"kind": "twins", "hi": hi}, {"twins": right}, wait=_follow)


def far_out(visitor: Visitor) -> None:
    """A window near 10^12, asked for twice in two parts and once as a whole."""
    lo = 10**12 + 30 * visitor.random.randrange(10**6)
    parts = [_count(visitor, lo + at, lo + at + 10**6) for at in (0, 10**6)]
    _job(visitor, {"kind": "count", "lo": lo, "hi": lo + 2 * 10**6}, {"count": sum(parts)})


def browse(visitor: Visitor) -> None:
    """A page of jobs, and one of primes."""
    visitor.ask("GET", "/v1/jobs?limit=20", name="/v1/jobs")
    _, page = visitor.ask("GET", "/v1/primes?lo=1000000&hi=2000000&limit=100", name="/v1/primes")
    visitor.measure(
        "list", 0.0, len(page["primes"]), None if page["primes"][0] == 1_000_003 else "a wrong list"
    )


def change_ones_mind(visitor: Visitor) -> None:
    """Pause a job, resume it, and cancel it."""
    _, job = visitor.ask("POST", "/v1/jobs", body={"kind": "count", "hi": 10**10})
    for verb in ("pause", "resume", "cancel"):
        visitor.pause(0.05)
        visitor.ask("POST", f"/v1/jobs/{job['id']}/{verb}", name=f"{ONE}/{verb}", allow=(409,))
    _remove(visitor, job["id"])


VISITS: Mapping[Callable[[Visitor], None], int] = {
    count: 8,
    add_up: 2,
    nth: 3,
    twins: 2,
    far_out: 2,
    browse: 2,
    change_ones_mind: 1,
}


def gentle(visitor: Visitor) -> None:
    """One range of up to a hundred million numbers."""
    hi, right = visitor.random.choice(list(GENTLE.items()))
    _job(visitor, {"kind": "count", "hi": hi, "name": GENTLE_NAME}, {"count": right})


def tidy(visitor: Visitor) -> None:
    """Remove the jobs of a gentle load that did not get round to it."""
    _, page = visitor.ask("GET", "/v1/jobs?limit=1000", name="/v1/jobs")
    for record in page["items"]:
        if record["name"] == GENTLE_NAME:
            _remove(visitor, record["id"])


def _job(
    visitor: Visitor,
    question: Record,
    right: Mapping[str, int],
    wait: Callable[[Visitor, str], Record] | None = None,
) -> Record:
    _, job = visitor.ask("POST", "/v1/jobs", body=question)
    try:
        ended = (wait or _poll)(visitor, job["id"])
        seconds = (ended["finished"] or 0.0) - ended["created"] if ended["finished"] else PATIENCE
        visitor.measure(f"{question['kind']} to answer", seconds, ended["tiles"], wrong(ended, right))
        return ended
    finally:
        _remove(visitor, job["id"])


def wrong(record: Record, right: Mapping[str, int]) -> str | None:
    """What is wrong with the end of a job, in words that repeat; None if nothing is."""
    if record["state"] not in FINAL:
        return f"still {record['state']} after {PATIENCE:g} s"
    if record["state"] != "done":
        return f"the job {record['state']}"
    return None if right.items() <= record["answer"].items() else "a wrong answer"


def _count(visitor: Visitor, lo: int, hi: int) -> int:
    _, job = visitor.ask("POST", "/v1/jobs", body={"kind": "count", "lo": lo, "hi": hi})
    try:
        return int((_poll(visitor, job["id"])["answer"] or {"count": -1})["count"])
    finally:
        _remove(visitor, job["id"])


def _poll(visitor: Visitor, job_id: str) -> Record:
    (delay, longest), waited = POLL, 0.0
    while True:
        record: Record = visitor.ask("GET", f"/v1/jobs/{job_id}", name=ONE)[1]
        if (record["state"] in FINAL and record["finished"]) or waited > PATIENCE:
            return record
        visitor.pause(delay)
        waited += delay
        delay = min(1.5 * delay, longest)


def _follow(visitor: Visitor, job_id: str) -> Record:
    """Read events until their stream ends, which is with the job."""
    _, events = visitor.ask("GET", f"/v1/jobs/{job_id}/events", name=f"{ONE}/events")
    data = [line.removeprefix("data:") for line in events.splitlines() if line.startswith("data:")]
    last: Record = json.loads(data[-1])
    return last


def _remove(visitor: Visitor, job_id: str) -> None:
    """Delete a job; cancel it first if it has not ended."""
    for delay in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0):
        status, _ = visitor.ask("DELETE", f"/v1/jobs/{job_id}", name=ONE, allow=(404, 409))
        if status != 409:
            return
        visitor.ask("POST", f"/v1/jobs/{job_id}/cancel", name=f"{ONE}/cancel", allow=(404, 409))
        visitor.pause(delay)
