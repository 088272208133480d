"""The sweep of files that nobody can ask for any more."""

import os
from pathlib import Path
from typing import Any

import pytest

from chat.adapters.blobs import SWEEP_SECONDS, Blobs, _part

NOW, LIFE = 1_000_000.0, 100.0
OVER = NOW - LIFE - SWEEP_SECONDS


def file(path: Path, written: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    os.utime(path, (written, written))
    return path


def test_what_has_expired_is_swept_and_the_rest_stays(tmp_path: Path) -> None:
    fresh = file(tmp_path / "files/aa/aa1", OVER + 1)
    coming = file(tmp_path / "files/part-1", NOW)
    gone = [file(tmp_path / "files" / name, OVER - 1) for name in ("aa/aa2", "bb/bb1", "part-2")]
    nobody: Any = None
    blobs = Blobs(nobody, tmp_path, lambda: NOW, largest=1, quota=1, seconds=LIFE)

    blobs._sweep()
    assert not any(path.exists() for path in gone)
    assert (fresh.exists(), coming.exists()) == (True, True)


def test_a_part_that_somebody_writes_stays_however_slowly_it_comes(tmp_path: Path) -> None:
    nobody: Any = None
    blobs = Blobs(nobody, tmp_path, lambda: NOW, largest=1, quota=1, seconds=LIFE)
    killed = file(tmp_path / "files/part-killed", NOW - SWEEP_SECONDS - 1)
    handle, slow = _part(tmp_path / "files")
    os.utime(slow, (0, 0))

    blobs._sweep()
    assert (killed.exists(), Path(slow).exists()) == (False, True)
    os.close(handle)  # as the system does when a process ends
    blobs._sweep()
    assert not Path(slow).exists()


def test_a_file_that_another_replica_swept_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file(tmp_path / "files/aa/aa1", OVER - 1)
    vanished = tmp_path / "files/aa/aa0"
    found = Path.glob

    def glob(folder: Path, pattern: str) -> Any:
        yield vanished
        yield from found(folder, pattern)

    nobody: Any = None
    blobs = Blobs(nobody, tmp_path, lambda: NOW, largest=1, quota=1, seconds=LIFE)
    monkeypatch.setattr(Path, "glob", glob)
    blobs._sweep()
    assert not (tmp_path / "files/aa/aa1").exists()
