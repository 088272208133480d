"""Files that people share: stored under the SHA-256 of what is in them, so the same file is there once."""

import asyncio
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog
from redis.asyncio import Redis

from chat.contract import ChatError
from chat.core.answers import File
from chat.core.files import media_type_of, shown_name

__all__ = ["Blob", "Blobs", "NotTaken", "TooLarge", "UnknownFile"]

RECORD, USED, SWEEP_SECONDS = "chat:file:", "chat:quota:", 60.0
log = structlog.get_logger(__name__)


class TooLarge(ChatError):
    """More than one file, or one user, may have; nothing was kept."""

    code = "too_large"


class NotTaken(ChatError):
    """A type of file that is not shared here."""

    code = "forbidden"


class UnknownFile(ChatError):
    """No such file, or not any more."""

    code = "unknown"


@dataclass(frozen=True, slots=True)
class Blob:
    """One upload. Bytes; `expires` in seconds since the epoch."""

    id: str
    sha256: str
    name: str
    type: str
    size: int
    owner: str
    expires: float


class Blobs:
    """Uploads in `folder`, which replicas share; what is known of them is in Redis, and expires there."""

    def __init__(
        self,
        redis: Redis,
        folder: Path,
        now: Callable[[], float],
        *,
        largest: int,
        quota: int,
        seconds: float,
    ) -> None:
        self._redis: Any = redis
        self._folder, self._now = folder / "files", now
        self._largest, self._quota, self._seconds = largest, quota, seconds

    async def take(self, owner: str, name: str, body: AsyncIterator[bytes]) -> Blob:
        """Keep what comes. Raises `NotTaken`, `TooLarge`, and then keeps nothing."""
        shown = shown_name(name)
        type = media_type_of(shown)
        if type is None:
            raise NotTaken(f"files like {shown!r} are not shared here: rename it, or put it into a .zip")
        await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        handle, part = await asyncio.to_thread(tempfile.mkstemp, dir=self._folder, prefix="part-")
        try:
            digest, size = await self._fill(handle, body)
            await self._charge(owner, size)
            await asyncio.to_thread(self._keep, Path(part), digest)
        finally:
            await asyncio.to_thread(Path(part).unlink, missing_ok=True)
        blob = Blob(secrets.token_urlsafe(16), digest, shown, type, size, owner, self._now() + self._seconds)
        await self._redis.set(RECORD + blob.id, json.dumps(asdict(blob)), ex=int(self._seconds) or 1)
        return blob

    async def get(self, id: str) -> Blob:
        """Raises `UnknownFile`."""
        found = await self._redis.get(RECORD + id) if id.isascii() and len(id) < 64 else None
        if not found:
            raise UnknownFile("there is no such file, or it has expired")
        return Blob(**json.loads(found))

    async def describe(self, id: str) -> File:
        """What a message says of a file. Raises `UnknownFile`."""
        blob = await self.get(id)
        return File(id=blob.id, name=blob.name, type=blob.type, size=blob.size)

    def path(self, blob: Blob) -> Path:
        return self._folder / blob.sha256[:2] / blob.sha256

    async def run(self) -> None:
        """Remove for ever what nobody can ask for any more."""
        while True:
            await asyncio.to_thread(self._sweep)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _fill(self, handle: int, body: AsyncIterator[bytes]) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        with os.fdopen(handle, "wb") as file:
            async for piece in body:
                size += len(piece)
                if size > self._largest:
                    raise TooLarge(f"a file may have {self._largest:,} bytes, and this one has more")
                digest.update(piece)
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(_settle, file)
        return digest.hexdigest(), size

    async def _charge(self, owner: str, size: int) -> None:
        """What counts is what was uploaded within the life of a file."""
        used = int(await self._redis.incrby(USED + owner, size))
        if used == size:
            await self._redis.expire(USED + owner, int(self._seconds) or 1)
        if used > self._quota:
            await self._redis.decrby(USED + owner, size)
            raise TooLarge(f"you may share {self._quota:,} bytes, and have shared {used - size:,}")

    def _keep(self, part: Path, digest: str) -> None:
        place = self._folder / digest[:2] / digest
        place.parent.mkdir(exist_ok=True)
        part.replace(place)

    def _sweep(self) -> None:
        """A file is as old as its last upload, for each replaces it; a part is one that a kill cut short.
        Other replicas sweep, too."""
        oldest = self._now() - self._seconds - SWEEP_SECONDS
        for path in (*self._folder.glob("*/*"), *self._folder.glob("part-*")):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest:
                    path.unlink()


def _settle(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
