"""The downloader as its users meet it: a real process, a real origin and a real Valkey, on free ports."""

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import urllib3
from redis import Redis
from tests.integration.service import Service, eventually

from lab.origin.content import digest
from lab.origin.testing import RunningOrigin, running
from lab_kit.messages import Message

FINAL = {"done", "failed", "cancelled"}


class Answer(NamedTuple):
    """One answer; `body` is the JSON in it, or else the bytes."""

    status: int
    body: Any
    headers: urllib3.HTTPHeaderDict


def sha256_of(url: str, version: int = 0) -> str:
    """The checksum of a file of the origin, by its address."""
    parts = urlsplit(url)
    match = re.fullmatch(r"/files/(\d+)/.+", parts.path)
    assert match, f"{url}: give the size in bytes"
    return digest(1, parts.hostname or "", parts.path, int(match[1]), version)


class Client:
    """Asks one address, over connections of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(maxsize=8, retries=False, timeout=30)

    def ask(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Answer:
        """Send `body`, if there is one, as JSON; bytes claim to be that already."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"} | (headers or {})
        got = self._pool.request(method, self.url + path, headers=headers, body=data)
        is_json = "json" in got.headers.get("content-type", "")
        return Answer(got.status, json.loads(got.data) if is_json else got.data, got.headers)

    def stream(self, path: str) -> urllib3.BaseHTTPResponse:
        """An answer whose body is still to be read."""
        return self._pool.request("GET", self.url + path, preload_content=False)

    def metric(self, name: str) -> float:
        """The sum of a metric's series now."""
        text = self.ask("GET", "/metrics").body.decode()
        found = re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, found))

    def close(self) -> None:
        self._pool.clear()


class Web(Client):
    """The origin. Faults are for all its requests, until they are set again."""

    def __init__(self, origin: RunningOrigin) -> None:
        super().__init__(origin.url)
        self.process = origin.process

    def faults(self, **magnitudes: float) -> None:
        named = {name.replace("_", "-"): value for name, value in magnitudes.items()}
        assert self.ask("PUT", "/lab/faults", {"faults": named}).status == 200

    def change(self, *urls: str) -> None:
        """These files are others of the same size, version 1, from the next request on."""
        self.faults(change_after=1)
        for where in map(urlsplit, urls):
            assert self.ask("HEAD", where.path, headers={"Host": where.hostname or ""}).status == 200

    def fired(self, fault: str) -> int:
        """How often the fault has fired."""
        return int(self.ask("GET", "/lab/faults").body[fault]["fired"])

    @staticmethod
    def file(name: str, size: int = 65536, domain: str = "a", query: str = "") -> str:
        """The address of a file of `size` bytes."""
        return f"http://{domain}.lab.test/files/{size}/{name}" + (f"?{query}" if query else "")


class Downloader(Service, Client):
    """The service: one process at a time, on one port, folder and Valkey."""

    def __init__(self, folder: Path, server: Any, origin_url: str, **settings: object) -> None:
        self.server, self.redis = server, Redis.from_url(server.url, decode_responses=True)
        super().__init__("downloader", folder, redis_url=server.url, lab_origin_url=origin_url, **settings)

    def end(self) -> None:
        self.kill()
        self.redis.close()
        self.close()

    def create(self, *urls: str, **fields: Any) -> list[str]:
        """Have them accepted; the ids."""
        wanted = [{"url": url, **fields} for url in urls]
        answer = self.ask("POST", "/v1/downloads", wanted)
        assert answer.status == 202, answer.body
        return [accepted["id"] for accepted in answer.body]

    def look(self, job_id: str) -> dict[str, Any]:
        answer = self.ask("GET", f"/v1/downloads/{job_id}")
        assert answer.status == 200, answer.body
        shown: dict[str, Any] = answer.body
        return shown

    def all(self) -> list[dict[str, Any]]:
        """Every download it knows, newest first."""
        page = self.ask("GET", "/v1/downloads?limit=1000").body
        items: list[dict[str, Any]] = page["items"]
        return items

    def ended(self, job_ids: Iterable[str], within: float = 30.0) -> list[dict[str, Any]]:
        """What became of them, in their order, once all are final."""
        wanted = list(job_ids)

        def look() -> Sequence[dict[str, Any]]:
            found = {one["id"]: one for one in self.all()}
            return (
                [found[one] for one in wanted] if all(found[one]["state"] in FINAL for one in wanted) else []
            )

        return list(eventually(look, within))

    def in_state(self, job_id: str, state: str) -> dict[str, Any]:
        """The download, once it is in that state."""
        return eventually(lambda: (shown := self.look(job_id))["state"] == state and shown)

    def fetch(self, job_id: str) -> bytes:
        """The finished file."""
        answer = self.ask("GET", f"/v1/files/{job_id}")
        assert answer.status == 200, answer.body
        return bytes(answer.body)

    def files_on_disk(self) -> int:
        """How many files are finished."""
        return len(list((self.folder / "data" / "files").iterdir()))

    def bytes_on_disk(self) -> int:
        """What files and parts of a dead service hold, holes not counted."""
        found = [
            *(self.folder / "data" / "files").iterdir(),
            *(self.folder / "data" / "parts").glob("*.part"),
        ]
        return sum(min(path.stat().st_size, 512 * path.stat().st_blocks) for path in found)

    def send(self, message: Message | str) -> str:
        """Put a message on `lab:downloads`; the id of its entry."""
        text = message if isinstance(message, str) else message.encode()
        return str(self.redis.xadd("lab:downloads", {"message": text}))

    def files(self) -> dict[str, list[dict[str, Any]]]:
        """What was published on `lab:files`, by source."""
        published: dict[str, list[dict[str, Any]]] = {}
        for _, fields in self.redis.xrange("lab:files"):
            found = json.loads(fields["message"])
            published.setdefault(found["source"], []).append(found)
        return published

    def graves(self) -> list[dict[str, str]]:
        """The dead letters of `lab:downloads`."""
        return [fields for _, fields in self.redis.xrange("lab:downloads:dead")]

    def pending(self) -> int:
        """Messages of `lab:downloads` that were delivered and not acknowledged."""
        return int(self.redis.xpending("lab:downloads", "downloader")["pending"])

    def is_right(self, shown: dict[str, Any], version: int = 0) -> bool:
        """Whether this finished download, its checksum and its file are that version of what it is of."""
        if shown["sha256"] != sha256_of(shown["url"], version):
            return False
        content = (self.folder / "data" / "files" / shown["id"]).read_bytes()
        return hashlib.sha256(content).hexdigest() == shown["sha256"]


type StartDownloader = Callable[..., Downloader]


@pytest.fixture(scope="session")
def web() -> Iterator[Web]:
    with running(ORIGIN_SEED="1") as origin:
        web = Web(origin)
        yield web
        web.close()


@pytest.fixture(autouse=True)
def _sunny(web: Web) -> Iterator[None]:
    """Every test begins and ends without a fault."""
    web.faults()
    yield
    web.faults()


@pytest.fixture(scope="module")
def start_downloader(
    web: Web, start_redis: Callable[[], Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartDownloader]:
    """A function that starts a service with a Valkey of its own; keywords are settings."""
    started: list[Downloader] = []

    def start(**settings: object) -> Downloader:
        folder = tmp_path_factory.mktemp("downloader")
        started.append(Downloader(folder, start_redis(), web.url, **settings))
        return started[-1]

    yield start
    for service in started:
        service.end()


@pytest.fixture(scope="module")
def service(start_downloader: StartDownloader) -> Downloader:
    """A service that the tests of a module share."""
    return start_downloader()


@pytest.fixture
def patience() -> Callable[..., Any]:
    """`eventually`."""
    return eventually
