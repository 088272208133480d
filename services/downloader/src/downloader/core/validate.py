"""What is not even worth trying."""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

from downloader.contract import InvalidJob, Job

PORTS = {"http": 80, "https": 443}
SHA256 = re.compile(r"[0-9a-f]{64}")
ORIGIN = re.compile(r"[^/?#]*//[^/?#]*")
HOST = re.compile(r"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*|[0-9a-f:.]*:[0-9a-f:.]*")


class Place(NamedTuple):
    """Where a URL points: two spellings of one place are equal. IPv6 addresses have no brackets here."""

    scheme: str
    host: str
    port: int

    @property
    def named(self) -> str:
        """`host:port`, with brackets where they are needed."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the Host header (RFC 9110 §7.2)."""
        return (
            self.named.removesuffix(f":{PORTS[self.scheme]}")
            if self.port == PORTS[self.scheme]
            else self.named
        )


def place_of(url: str) -> Place:
    """The place of an http or https URL. Raises `ValueError`, whose text says what is wrong with it."""
    origin = ORIGIN.match(url)
    return _place(origin[0] if origin else url)


@lru_cache(maxsize=1024)
def _place(origin: str) -> Place:
    parts = urlsplit(origin)
    host = (parts.hostname or "").removesuffix(".")
    port = PORTS.get(parts.scheme) if parts.port is None else parts.port
    if parts.scheme not in PORTS or not host:
        raise ValueError("no http or https URL with a host")
    if "@" in parts.netloc:
        raise ValueError("user and password in a URL are not sent: leave them out")
    if not HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no host: a name in its ASCII form, or an address")
    if not port:
        raise ValueError("nobody listens on port 0")
    return Place(parts.scheme, host, port)


def check(job: Job) -> Job:
    """`job`, or `InvalidJob` that says what is wrong with it."""
    try:
        place_of(job.url)
    except ValueError as error:
        raise InvalidJob(f"{job.url!r} cannot be fetched: {error}") from error
    if job.sha256 is not None and not SHA256.fullmatch(job.sha256):
        raise InvalidJob(f"{job.sha256!r} is no SHA-256: 64 lower-case hexadecimal digits")
    return job
