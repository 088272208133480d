"""Files are followed whatever happens to them, to the disk, or to the engine."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from log_pipeline.adapters.follow import GONE, PAUSE, Follower

if TYPE_CHECKING:
    from .conftest import Site


class Watch:
    """A follower that looks when it is told to."""

    def __init__(self, site: "Site", pattern: str) -> None:
        self.site, self.state = site, site.folder / "data" / "followed.json"
        self.follower = Follower(site.intake, site.receipts, [str(site.folder / pattern)], self.state)

    def look(self, *waits: float) -> list[bytes]:
        """Look, and again after each of the seconds; the lines that came so far."""
        for seconds in (0.0, *waits):
            self.site.clock.advance(seconds)
            while self.follower.look():
                pass
        return self.site.door.lines

    def place(self, path: Path) -> int:
        return int(json.loads(self.state.read_text())[str(path)][1])


@pytest.fixture
def watching(site: "Site") -> Iterator[Callable[[str], Watch]]:
    """Begin to watch a pattern."""
    begun = list[Watch]()

    def begin(pattern: str) -> Watch:
        begun.append(Watch(site, pattern))
        return begun[-1]

    yield begin
    for watch in begun:
        for followed in watch.follower._files.values():
            followed.close()


@pytest.fixture
def watch(watching: Callable[[str], Watch]) -> Watch:
    return watching("app.log")


def line(number: int) -> bytes:
    return b'{"ts":1,"n":%d}' % number


def add(path: Path, *numbers: int) -> None:
    with path.open("ab") as file:
        file.writelines(line(number) + b"\n" for number in numbers)


def test_what_is_written_to_a_rotated_file_before_its_writer_has_heard_of_it_is_read(
    watch: Watch, tmp_path: Path
) -> None:
    path, old = tmp_path / "app.log", tmp_path / "app.log.1"
    add(path, 0)
    watch.look(PAUSE)
    path.rename(old)
    path.touch()
    watch.look(PAUSE / 2)
    add(old, 1)
    add(path, 2)
    assert watch.look(PAUSE, PAUSE) == [line(0), line(1), line(2)]


def test_a_rotated_file_that_matches_under_its_new_name_is_not_read_again(
    watching: Callable[[str], Watch], tmp_path: Path
) -> None:
    watch, path = watching("app.log*"), tmp_path / "app.log"
    for number in range(3):
        add(path, number)
        watch.look(PAUSE)
        for age in (2, 1):
            if (tmp_path / f"app.log.{age}").exists():
                (tmp_path / f"app.log.{age}").rename(tmp_path / f"app.log.{age + 1}")
        path.rename(tmp_path / "app.log.1")
        path.touch()
        watch.look(PAUSE, PAUSE, PAUSE)
    assert watch.look() == [line(0), line(1), line(2)]


def test_a_deleted_file_is_let_go(watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    add(path, 0)
    watch.look()
    path.unlink()
    watch.look(PAUSE, GONE)
    assert watch.follower._files == {}
    add(path, 1)
    assert watch.look() == [line(0), line(1)]


def test_a_full_disk_does_not_end_it_and_the_place_is_kept_later(watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    watch.state.parent.write_text("no folder")
    add(path, 0)
    watch.look()
    add(path, 1)
    assert watch.look() == [line(0), line(1)]
    watch.state.parent.unlink()
    watch.look()
    assert watch.place(path) == path.stat().st_size


def test_an_engine_that_raises_gets_it_again(watch: Watch, tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    add(path, 0)
    watch.look()
    watch.site.door.error = ZeroDivisionError("of a learner's engine")
    add(path, 1)
    assert watch.look() == [line(0)]
    watch.site.door.error = None
    assert watch.look() == [line(0), line(1)]


def test_what_is_no_file_is_left_alone(watching: Callable[[str], Watch], tmp_path: Path) -> None:
    (tmp_path / "app.d").mkdir()
    watch = watching("app*")
    assert watch.look() == []
    assert not watch.follower._troubled


def test_what_ends_after_the_last_look_is_not_read_again_by_another_life(
    watch: Watch, tmp_path: Path
) -> None:
    path, door = tmp_path / "app.log", watch.site.door
    door.holding = True
    add(path, 0)
    watch.look()
    door.end(door.batches[0])
    watch.follower.join(0.0)
    assert watch.place(path) == path.stat().st_size
