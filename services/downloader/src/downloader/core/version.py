"""One version of a file while it is being fetched, and a worker's hold on it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from downloader.contract import PartFile, Response
from downloader.core.http import Validator
from downloader.core.plan import SMALLEST_BLOCK, Block, Plan

if TYPE_CHECKING:
    from downloader.core.download import Download


class Digest(Protocol):
    """A running hash."""

    def update(self, data: memoryview, /) -> None: ...
    def hexdigest(self) -> str: ...


@dataclass(slots=True, eq=False)
class Version:
    """One version of the file and the part file it goes to, open while there are `holders`."""

    plan: Plan
    validator: Validator
    file: PartFile
    digest: Digest
    ranged: bool
    holders: int = 0
    hashed: int = 0
    hashing: bool = False
    saving: bool = False
    saved: int = 0
    saved_at: float = 0.0

    @property
    def keepable(self) -> bool:
        """Whether a later life could go on from what is here."""
        return self.ranged and self.validator.resumable

    def save_due(self, now: float) -> bool:
        """Whether a crash now would cost more than a fiftieth of what is here, or a second."""
        unsaved = self.plan.received - self.saved
        much = unsaved >= max(SMALLEST_BLOCK, self.plan.received // 50)
        late = unsaved > 0 and now - self.saved_at >= 1.0
        return self.keepable and not self.saving and (much or late)

    def continues(self, earlier: "Version") -> bool:
        """Whether what was hashed of `earlier` holds for this one: same bytes, same part file."""
        return self.validator == earlier.validator and self.plan.frontier >= earlier.hashed


class Whole(NamedTuple):
    """A file that came at once, and is under its name."""

    size: int
    sha256: str | None


@dataclass(slots=True, eq=False)
class Lease:
    """One worker's hold on a download: the block it fetches, of the version it belongs to.

    While `idle`, the worker touches nothing of the download: its task has not begun, or it waits for an
    answer. An idle lease that is revoked is released at once; its worker finds that out when it comes back.
    """

    download: "Download"
    version: Version | None = None
    block: Block | None = None
    response: Response | None = None
    idle: bool = True
    revoked: bool = False
    released: bool = False
    brought: Whole | None = None
