"""What must be known to go on after a restart, as bytes."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from downloader.core.http import Validator
from downloader.core.plan import Range

VERSION = 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Which bytes of which version of `url` are in the part file.

    `synced` says that they were on the disk, not only in its cache, before this was written; else they can be
    trusted only while the machine has not restarted since (`boot`).
    """

    url: str
    validator: Validator
    here: Sequence[Range]
    boot: str
    synced: bool

    def encode(self) -> bytes:
        return json.dumps({"v": VERSION, **asdict(self)}).encode()

    def serves(self, url: str, boot: str) -> bool:
        """Whether a download of `url` on the machine run `boot` may go on from here."""
        return self.url == url and self.validator.resumable and (self.synced or self.boot == boot)

    @property
    def sound(self) -> bool:
        """Whether the ranges are in order, apart, and within the file."""
        edges = [0, *(edge for span in self.here for edge in span), self.validator.total or 0]
        return all(start < end for start, end in self.here) and edges == sorted(edges)


def decode(raw: bytes) -> Checkpoint | None:
    """A checkpoint, or None for anything that is not one: then the download starts over."""
    try:
        found = json.loads(raw)
        if found.pop("v") != VERSION:
            return None
        here = [(int(start), int(end)) for start, end in found.pop("here")]
        checkpoint = Checkpoint(here=here, validator=_validator(found.pop("validator")), **found)
        return checkpoint if checkpoint.sound else None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _validator(found: dict[str, Any]) -> Validator:
    validator = Validator(**found)
    texts = (validator.etag, validator.last_modified)
    if not isinstance(validator.total, int) or not all(isinstance(text, str | None) for text in texts):
        raise TypeError("no validator of a version with a known size")
    return validator
