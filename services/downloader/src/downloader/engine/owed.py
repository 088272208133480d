"""What a transition of the ledger leaves to be done by its caller, once the lock is released."""

from collections.abc import Sequence
from dataclasses import dataclass

from downloader.contract import Response, Status
from downloader.core.download import Download, Lease, Version


class Revoked(Exception):
    """The lease was taken back: the worker stops where it is, and nothing has failed."""


@dataclass(frozen=True, slots=True)
class Owed:
    """I/O to do for `download`, which is held until `tidied`: put a version away, discard what is here."""

    download: Download
    version: Version | None
    keep: bool
    discard: bool


@dataclass(frozen=True, slots=True)
class Chores:
    """What a worker should see to after its bytes were counted."""

    hash: Lease | None = None
    save: bool = False


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is owed after a lease ended: I/O, the news that a download failed, a retry in so many seconds."""

    owed: Owed | None = None
    failed: Status | None = None
    retry_in: float | None = None


@dataclass(frozen=True, slots=True)
class Interruption:
    """What is owed after a user's word: answers to abort, and I/O if no worker is there to do it."""

    responses: Sequence[Response]
    owed: Owed | None
    status: Status
