"""The progress file: whole or not at all, never overwritten when it cannot be understood."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab import LabError
from lab.progress.changes import started
from lab.progress.record import VERSION, Progress
from lab.progress.store import Corrupt, Store, parse, the_store

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
WRONG = [
    b"",
    b"{",
    b"[]",
    b"\xff\xfe",
    b"null",
    b'{"challenges": {}}',
    b'{"version": 0}',
    b'{"version": "1"}',
    b'{"version": 1, "challenges": {"T1": {"started": "yesterday"}}}',
    b'{"version": 1, "challenges": {"T1": {"started": "2026-11-23T12:00:00"}}}',
    b'{"version": 1, "challenges": {"T1": {"hints": {"a": -1}}}}',
    b'{"version": 1, "surprise": 1}',
    b"[" * 100_000,
]


def begun(progress: Progress) -> Progress:
    return started(progress, "T1", NOON)


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, told: list[str]) -> Store:
    return Store(tmp_path / "data/progress.json", told.append)


def test_reading_nothing_makes_nothing(store: Store) -> None:
    assert store.read() == Progress()
    assert not store.path.parent.exists()


def test_what_was_updated_is_read_by_another(store: Store) -> None:
    after = store.update(begun)
    assert Store(store.path).read() == after
    assert after.of("T1").started == NOON


def test_the_file_says_its_version(store: Store) -> None:
    store.update(begun)
    assert json.loads(store.path.read_text())["version"] == VERSION


@pytest.mark.parametrize("content", WRONG)
def test_a_corrupt_file_is_set_aside(store: Store, told: list[str], content: bytes) -> None:
    store.path.parent.mkdir()
    store.path.write_bytes(content)
    assert store.read() == Progress()
    aside = store.path.with_name("progress.json.corrupt-1")
    assert aside.read_bytes() == content
    assert len(told) == 1
    assert str(aside) in told[0]


def test_what_was_set_aside_is_never_overwritten(store: Store) -> None:
    store.path.parent.mkdir()
    for number in range(1, 4):
        store.path.write_text(f"corrupt {number}")
        store.update(begun)
    kept = {path.name[-1]: path.read_text() for path in store.path.parent.glob("*.corrupt-*")}
    assert kept == {str(number): f"corrupt {number}" for number in range(1, 4)}
    assert store.read().of("T1").started == NOON


@pytest.mark.parametrize("touch", [lambda store: store.read(), lambda store: store.update(begun)])
def test_a_newer_version_is_left_to_that_version(store: Store, touch: object) -> None:
    store.path.parent.mkdir()
    newer = '{"version": 2, "what": "nobody here knows"}'
    store.path.write_text(newer)
    with pytest.raises(LabError, match=r"written by a newer lab \(version 2, this one knows 1\)") as refused:
        touch(store)  # type: ignore[operator]
    assert not isinstance(refused.value, Corrupt)
    assert store.path.read_text() == newer
    assert [path.name for path in store.path.parent.glob("*corrupt*")] == []


def test_a_change_that_fails_changes_nothing(store: Store) -> None:
    store.update(begun)
    before = store.path.read_bytes()

    def fail(progress: Progress) -> Progress:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        store.update(fail)
    assert store.path.read_bytes() == before
    store.update(lambda progress: progress)  # the lock is free again


def test_a_disk_that_is_full_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.update(begun)
    before = store.path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(LabError, match=r"cannot be kept in .*: No space left on device"):
        store.update(lambda progress: started(progress, "T2", NOON))
    assert store.path.read_bytes() == before


def test_a_place_that_cannot_be_used_is_said_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match=r"Progress cannot be kept in .*name another file with LAB_PROGRESS"):
        Store(tmp_path / "file/progress.json").update(begun)


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert the_store({"LAB_PROGRESS": str(tmp_path / "p.json")}).path == tmp_path / "p.json"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert the_store({}).path.parts[-2:] == ("concurrency-lab", "progress.json")


def test_a_document_for_import_is_not_touched(tmp_path: Path) -> None:
    with pytest.raises(Corrupt, match=r"mine\.json is no progress of the lab"):
        parse("{}", "mine.json")
