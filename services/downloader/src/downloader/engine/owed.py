"""What a transition leaves to be done by its caller, once the lock is released."""

from collections.abc import Sequence
from typing import NamedTuple

from downloader.contract import Response, Status
from downloader.core.download import Download
from downloader.core.version import Lease, Version


class Revoked(Exception):
    """The lease was taken back: the worker stops where it is, and nothing has failed."""


class Owed(NamedTuple):
    """I/O to do for `download`, which is held until `tidied`: put a version away, discard what is here."""

    download: Download
    version: Version | None
    keep: bool
    discard: bool


class Chores(NamedTuple):
    """What a worker should see to after its bytes were counted."""

    hash: Lease | None = None
    save: bool = False


class Aftermath(NamedTuple):
    """Answers to abort, I/O, the news that a download has ended, a retry in so many seconds."""

    aborted: Sequence[Response] = ()
    owed: Owed | None = None
    ended: Status | None = None
    retry_in: float | None = None
