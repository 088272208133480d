"""A disk for the checks: it holds everything in memory and notes what is open and what appeared under its name."""

from collections.abc import Callable

from downloader.contract import StorageFailed


class Part:
    """The part file port."""

    def __init__(self, disk: "Disk", destination: str, data: bytearray) -> None:
        self._disk, self._destination, self._data, self._open = disk, destination, data, True
        disk.open += 1

    def write(self, data: memoryview, offset: int) -> None:
        self._check()
        missing = offset + len(data) - len(self._data)
        self._data.extend(bytes(max(0, missing)))
        self._data[offset : offset + len(data)] = data
        self._disk.written += len(data)

    def readinto(self, buffer: memoryview, offset: int) -> int:
        self._check()
        found = self._data[offset : offset + len(buffer)]
        buffer[: len(found)] = found
        return len(found)

    def publish(self, size: int) -> None:
        self._check()
        self._disk.on_publish(self._destination)
        if self._disk.parts.get(self._destination) is not self._data:
            raise StorageFailed(f"the part file of {self._destination} is no longer there")
        del self._disk.parts[self._destination]
        self._disk.files[self._destination] = bytes(self._data[:size])
        self._disk.published.append(self._destination)

    def sync(self) -> None:
        self._check()

    def close(self) -> None:
        self._disk.open -= self._open
        self._open = False

    def _check(self) -> None:
        if not self._open:
            raise StorageFailed(f"the part file of {self._destination} is closed")


class Disk:
    """The storage port. `files` are the finished ones, `published` every name in the order it appeared."""

    def __init__(self) -> None:
        self.parts: dict[str, bytearray] = {}
        self.checkpoints: dict[str, bytes] = {}
        self.files: dict[str, bytes] = {}
        self.published: list[str] = []
        self.open = self.written = 0
        self.on_publish: Callable[[str], None] = lambda destination: None

    def after_a_crash(self) -> "Disk":
        """What another process finds when this one is killed now."""
        found = Disk()
        found.parts = {name: bytearray(data) for name, data in self.parts.items()}
        found.checkpoints, found.files = dict(self.checkpoints), dict(self.files)
        return found

    def create(self, destination: str) -> Part:
        self.parts[destination] = bytearray()
        return Part(self, destination, self.parts[destination])

    def reopen(self, destination: str) -> Part | None:
        data = self.parts.get(destination)
        return None if data is None else Part(self, destination, data)

    def save(self, destination: str, checkpoint: bytes) -> None:
        self.checkpoints[destination] = bytes(checkpoint)

    def load(self, destination: str) -> bytes | None:
        return self.checkpoints.get(destination)

    def discard(self, destination: str) -> None:
        self.parts.pop(destination, None)
        self.checkpoints.pop(destination, None)

    def reserve(self, size: int) -> None:
        return
