"""Downloads that last long enough to be interrupted, and what should come of them."""

from dataclasses import dataclass
from typing import Any

from stacks import Stack
from web import ask, eventually, get, sha256_of

DOMAIN, FINAL = "files.lab.test", {"done", "failed", "cancelled"}


@dataclass(frozen=True)
class Downloads:
    """Downloads of one test, by id, each with the SHA-256 of its file as the origin states it."""

    stack: Stack
    expected: dict[str, str]

    def record(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = get(f"{self.stack.url('downloader')}/v1/downloads/{job_id}")
        return found

    def under_way(self) -> bool:
        """Whether some are done in part: the moment to interrupt."""
        records = [self.record(job_id) for job_id in self.expected]
        return any(r["received"] > 0 and r["state"] not in FINAL for r in records)

    def wrong(self, within: float = 90.0) -> dict[str, str]:
        """Wait until all have ended; return what is wrong with those that are not whole and correct."""
        wrong = {}
        for job_id, sha256 in self.expected.items():
            record = eventually(lambda job_id=job_id: self._ended(job_id), within)
            if record["state"] != "done":
                wrong[job_id] = f"{record['state']}: {record['error']}"
            elif not sha256 == record["sha256"] == sha256_of(self._file(job_id)):
                wrong[job_id] = "it is another file"
        return wrong

    def delete(self) -> None:
        for job_id in self.expected:
            ask("DELETE", f"{self.stack.url('downloader')}/v1/downloads/{job_id}")

    def _ended(self, job_id: str) -> dict[str, Any] | None:
        record = self.record(job_id)
        return record if record["state"] in FINAL else None

    def _file(self, job_id: str) -> str:
        return f"{self.stack.url('downloader')}/v1/files/{job_id}"


def submit(stack: Stack, count: int = 12, size: str = "4MiB", rate: int = 400_000) -> Downloads:
    """Ask for `count` files of which the origin sends each connection `rate` bytes a second."""
    paths = [f"{size}/e2e-{number}.bin" for number in range(count)]
    origin, host = stack.url("origin"), {"host": DOMAIN}
    digests = [ask("GET", f"{origin}/sha256/{path}", headers=host)[1]["sha256"] for path in paths]
    body = [{"url": f"http://{DOMAIN}/files/{path}?bandwidth={rate}"} for path in paths]
    status, accepted = ask("POST", stack.url("downloader") + "/v1/downloads", body)
    assert status == 202, accepted
    return Downloads(stack, {record["id"]: sha for record, sha in zip(accepted, digests, strict=True)})
