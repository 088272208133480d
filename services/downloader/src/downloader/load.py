"""The load test of T1: what its users do, as functions of a visitor, whoever runs them.

Everything follows from the visitor's random numbers. Each visit deletes what it downloaded, however it ends.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from lab_kit.visits import Visitor

DOMAIN = "files.lab.test"
NAME, GENTLE_NAME = "load", "gentle load"
KINDS = 20  # files of each size, so that most have been seen, and hashed, before
MIX = {"16KiB": 40, "128KiB": 30, "1MiB": 20, "8MiB": 8, "32MiB": 2}
GENTLE_MIX = {"64KiB": 4, "512KiB": 3, "2MiB": 2, "4MiB": 1}
MILD_FAULTS = {
    "": 5,
    "?drop-after=0.5&drop-rate=0.5": 2,
    "?error-rate=0.3": 2,
    "?latency=0.1": 1,
}
FINAL = ("done", "failed", "cancelled")
ONE = "/v1/downloads/[id]"
POLL = (0.05, 0.5)  # seconds between two looks: first, longest
PATIENCE = 200.0  # seconds to wait for an end: longer than the service tries


type Record = dict[str, Any]
type Visit = Callable[[Visitor], None]


@dataclass(frozen=True)
class File:
    """A file of the origin; `fault` is the query that makes it hard to get."""

    size: str
    name: str
    fault: str = ""

    @property
    def url(self) -> str:
        return f"http://{DOMAIN}/files/{self.size}/{self.name}{self.fault}"

    @property
    def bytes(self) -> int:
        number, unit = int(self.size[:-3]), self.size[-3:]
        return number << {"KiB": 10, "MiB": 20}[unit]


class Checksums:
    """SHA-256 of the origin's files; each is asked for once. Harmless if two ask at the same time."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def of(self, file: File, visitor: Visitor) -> str:
        key = (file.size, file.name)
        if key not in self._known:
            address = f"{visitor.origin}/sha256/{file.size}/{file.name}"
            _, answer = visitor.ask("GET", address, name="origin /sha256", host=DOMAIN)
            self._known[key] = answer["sha256"]
        return self._known[key]


checksums = Checksums()


def download(visitor: Visitor) -> None:
    """Submit one file, look until it has ended, and check what came."""
    file = pick(visitor.random, MIX)
    _download(visitor, [file], _poll)


def follow(visitor: Visitor) -> None:
    """The same, with the server-sent events instead of looking."""
    file = pick(visitor.random, MIX)
    _download(visitor, [file], _follow)


def batch(visitor: Visitor) -> None:
    """Submit several small files in one request."""
    files = [pick(visitor.random, {"16KiB": 3, "128KiB": 1}) for _ in range(5)]
    _download(visitor, files, _poll)


def browse(visitor: Visitor) -> None:
    """Look at two pages of the list, and at what is active."""
    _, page = visitor.ask("GET", "/v1/downloads?limit=20", name="/v1/downloads")
    if page["next"]:
        after = f"/v1/downloads?limit=20&after={page['next']}"
        visitor.ask("GET", after, name="/v1/downloads", allow=(404,))  # it may be deleted by now
    visitor.ask("GET", "/v1/downloads?state=active", name="/v1/downloads?state=active")


def pause_and_resume(visitor: Visitor) -> None:
    """Pause a larger download at once, and resume it a moment later; it may be done before that."""
    file = pick(visitor.random, {"8MiB": 3, "32MiB": 1})

    def interrupted(visitor: Visitor, job_id: str) -> Record:
        visitor.ask("POST", f"/v1/downloads/{job_id}/pause", name=f"{ONE}/pause", allow=(409,))
        visitor.pause(visitor.random.uniform(0.05, 0.3))
        visitor.ask("POST", f"/v1/downloads/{job_id}/resume", name=f"{ONE}/resume", allow=(409,))
        return _poll(visitor, job_id)

    _download(visitor, [file], interrupted, entry="paused download to done")


def cancel(visitor: Visitor) -> None:
    """Change one's mind."""
    [record] = _submit(visitor, [pick(visitor.random, {"8MiB": 1})], NAME)
    _remove(visitor, record["id"])


VISITS: Mapping[Visit, int] = {
    download: 10,
    follow: 3,
    batch: 2,
    browse: 2,
    pause_and_resume: 2,
    cancel: 1,
}


def gentle(visitor: Visitor) -> None:
    """One download of up to a few MiB; now and then from a server that is not at its best."""
    fault = pick_weighted(visitor.random, MILD_FAULTS)
    file = pick(visitor.random, GENTLE_MIX, fault)
    _download(visitor, [file], _poll, label=GENTLE_NAME)


def tidy(visitor: Visitor) -> None:
    """Remove the downloads of a gentle load that did not get round to it."""
    _, page = visitor.ask("GET", "/v1/downloads?limit=1000", name="/v1/downloads")
    for record in page["items"]:
        if record["name"] == GENTLE_NAME:
            _remove(visitor, record["id"])


def pick(random: Random, sizes: Mapping[str, int], fault: str = "") -> File:
    """Return one of the files of a mix of sizes."""
    return File(pick_weighted(random, sizes), f"load-{random.randrange(KINDS)}.bin", fault)


def pick_weighted(random: Random, weights: Mapping[str, int]) -> str:
    return random.choices(list(weights), list(weights.values()))[0]


def wrong(file: File, record: Record, sha256: str) -> str | None:
    """Return what is wrong with the end of a download, in words that repeat; None if nothing is."""
    if record["state"] not in FINAL:
        return f"still {record['state']} after {PATIENCE:g} s"
    if record["state"] != "done":
        reason = str(record["error"] or "for no reason given").partition(":")[0]
        return f"the download {record['state']}: {reason}"
    if record["received"] != file.bytes:
        return "done with a wrong size"
    return None if record["sha256"] in (None, sha256) else "done with a wrong checksum"


def _download(
    visitor: Visitor,
    files: Sequence[File],
    wait: Callable[[Visitor, str], Record],
    *,
    entry: str = "download to done",
    label: str = NAME,
) -> None:
    records = _submit(visitor, files, label)
    try:
        for file, record in zip(files, records, strict=True):
            ended = wait(visitor, record["id"])
            error = wrong(file, ended, checksums.of(file, visitor))
            visitor.measure(entry, _seconds(ended), ended["received"], error)
    finally:
        for record in records:
            _remove(visitor, record["id"])


def _submit(visitor: Visitor, files: Sequence[File], label: str) -> list[Record]:
    body = [{"url": file.url, "name": label} for file in files]
    if len(body) == 1:
        return [visitor.ask("POST", "/v1/downloads", body=body[0])[1]]
    records: list[Record] = visitor.ask("POST", "/v1/downloads", name="/v1/downloads (batch)", body=body)[1]
    return records


def _poll(visitor: Visitor, job_id: str) -> Record:
    """Look until the download has ended and the service has dated its end, or until patience has."""
    (delay, longest), waited = POLL, 0.0
    while True:
        record: Record = visitor.ask("GET", f"/v1/downloads/{job_id}", name=ONE)[1]
        if (record["state"] in FINAL and record["finished"]) or waited > PATIENCE:
            return record
        visitor.pause(delay)
        waited += delay
        delay = min(1.5 * delay, longest)


def _seconds(record: Record) -> float:
    """From accepted to ended, as the service dates both: how often somebody looks does not show in it."""
    return float(record["finished"] - record["created"]) if record["finished"] else PATIENCE


def _follow(visitor: Visitor, job_id: str) -> Record:
    """Read events until their stream ends, which is with the download."""
    _, events = visitor.ask("GET", f"/v1/downloads/{job_id}/events", name=f"{ONE}/events")
    data = [line.removeprefix("data:") for line in events.splitlines() if line.startswith("data:")]
    last: Record = json.loads(data[-1])
    return last if last["finished"] else _poll(visitor, job_id)


def _remove(visitor: Visitor, job_id: str) -> None:
    """Delete a download; cancel it first if it has not ended."""
    for delay in (0.02, 0.05, 0.1, 0.2, 0.5, 1.0):
        status, _ = visitor.ask("DELETE", f"/v1/downloads/{job_id}", name=ONE, allow=(404, 409))
        if status != 409:
            return
        visitor.ask("POST", f"/v1/downloads/{job_id}/cancel", name=f"{ONE}/cancel", allow=(404, 409))
        visitor.pause(delay)
