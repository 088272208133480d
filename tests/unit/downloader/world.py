"""A web and a disk in memory, for engines under simulated time. Between any two bytes, anything may happen."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from urllib.parse import urlsplit

from downloader.contract import ConnectionLost, StorageFailed, TimedOut, TransferError

DATES = ("Mon, 02 Nov 2026 10:00:00 GMT", "Tue, 03 Nov 2026 10:00:00 GMT", "Wed, 04 Nov 2026 10:00:00 GMT")


def nothing() -> None: ...


@dataclass
class File:
    """A file of the web. `faults` are used up, one for each answer; `version` may change at any time."""

    size: int
    seed: int = 0
    version: int = 0
    etag: str = "strong"
    dated: bool = True
    ranges: bool = True
    length: bool = True
    faults: list[str] = field(default_factory=list)

    def content(self, version: int | None = None) -> bytes:
        return Random(f"{self.seed} {self.version if version is None else version}").randbytes(self.size)

    def headers(self) -> dict[str, str]:
        found = {"last-modified": DATES[self.version]} if self.dated else {}
        if self.etag != "none":
            found["etag"] = f'{"W/" if self.etag == "weak" else ""}"{self.version}"'
        return found

    def accepts(self, condition: str | None) -> bool:
        """What a server makes of If-Range; `refusing` ones never take their own ETag."""
        if condition is None:
            return True
        if condition.startswith('"'):
            return self.etag == "strong" and condition == f'"{self.version}"'
        return self.dated and condition == DATES[self.version]


class Answer:
    """One answer of the web; see `contract.Response`."""

    def __init__(self, web: "Web", host: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers = status, headers
        self._web, self._host, self._body = web, host, memoryview(body)
        self._aborted = self._closed = False
        self.cut_at: int | None = None

    def readinto(self, buffer: memoryview) -> int:
        self._web.meanwhile()
        assert not self._closed, "read after close"
        if self._aborted or self.cut_at == 0:
            raise ConnectionLost("the connection was lost")
        count = min(len(buffer), len(self._body), self._web.piece())
        count = count if self.cut_at is None else min(count, self.cut_at)
        self.cut_at = None if self.cut_at is None else self.cut_at - count
        buffer[:count] = self._body[:count]
        self._body = self._body[count:]
        return count

    def abort(self) -> None:
        self._aborted = True

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._web.open[self._host] -= 1


class Web:
    """See `contract.Transport`. `open` counts the answers in use by host, `most` their highest numbers."""

    def __init__(self, random: Random | None = None) -> None:
        self.files: dict[str, File] = {}
        self.requests: list[tuple[str, Mapping[str, str]]] = []
        self.open: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.fired: Counter[str] = Counter()
        self.meanwhile: Callable[[], None] = nothing
        self._random = random

    def piece(self) -> int:
        """How many bytes come at once."""
        return self._random.randrange(1, 1 << 20) if self._random else 1 << 20

    def get(self, url: str, headers: Mapping[str, str]) -> Answer:
        self.meanwhile()
        self.requests.append((url, headers))
        file, host = self.files[url], urlsplit(url).netloc
        fault = file.faults.pop() if file.faults else ""
        self.fired[fault] += 1
        answer = self._answer(file, host, headers, fault)
        self.open[host] += 1
        self.most[host] = max(self.most[host], self.open[host])
        self.most[""] = max(self.most[""], self.open.total())
        return answer

    def _answer(self, file: File, host: str, headers: Mapping[str, str], fault: str) -> Answer:
        if error := _failures.get(fault):
            raise error("the network failed")
        if fault == "change":
            file.version += 1
        if fault.isdigit():
            return Answer(self, host, int(fault), {"retry-after": "3"}, b"sorry")
        status, head, body = _content(file, headers, fault)
        answer = Answer(self, host, status, head, body)
        if fault == "drop":
            answer.cut_at = len(body) // 3
        return answer


_failures: dict[str, type[TransferError]] = {"timeout": TimedOut, "reset": ConnectionLost}


def _content(file: File, headers: Mapping[str, str], fault: str) -> tuple[int, dict[str, str], bytes]:
    content, head = file.content(), file.headers()
    wanted = headers.get("range") if file.ranges and file.accepts(headers.get("if-range")) else None
    if wanted is None or fault == "whole":
        return 200, head | ({"content-length": str(file.size)} if file.length else {}), content
    start, _, last = wanted.removeprefix("bytes=").partition("-")
    first, end = int(start), min(file.size, int(last) + 1 if last else file.size)
    if first >= end:
        return 416, head | {"content-range": f"bytes */{file.size}"}, b""
    body = content[first:end]
    shift = 1 if fault == "shift" else 0
    span = f"bytes {first + shift}-{end - 1 + shift}/{file.size}"
    return 206, head | {"content-range": span, "content-length": str(len(body))}, body


class Part:
    """An open part file; see `contract.PartFile`."""

    def __init__(self, disk: "Disk", destination: str, data: bytearray) -> None:
        self._disk, self._destination, self._data = disk, destination, data
        self._closed = False

    def write(self, data: memoryview, offset: int) -> None:
        assert not self._closed, "write after close"
        self._disk.step("write")
        if offset > len(self._data):
            self._data.extend(bytes(offset - len(self._data)))
        self._data[offset : offset + len(data)] = data

    def readinto(self, buffer: memoryview, offset: int) -> int:
        assert not self._closed, "read after close"
        found = self._data[offset : offset + len(buffer)]
        buffer[: len(found)] = found
        return len(found)

    def publish(self, size: int) -> None:
        assert not self._closed, "publish after close"
        self._disk.step("publish")
        assert self._disk.parts.get(self._destination) is self._data, "publishes a part that was replaced"
        del self._disk.parts[self._destination]
        self._disk.published[self._destination] = bytes(self._data[:size])

    def sync(self) -> None:
        self._disk.step("sync")

    def close(self) -> None:
        assert not self._closed, "closed twice"
        self._closed = True
        self._disk.open -= 1


class Disk:
    """See `contract.Storage`. `room` is what is free; `failing` names the steps that fail."""

    def __init__(self) -> None:
        self.parts: dict[str, bytearray] = {}
        self.checkpoints: dict[str, bytes] = {}
        self.published: dict[str, bytes] = {}
        self.open = 0
        self.room = 1 << 40
        self.failing: set[str] = set()
        self.meanwhile: Callable[[], None] = nothing

    def step(self, name: str) -> None:
        """Something that may take its time, and may fail."""
        self.meanwhile()
        if name in self.failing:
            raise StorageFailed(f"cannot {name}: no space left on device")

    def create(self, destination: str) -> Part:
        self.step("create")
        self.parts[destination] = bytearray()
        return self._opened(destination)

    def reopen(self, destination: str) -> Part | None:
        self.step("reopen")
        return self._opened(destination) if destination in self.parts else None

    def save(self, destination: str, checkpoint: bytes) -> None:
        self.step("save")
        self.checkpoints[destination] = checkpoint

    def load(self, destination: str) -> bytes | None:
        self.step("load")
        return self.checkpoints.get(destination)

    def discard(self, destination: str) -> None:
        self.step("discard")
        self.parts.pop(destination, None)
        self.checkpoints.pop(destination, None)

    def reserve(self, size: int) -> None:
        if size > self.room:
            raise StorageFailed(f"the disk is full: the file has {size} bytes, {self.room} are free")

    def _opened(self, destination: str) -> Part:
        self.open += 1
        return Part(self, destination, self.parts[destination])
