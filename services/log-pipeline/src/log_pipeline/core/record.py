"""One record that was no JSON, and what is written for it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import msgspec

from log_pipeline.contract import Priority
from log_pipeline.core.levels import priority_of


@dataclass(frozen=True, slots=True)
class Record:
    """What a line says. `timestamp` as it stands there; `format` is a bounded metric label."""

    format: str
    message: str
    level: str | None = None
    timestamp: str | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def priority(self) -> Priority:
        return priority_of(self.level)

    def cut(self, characters: int) -> "Record":
        """The beginning of it, without what else the line says."""
        return replace(self, message=self.message[:characters], extra={})

    def encoded(self, source: str, received: str, raw: bytes | None = None) -> bytes:
        """One line of JSON, without its end. `raw` are the bytes of a line that is no text: kept in base64."""
        fields: dict[str, object] = {"ts": self.timestamp or received}
        if self.level:
            fields["level"] = self.level
        fields |= {"format": self.format, "source": source, "message": self.message}
        if self.extra:
            fields["fields"] = self.extra
        if raw is not None:
            fields["raw"] = base64.b64encode(raw).decode()
        return msgspec.json.encode(fields)
