"""A save is seen whether or not the kernel says so."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest

import lab.learner.saves as module
from lab.learner.saves import looks, saves

PATIENCE = 20.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text("one")
    return path


def steps(*changes: object) -> Iterator[None]:
    """Look, then after each change."""
    for change in changes:
        if callable(change):
            change()
        yield


def count(path: Path, when: Iterable[object]) -> int:
    told: list[None] = []
    saves(path, lambda: told.append(None), when)
    return len(told)


def test_another_content_is_a_save(file: Path) -> None:
    assert (
        count(file, steps(None, lambda: file.write_text("two"), None, lambda: file.write_text("three"))) == 2
    )


def test_the_same_content_is_none(file: Path) -> None:
    assert count(file, steps(file.touch, lambda: file.write_text("one"))) == 0


def test_an_editor_that_replaces_the_file_saves_once(file: Path) -> None:
    assert count(file, steps(file.unlink, None, lambda: file.write_text("one"))) == 0
    assert count(file, steps(file.unlink, None, lambda: file.write_text("two"))) == 1


def watched(file: Path) -> None:
    """Fails unless a save of the file is seen while somebody else watches it."""
    told: SimpleQueue[None] = SimpleQueue()
    stop, looking = threading.Event(), threading.Event()

    def when() -> Iterator[object]:
        for look in looks(file.parent, stop):
            looking.set()
            yield look

    watcher = threading.Thread(target=saves, args=(file, lambda: told.put(None), when()))
    watcher.start()
    try:
        assert looking.wait(PATIENCE), "it never looks where nothing happens"
        file.write_text("two")
        told.get(timeout=PATIENCE)
    finally:
        stop.set()
        watcher.join()


def test_the_kernel_tells_of_a_save(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_MS", 3_600_000)
    told: SimpleQueue[None] = SimpleQueue()
    stop = threading.Event()
    tell, when = lambda: told.put(None), looks(file.parent, stop)
    watcher = threading.Thread(target=saves, args=(file, tell, when))
    watcher.start()
    try:
        for number in range(100):  # the first ones may come before it watches
            file.write_text(str(number))
            with suppress(Empty):
                return told.get(timeout=0.2)
        pytest.fail("the kernel told nothing")
    finally:
        stop.set()
        watcher.join()


def test_a_folder_where_the_kernel_tells_nothing_is_looked_at(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere, real = tmp_path_factory.mktemp("elsewhere"), module.watch
    monkeypatch.setattr(module, "watch", lambda folder, **options: real(elsewhere, **options))
    watched(file)


def test_where_no_watch_can_be_had_it_looks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def used_up(*folders: Path, **options: object) -> Iterator[object]:
        raise OSError(28, "OS file watch limit reached")
        yield

    monkeypatch.setattr(module, "watch", used_up)
    watched(file)
