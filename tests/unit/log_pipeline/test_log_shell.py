"""The parts around the engine: what is kept on a disk that fails, alerts, rules, a learner's engine."""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from log_pipeline.adapters import handover
from log_pipeline.adapters.caretaker import Caretaker
from log_pipeline.adapters.desk import PART, Desk
from log_pipeline.adapters.files import TAIL, Files
from log_pipeline.adapters.handover import Handover
from log_pipeline.adapters.rules import read_rules
from log_pipeline.adapters.spill import Spill
from log_pipeline.contract import Batch, Busy, Priority, Receipt, Stats
from log_pipeline.core.alerts import Rule, Rules
from log_pipeline.core.scaling import Scaling

if TYPE_CHECKING:
    from .conftest import Site

BATCH = Batch("tcp:here", Priority.CRITICAL, b"x\n", 1)


class Ended:
    """An engine that leaves one batch when it is stopped."""

    def submit(self, batch: Batch, patience: float = 0.0) -> None: ...

    def scale(self, consumers: int) -> None:
        raise AttributeError("of an engine that is not finished")

    def stats(self) -> Stats:
        return Stats(consumers=0)

    def stop(self, deadline: float) -> Sequence[Batch]:
        return [BATCH]


def test_what_is_left_goes_to_the_next_engine_although_the_disk_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "spill").write_text("no folder")
    handover = Handover(cast(Any, Ended()), Spill(tmp_path / "spill"), lambda timeout: None, {})
    assert handover.stop(1.0) == [BATCH]


@pytest.mark.parametrize("hangs", [True, False])
def test_what_an_engine_has_is_kept_although_it_cannot_say_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    class Stuck(Ended):
        def stop(self, deadline: float) -> Sequence[Batch]:
            if hangs:
                threading.Event().wait()
            raise ZeroDivisionError("of a learner's engine")

    monkeypatch.setattr(handover, "LATE", 0.0)
    owed = dict[str, Batch]()
    stuck = Handover(cast(Any, Stuck()), Spill(tmp_path), lambda timeout: None, owed)
    batches = [replace(BATCH, id=name) for name in "abc"]
    for batch in batches:
        stuck.submit(batch)
    owed.pop("b")  # has ended
    assert stuck.stop(0.0) == [batches[0], batches[2]]
    assert Spill(tmp_path).load() == [batches[0], batches[2]]


def test_what_was_not_accepted_is_not_owed(tmp_path: Path) -> None:
    class Full(Ended):
        def submit(self, batch: Batch, patience: float = 0.0) -> None:
            raise Busy("full")

    owed = dict[str, Batch]()
    with pytest.raises(Busy):
        Handover(cast(Any, Full()), Spill(tmp_path), lambda timeout: None, owed).submit(BATCH)
    assert owed == {}


def test_all_who_wait_to_keep_something_are_written_at_once(tmp_path: Path) -> None:
    spill = Spill(tmp_path)
    batches = [replace(BATCH, id=str(number)) for number in range(20)]
    savers = [threading.Thread(target=spill.save, args=([batch],)) for batch in batches]
    with spill._lock:
        for saver in savers:
            saver.start()
        while len(spill._gathered) < len(batches):
            threading.Event().wait(0.001)
    for saver in savers:
        saver.join()
    assert len(list(tmp_path.glob("*.msgpack"))) == 1
    assert sorted(batch.id for batch in Spill(tmp_path).load()) == sorted(batch.id for batch in batches)


def test_an_end_is_told_although_what_was_kept_cannot_be_removed(tmp_path: Path) -> None:
    spill = Spill(tmp_path)
    spill.save([BATCH])
    [kept] = tmp_path.glob("*.msgpack")
    kept.unlink()
    kept.mkdir()
    spill.finished(Receipt(BATCH.id, written=1))
    assert spill._open == {}


class Host:
    name = "mine"

    def __init__(self) -> None:
        self.asked, self.asked_again = 0, asyncio.Event()

    @property
    def engine(self) -> Ended:
        self.asked += 1
        if self.asked > 4:  # twice for each look
            self.asked_again.set()
        return Ended()


def test_an_engine_that_cannot_scale_yet_does_not_end_the_service() -> None:
    async def goes_on() -> bool:
        host, nothing = Host(), cast(Any, None)
        caretaker = Caretaker(cast(Any, host), nothing, nothing, Scaling(4, high=0.001))
        tasks = [asyncio.create_task(one) for one in (caretaker.scale(), host.asked_again.wait())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return host.asked_again.is_set()

    assert asyncio.run(goes_on())


def test_the_last_records_are_whole_ones(tmp_path: Path) -> None:
    files = Files(tmp_path, 10**9, 1, sync=False)
    line = b"x" * 1023 + b"\n"
    files.write([Batch("a", Priority.REST, b"y" * 100 + b"\n" + line * 2000, 2001)])
    files.close()
    found = files.last("rest", 5000)
    assert set(found) == {"x" * 1023}
    assert len(found) == TAIL // len(line)


def test_alerts_do_not_mind_when_the_clock_is_set(site: "Site") -> None:
    site.rules = Rules([Rule("critical", "rate", Priority.CRITICAL, quiet=10.0)], site.clock.monotonic())
    intake = site.intake
    intake.submit(BATCH)
    [first] = intake.alerts()
    site.clock.time = lambda: site.clock.monotonic() - 3600.0  # type: ignore[method-assign]  # set back
    site.clock.advance(10.0)
    intake.submit(BATCH)
    [second] = intake.alerts()
    assert second.time == first.time + 10.0 - 3600.0


@pytest.mark.parametrize(("pattern", "word"), [("'('", "no regular expression"), ("''", "needs a `pattern`")])
def test_a_pattern_that_is_none_stops_the_start(tmp_path: Path, pattern: str, word: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(f"[[rule]]\nname = 'x'\nkind = 'pattern'\npattern = {pattern}")
    with pytest.raises(ValueError, match=word) as caught:
        read_rules(path)
    assert str(path) in str(caught.value)


def test_a_file_of_rules_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"rules\.toml"):
        read_rules(path)


class TestDesk:
    def test_a_large_body_is_taken_in_parts(self, site: "Site") -> None:
        body = b'{"ts":1}\n' * (PART // 2)
        desk = Desk(site.intake, site.receipts, 1, 5.0)
        receipt = asyncio.run(desk.accept(body, "http:here"))
        desk.close()
        assert receipt.written == PART // 2
        assert max(len(batch.payload) for batch in site.door.batches) <= PART
        assert site.begun._held == 0

    def test_a_body_that_is_refused_holds_nothing(self, site: "Site") -> None:
        site.door.error = Busy("full")
        desk = Desk(site.intake, site.receipts, 1, 5.0)
        with pytest.raises(Busy):
            asyncio.run(desk.accept(b'{"ts":1}\n' * PART, "http:here"))
        desk.close()
        assert (site.begun._held, site.receipts._waiting) == (0, {})

    def test_patience_is_for_the_whole_request_and_begins_when_it_comes(self, site: "Site") -> None:
        patience = list[float]()

        def submit(batch: Batch, most: float = 0.0) -> None:
            patience.append(most)
            site.clock.advance(3.0)
            site.door.end(batch)

        site.door.submit = submit  # type: ignore[method-assign]
        desk = Desk(site.intake, site.receipts, 1, 5.0)
        lines = b'{"ts":1,"level":"info"}\n{"ts":1,"level":"error"}\n{"ts":1,"level":"fatal"}\n'
        asyncio.run(desk.accept(lines, "http:here"))
        desk.close()
        assert patience == [5.0, 2.0, 0.0]
