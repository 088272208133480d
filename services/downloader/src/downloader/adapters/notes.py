"""What is said of a download in messages: what somebody wants, and what came of it."""

from pydantic import BaseModel, Field, field_validator

from downloader.adapters.registry import Record
from downloader.contract import Job
from lab_kit.messages import FileRef, Message


class Request(BaseModel, extra="forbid"):
    """One download that somebody wants. `name` is only shown; it never becomes a path."""

    url: str = Field(max_length=4096)
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")
    priority: int = Field(default=0, ge=-100, le=100)
    name: str = Field(default="", max_length=255)

    @field_validator("name")
    @classmethod
    def _printable(cls, name: str) -> str:
        if not name.isprintable():
            raise ValueError("a name has printable characters only")
        return name

    def job(self, job_id: str) -> Job:
        return Job(self.url, job_id, self.sha256 and self.sha256.lower(), self.priority, job_id)


def announcement(record: Record, public_url: str) -> Message:
    """The finished file, for whoever fetches it from `public_url`."""
    url = f"{public_url}/v1/files/{record.job.id}"
    reference = FileRef(url=url, size=record.received, sha256=record.sha256 or "")
    body = {**reference.model_dump(), "name": record.name, "source": record.job.url}
    return Message("file.ready", body, record.trace, record.job.id)
