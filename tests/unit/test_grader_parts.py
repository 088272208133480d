"""The parts of the grader that need no search."""

import json
from dataclasses import replace
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from lab import LabError
from lab.challenges import Challenge, find, installed
from lab.grader import Inconclusive, Scenario, view
from lab.grader.catalogue import checks_of
from lab.grader.engines import EngineInvalid, EngineSource, engine_source, mutants, require_contract
from lab.grader.grade import grade
from lab.grader.leaks import Leaked
from lab.grader.outcome import Budget, said
from lab.grader.process import Judge, Order, Reply
from lab.grader.shrink import shrink
from lab.grader.threads import FastClock, by_chance
from lab.grader.verdicts import CheckResult, Report, Verdict
from lab_kit.ports import Ports

PASS, FAIL, INCONCLUSIVE, ERROR = Verdict


@pytest.mark.parametrize(
    ("verdicts", "whole", "code"),
    [
        ([PASS, PASS], PASS, 0),
        ([PASS, FAIL], FAIL, 1),
        ([PASS, INCONCLUSIVE], INCONCLUSIVE, 2),
        ([PASS, ERROR, INCONCLUSIVE], ERROR, 3),
        ([ERROR, FAIL], FAIL, 1),
        ([], ERROR, 3),
    ],
)
def test_verdicts_are_never_merged(verdicts: list[Verdict], whole: Verdict, code: int) -> None:
    report = Report("T1", "mine", 0.0, [CheckResult("x", "y", verdict) for verdict in verdicts])
    assert (report.verdict, report.verdict.exit_code) == (whole, code)


FAILED = CheckResult("a", "It adds.", FAIL, "1 of 2", "lab check T1 --only a", "  31  self.n += 1", seed=3)


def test_json_is_what_the_design_says() -> None:
    report = Report("T1", "mine", 1.23456, [FAILED])
    document = json.loads(view.as_json(report))
    assert {name: document[name] for name in ("challenge", "engine", "verdict", "seconds")} == {
        "challenge": "T1",
        "engine": "mine",
        "verdict": "fail",
        "seconds": 1.235,
    }
    check = document["checks"][0]
    assert (check["name"], check["requirement"], check["verdict"]) == ("a", "It adds.", "fail")
    assert (check["detail"], check["replay"]) == ("1 of 2", "lab check T1 --only a")


def test_report_tells_the_same_failure_once() -> None:
    shown = StringIO()
    checks = [FAILED, replace(FAILED, name="b"), CheckResult("c", "It ends.", PASS)]
    view.print_report(Report("T1", "mine", 0.0, checks), Console(file=shown, width=200))
    text = shown.getvalue()
    assert text.count("1 of 2") == 1
    assert "the same as a" in text
    assert "self.n += 1" in text
    assert "1 of 3 passed" in text


def test_traces_of_earlier_runs_go(tmp_path: Path) -> None:
    (saved,) = view.save_traces(Report("T1", "mine", 0.0, [FAILED]), tmp_path)
    assert "self.n += 1" in saved.read_text()
    assert view.save_traces(Report("T1", "mine", 0.0, [replace(FAILED, verdict=PASS)]), tmp_path) == []
    assert not saved.exists()


def test_shrink_keeps_what_is_needed() -> None:
    deviations = {(0, step): 1 for step in range(64)}
    needed = {(0, 5), (0, 40)}
    assert set(shrink(deviations, lambda some: needed <= set(some), 200)) == needed


def test_shrink_gives_up_after_so_many_tries() -> None:
    tries = []

    def fails(some: object) -> bool:
        tries.append(some)
        return False

    deviations = {(0, step): 1 for step in range(64)}
    assert shrink(deviations, fails, 10) == deviations
    assert len(tries) == 10


def test_an_assertion_says_its_message() -> None:
    assert said(AssertionError("1 of 2\nassert 1 == 2")) == "1 of 2"
    assert said(AssertionError("assert 1 == 2")) == "assert 1 == 2"
    assert said(ValueError("no")) == "ValueError: no"
    assert said(Leaked("threads left behind")) == "threads left behind"


T1 = Challenge("T1", "", "", "downloader")


def test_checks_are_read_with_their_requirements() -> None:
    checks = checks_of(T1)
    assert len(checks) >= 10
    assert all(check.requirement.endswith(".") and "\n" not in check.requirement for check in checks)
    assert [check.name for check in checks_of(T1, ["shutdown_drains"])] == ["shutdown_drains"]


def test_unknown_names_are_told() -> None:
    with pytest.raises(LabError, match="no check 'nothing'"):
        checks_of(T1, ["nothing"])
    with pytest.raises(LabError, match="no mutant 'Nobody'"):
        engine_source(T1, "mutant:Nobody", Path())
    with pytest.raises(LabError, match="no engine 'other'"):
        engine_source(T1, "other", Path())
    with pytest.raises(LabError, match="lab start T1"):
        engine_source(T1, "mine", Path("/nowhere"))


@pytest.mark.parametrize(
    "name", ["reference", "naive", "starter", *(f"mutant:{name}" for name in mutants(T1))]
)
def test_every_engine_loads_anew(name: str) -> None:
    source = engine_source(T1, name, Path())
    first, second = source.load(), source.load()
    assert first is not second
    require_contract(first, "downloader")


class Deaf:
    """No method of the contract."""


def test_contract_names_what_is_missing() -> None:
    Deaf.__name__ = "DownloadManager"
    with pytest.raises(EngineInvalid, match="has no method start"):
        require_contract(Deaf, "downloader")


def source_of(kind: type) -> EngineSource:
    return EngineSource("mine", [Path(__file__)], [], lambda: kind)


def silent(engine: type, ports: Ports) -> None: ...


def failing(engine: type, ports: Ports) -> None:
    raise AssertionError("0 of 1")


def absent(engine: type, ports: Ports) -> None:
    raise Inconclusive("it did not rain")


@pytest.mark.parametrize(
    ("scenario", "verdict", "words"),
    [(silent, INCONCLUSIVE, "proves nothing"), (failing, FAIL, "0 of 1"), (absent, INCONCLUSIVE, "not rain")],
)
def test_without_a_search_nothing_passes(scenario: Scenario, verdict: Verdict, words: str) -> None:
    outcome = by_chance(source_of(Deaf), scenario, 0, Budget(schedules=3))
    assert outcome.verdict is verdict
    assert words in outcome.detail


def test_the_fast_clock_is_fast() -> None:
    clock = FastClock()
    before = clock.monotonic()
    clock.sleep(30.0)
    assert clock.monotonic() - before >= 30.0


def test_each_seed_has_its_own_seconds(tmp_path: Path) -> None:
    orders = list[Order]()

    def run(order: Order) -> Reply:
        orders.append(order)
        return Reply(Verdict.PASS, "")

    downloader = find("T1", installed())
    only, judge = [checks_of(downloader)[0].name], cast(Judge, SimpleNamespace(run=run))
    grade(downloader, "reference", tmp_path, only=only, seeds=range(3), seconds=10.0, judge=judge)
    assert [order.seconds for order in orders] == [30.0]
