"""What users of the downloader do, against a service of a few lines whose moods the test chooses."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from downloader import load
from lab_kit.visits import VisitFailed, Visitor

SHA256 = "ab" * 32
DONE = {"state": "done", "error": None, "sha256": SHA256}


class Scripted:
    """A visitor whose service ends each download with `end`, after it was looked at `looks` times."""

    def __init__(self, seed: int = 1, looks: int = 2, **end: Any) -> None:
        self.url, self.origin, self.random = "http://service", "http://origin", Random(seed)
        self.jobs: dict[str, dict[str, Any]] = {}
        self.asked: list[str] = []
        self.measured: list[tuple[str, float, int, str | None]] = []
        self.waited = 0.0
        self._looks, self._end, self._made = looks, DONE | end, 0
        self.fail_at = ""

    def ask(self, method: str, path: str, *, name: str = "", body: Any = None, **_: Any) -> tuple[int, Any]:
        self.asked.append(f"{method} {name or path}")
        if self.fail_at and self.asked[-1].startswith(self.fail_at):
            raise VisitFailed(self.fail_at)
        if "/sha256/" in path:
            return 200, {"sha256": SHA256}
        if method == "POST" and path == "/v1/downloads":
            made = [self._make(one) for one in (body if isinstance(body, list) else [body])]
            return 202, made if isinstance(body, list) else made[0]
        if path.startswith("/v1/downloads?"):
            return 200, {"items": list(self.jobs.values()), "next": "x" if "after" not in path else None}
        return self._about(method, *path.removeprefix("/v1/downloads/").split("/"))

    def _make(self, wanted: dict[str, str]) -> dict[str, Any]:
        self._made += 1
        size = load.File(*wanted["url"].split("/")[4:6]).bytes
        job = {"id": str(self._made), "name": wanted["name"], "state": "active", "left": self._looks}
        self.jobs[job["id"]] = job | {"created": 10.0, "finished": None, "received": size}
        return self.jobs[job["id"]]

    def _about(self, method: str, job_id: str, action: str = "") -> tuple[int, Any]:
        job = self.jobs[job_id]
        if method == "DELETE":
            if job["state"] == "active":
                return 409, None
            del self.jobs[job_id]
        elif action == "cancel":
            job["state"] = "cancelled"
        elif method == "GET":
            job["left"] -= 1
            if job["left"] <= 0:
                job.update(finished=12.5, **self._end)
        return 200, job

    def measure(self, name: str, seconds: float, size: int = 0, error: str | None = None) -> None:
        self.measured.append((name, seconds, size, error))

    def pause(self, seconds: float) -> None:
        self.waited += seconds


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "checksums", load.Checksums())


def test_a_download_is_submitted_watched_checked_measured_and_deleted() -> None:
    visitor = Scripted()
    load.download(visitor)
    [(name, seconds, size, error)] = visitor.measured
    assert (name, seconds, error) == ("download to done", 2.5, None)
    assert size >= 16 << 10
    assert visitor.asked == [
        "POST /v1/downloads",
        "GET /v1/downloads/[id]",
        "GET /v1/downloads/[id]",
        "GET origin /sha256",
        "DELETE /v1/downloads/[id]",
    ]
    assert visitor.jobs == {}


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (
            {"state": "failed", "error": "the server answered 404"},
            "the download failed: the server answered 404",
        ),
        ({"state": "failed", "error": "no space: 7 B of 9 B"}, "the download failed: no space"),
        ({"state": "failed", "error": None}, "the download failed: for no reason given"),
        ({"received": 7}, "done with a wrong size"),
        ({"sha256": "cd" * 32}, "done with a wrong checksum"),
        ({"sha256": None}, None),
    ],
)
def test_an_end_that_is_wrong_is_an_error_whose_words_repeat(end: dict[str, Any], error: str | None) -> None:
    visitor = Scripted(**end)
    load.download(visitor)
    assert [measured[3] for measured in visitor.measured] == [error]
    assert visitor.jobs == {}


def test_patience_ends() -> None:
    visitor = Scripted(looks=10**9)
    load.download(visitor)
    assert visitor.measured[0][1:] == (load.PATIENCE, visitor.measured[0][2], "still active after 200 s")
    assert load.PATIENCE < visitor.waited < 1.1 * load.PATIENCE + 2
    assert visitor.jobs == {}, "cancelled, then deleted"


@pytest.mark.parametrize("failing", ["GET /v1/downloads/[id]", "GET origin"])
def test_a_visit_that_fails_deletes_all_the_same(failing: str) -> None:
    visitor = Scripted()
    visitor.fail_at = failing
    with pytest.raises(VisitFailed):
        load.batch(visitor)
    assert visitor.jobs == {}


@pytest.mark.parametrize("visit", [v for v in load.VISITS if v is not load.follow], ids=lambda v: v.__name__)
@pytest.mark.parametrize("seed", range(5))
def test_visits_leave_nothing_and_follow_from_the_seed(visit: Callable[[Visitor], None], seed: int) -> None:
    one, other = Scripted(seed), Scripted(seed)
    visit(one)
    load.checksums = load.Checksums()
    visit(other)
    assert one.jobs == {}
    assert one.asked == other.asked
    assert one.measured == other.measured


def test_a_checksum_is_asked_for_once() -> None:
    visitor = Scripted()
    file = load.File("16KiB", "a.bin")
    assert {load.checksums.of(file, visitor) for _ in range(3)} == {SHA256}
    assert visitor.asked == ["GET origin /sha256"]


def test_tidy_removes_what_gentle_left_and_nothing_else() -> None:
    visitor = Scripted()
    visitor.fail_at = "DELETE"
    for visit in (load.gentle, load.download):
        with pytest.raises(VisitFailed):
            visit(visitor)
    visitor.fail_at = ""
    assert [job["name"] for job in visitor.jobs.values()] == ["gentle load", "load"]
    load.tidy(visitor)
    assert [job["name"] for job in visitor.jobs.values()] == ["load"]


def test_sizes_are_what_their_names_say() -> None:
    assert [load.File(size, "x").bytes for size in ("16KiB", "1MiB", "32MiB")] == [16384, 1 << 20, 32 << 20]
