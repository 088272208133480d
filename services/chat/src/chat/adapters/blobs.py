"""Files that people share: stored under the SHA-256 of what is in them, so the same file is there once."""

import asyncio
import fcntl
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

RECORD, REFERENCES, USED, SWEEP_SECONDS = "chat:file:", "chat:file-references:", "chat:quota:", 60.0
CHARGE = """
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
if used < 0 then used = redis.call('INCRBY', KEYS[1], -used) end
if tonumber(ARGV[1]) > 0 and used > tonumber(ARGV[2]) then
  used = -redis.call('DECRBY', KEYS[1], ARGV[1]) - 1
end
if redis.call('TTL', KEYS[1]) < 0 then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
return used
"""
REFER = """
local found = redis.call('GET', KEYS[1])
if found then
  redis.call('INCR', KEYS[2])
  redis.call('PEXPIRE', KEYS[2], redis.call('PTTL', KEYS[1]))
end
return found
"""
DROP = "if redis.call('DECR', KEYS[2]) < 1 then redis.call('DEL', KEYS[1], KEYS[2]) end"
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
        handle, part = await asyncio.to_thread(_part, self._folder)
        try:
            digest, size = await self._fill(handle, owner, body)
            await asyncio.to_thread(self._keep, Path(part), digest)
        finally:
            await asyncio.to_thread(Path(part).unlink, missing_ok=True)
        blob = Blob(secrets.token_urlsafe(16), digest, shown, type, size, owner, self._now() + self._seconds)
        await self._redis.set(RECORD + blob.id, json.dumps(asdict(blob)), ex=int(self._seconds) or 1)
        return blob

    async def get(self, id: str) -> Blob:
        """Raises `UnknownFile`."""
        return _blob(await self._redis.get(RECORD + id) if _may_be(id) else None)

    async def refer(self, id: str) -> File:
        """What a message says of a file, which it refers to from now on. Raises `UnknownFile`."""
        blob = _blob(await self._redis.eval(REFER, 2, *_keys(id)) if _may_be(id) else None)
        return File(id=blob.id, name=blob.name, type=blob.type, size=blob.size)

    async def drop(self, id: str) -> None:
        """A message refers to it no more. After the last one nobody can ask for it."""
        await self._redis.eval(DROP, 2, *_keys(id))

    def path(self, blob: Blob) -> Path:
        return self._folder / blob.sha256[:2] / blob.sha256

    async def run(self) -> None:
        """Remove for ever what nobody can ask for any more."""
        while True:
            await asyncio.to_thread(self._sweep)
            await asyncio.sleep(SWEEP_SECONDS)

    async def _fill(self, handle: int, owner: str, body: AsyncIterator[bytes]) -> tuple[str, int]:
        """Nothing is written that has not been paid for: however many come at the same time, no user has more on
        the disk than the quota."""
        digest, size = hashlib.sha256(), 0
        try:
            with os.fdopen(handle, "wb") as file:
                async for piece in body:
                    await self._charge(owner, size, len(piece))
                    size += len(piece)
                    digest.update(piece)
                    await asyncio.to_thread(file.write, piece)
                await asyncio.to_thread(_settle, file)
        except BaseException:
            await self._add(owner, -size)
            raise
        return digest.hexdigest(), size

    async def _charge(self, owner: str, size: int, more: int) -> None:
        """What counts is what was uploaded within the life of a file."""
        if size + more > self._largest:
            raise TooLarge(f"a file may have {self._largest:,} bytes, and this one has more")
        used = await self._add(owner, more)
        if used < 0:
            raise TooLarge(f"you may share {self._quota:,} bytes, and have shared {-used - 1 - size:,}")

    async def _add(self, owner: str, size: int) -> int:
        """What the user has used then, or, if that is too much, what it had, as -1 and less."""
        life = int(self._seconds) or 1
        return int(await self._redis.eval(CHARGE, 1, USED + owner, size, self._quota, life))

    def _keep(self, part: Path, digest: str) -> None:
        place = self._folder / digest[:2] / digest
        place.parent.mkdir(exist_ok=True)
        part.replace(place)

    def _sweep(self) -> None:
        """A file is as old as its last upload, for each replaces it; a part is one that a kill cut short if nobody
        holds it. Other replicas sweep, too."""
        now = self._now()
        self._remove("*/*", now - self._seconds - SWEEP_SECONDS, lambda path: True)
        self._remove("part-*", now - SWEEP_SECONDS, _is_nobodys)

    def _remove(self, pattern: str, oldest: float, really: Callable[[Path], bool]) -> None:
        for path in self._folder.glob(pattern):
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < oldest and really(path):
                    path.unlink()


def _may_be(id: str) -> bool:
    return id.isascii() and len(id) < 64


def _keys(id: str) -> tuple[str, str]:
    return RECORD + id, REFERENCES + id


def _blob(found: str | None) -> Blob:
    if not found:
        raise UnknownFile("there is no such file, or it has expired")
    return Blob(**json.loads(found))


def _part(folder: Path) -> tuple[int, str]:
    """A file to be written to, locked until it is closed: the system sees to it, however a process ends."""
    handle, part = tempfile.mkstemp(dir=folder, prefix="part-")
    fcntl.flock(handle, fcntl.LOCK_EX)
    return handle, part


def _is_nobodys(part: Path) -> bool:
    with part.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _settle(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
