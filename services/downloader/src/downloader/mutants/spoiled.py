"""The reference behind spoiled ports: what the wrong solutions are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

from downloader.contract import Limits, Ports, Response, Storage, Transport
from downloader.engine import DownloadManager

__all__ = ["Mutant", "Wrapped", "spoiled_answer", "spoiled_disk", "spoiled_web"]


class Wrapped:
    """A port, but for the attributes that are given."""

    def __init__(self, inner: Any, **spoiled: Any) -> None:
        self.inner = inner
        vars(self).update(spoiled)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Mutant(DownloadManager):
    """The reference behind spoiled ports or limits. `caught_by` names the check that has to reject it."""

    caught_by: ClassVar[str]

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        limits = limits or Limits()
        self.told, self.asked_limits = ports.finished, limits
        super().__init__(self.spoil(ports), self.stretch(limits))

    def spoil(self, ports: Ports) -> Ports:
        return ports

    def stretch(self, limits: Limits) -> Limits:
        return limits


def spoiled_web(ports: Ports, answer: Callable[[Response], Any], without: Sequence[str] = ()) -> Ports:
    """`ports` with a web whose answers are changed, and which never hears the headers in `without`."""

    def get(url: str, headers: Mapping[str, str]) -> Any:
        told = {name: value for name, value in headers.items() if name not in without}
        return answer(ports.transport.get(url, told))

    return replace(ports, transport=cast(Transport, Wrapped(ports.transport, get=get)))


def spoiled_disk(ports: Ports, **spoiled: Callable[..., Any]) -> Ports:
    """`ports` with a storage that has other methods."""
    return replace(ports, storage=cast(Storage, Wrapped(ports.storage, **spoiled)))


def spoiled_answer(found: Response, without: Sequence[str] = (), **spoiled: Any) -> Response:
    """`found` without some headers, and with other attributes."""
    headers = {name: value for name, value in found.headers.items() if name not in without}
    return cast(Response, Wrapped(found, **{"headers": headers, **spoiled}))
