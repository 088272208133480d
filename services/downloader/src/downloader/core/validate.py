"""What is not even worth trying."""

import re
from urllib.parse import urlsplit

from downloader.contract import InvalidJob, Job

SHA256 = re.compile(r"[0-9a-f]{64}")


def check(job: Job) -> Job:
    """`job`, or `InvalidJob` that says what is wrong with it."""
    try:
        url = urlsplit(job.url)
        url.netloc.encode("ascii")
        usable = url.scheme in ("http", "https") and url.hostname and (url.port is None or url.port > 0)
    except ValueError as error:
        raise InvalidJob(f"{job.url!r} is no URL: {error}") from error
    if not usable:
        raise InvalidJob(f"{job.url!r} is no http or https URL with a host")
    if job.sha256 is not None and not SHA256.fullmatch(job.sha256):
        raise InvalidJob(f"{job.sha256!r} is no SHA-256: 64 lower-case hexadecimal digits")
    return job
