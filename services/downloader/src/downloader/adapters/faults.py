"""The downloader's own faults, wrapped around its ports. Those of the web belong to the origin."""

from collections.abc import Mapping

from downloader.contract import ConnectionLost, PartFile, Response, Storage, StorageFailed, Transport
from lab_kit.faults import Fault, Faults
from lab_kit.ports import Clock

FAULTS = (
    Fault("slow-connect", "seconds", "every request waits this long before it is sent", 60.0),
    Fault("lost-connection", "probability", "a read from the network loses its connection"),
    Fault("slow-disk", "seconds", "every write to the disk takes this much longer", 10.0),
    Fault("full-disk", "probability", "a write finds the disk full"),
)


class FaultyTransport:
    """A transport with `slow-connect` and `lost-connection`."""

    def __init__(self, inner: Transport, faults: Faults, clock: Clock) -> None:
        self._inner, self._faults, self._clock = inner, faults, clock

    def get(self, url: str, headers: Mapping[str, str]) -> Response:
        if self._faults.fired("slow-connect"):
            self._clock.sleep(self._faults.magnitude("slow-connect"))
        return _FaultyResponse(self._inner.get(url, headers), self._faults)


class _FaultyResponse:
    def __init__(self, inner: Response, faults: Faults) -> None:
        self._inner, self._faults = inner, faults
        self.status, self.headers = inner.status, inner.headers
        self.abort, self.close = inner.abort, inner.close

    def readinto(self, buffer: memoryview) -> int:
        if self._faults.drawn("lost-connection"):
            raise ConnectionLost("the connection was lost: the fault lost-connection is on")
        return self._inner.readinto(buffer)


class FaultyStorage:
    """A storage with `slow-disk` and `full-disk`."""

    def __init__(self, inner: Storage, faults: Faults, clock: Clock) -> None:
        self._inner, self._faults, self._clock = inner, faults, clock
        self.save, self.load = inner.save, inner.load
        self.discard, self.reserve = inner.discard, inner.reserve

    def create(self, destination: str) -> PartFile:
        return _FaultyPart(self._inner.create(destination), self._faults, self._clock)

    def reopen(self, destination: str) -> PartFile | None:
        part = self._inner.reopen(destination)
        return part and _FaultyPart(part, self._faults, self._clock)


class _FaultyPart:
    def __init__(self, inner: PartFile, faults: Faults, clock: Clock) -> None:
        self._inner, self._faults, self._clock = inner, faults, clock
        self.readinto, self.publish = inner.readinto, inner.publish
        self.sync, self.close = inner.sync, inner.close

    def write(self, data: memoryview, offset: int) -> None:
        if self._faults.fired("slow-disk"):
            self._clock.sleep(self._faults.magnitude("slow-disk"))
        if self._faults.drawn("full-disk"):
            raise StorageFailed("the disk is full: the fault full-disk is on")
        self._inner.write(data, offset)
