"""What a comparison is made of: facts of a service, turns, numbers beside those of the reference, a chart."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.cli import main
from lab.compare.chart import as_png, in_terminal
from lab.compare.facts import Facts, parse
from lab.compare.result import METRICS, Comparison, Sample, Spread
from lab.compare.rounds import order
from lab.load.reports import FLOW, Entry, Problem, Summary

EXPOSITION = """
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 1048576
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 2.5
# TYPE lab_context_switches_total counter
lab_context_switches_total{service="tally",engine="naive",kind="voluntary"} 30
lab_context_switches_total{service="tally",engine="naive",kind="involuntary"} 4
# TYPE tally_retries_total counter
tally_retries_total{service="tally",engine="naive",reason="http"} 2
tally_retries_total{service="tally",engine="naive",reason="timeout"} 1
tally_retries_total{service="tally",engine="reference",reason="http"} 50
"""


def sample(engine: str, number: int, throughput: float, **facts: float) -> Sample:
    flow = Entry(FLOW, "all of it", 10, 0, throughput, 0.1, 0.2, 0.3, 0)
    asked = Entry("GET", "/v1", 500, 0, 50.0, 0.001, 0.002, 0.003, 0)
    problems = [Problem("GET", "/v1", "status 500", number)] if number else []
    return Sample(engine, number, Summary(10.0, 0, [asked, flow], problems), **facts)


def row(found: Comparison, name: str) -> dict[str, Spread]:
    return {metric.name: row for metric, row in found.table().items()}[name]


def test_facts_are_those_of_the_engine_and_of_its_process() -> None:
    assert parse(EXPOSITION, "tally", "naive") == Facts(1048576, 34, 2.5, 3)


def test_what_a_service_does_not_tell_is_none() -> None:
    assert parse("", "tally", "naive") == Facts(None, None, None, None)


def test_everyone_goes_first_once() -> None:
    engines = ["naive", "reference", "mine"]
    turns = [order(engines, number) for number in range(3)]
    assert [turn[0] for turn in turns] == engines
    assert all(sorted(turn) == sorted(engines) for turn in turns)
    assert order([], 1) == []


def test_the_median_is_compared_with_that_of_the_reference() -> None:
    rounds = [("naive", (20, 10, 90)), ("reference", (40, 41, 39))]
    found = Comparison(
        [sample(name, at, rate) for name, rates in rounds for at, rate in enumerate(rates)], {}
    )
    assert found.what == (FLOW, "all of it")
    assert row(found, "throughput") == {
        "naive": Spread(20, 10, 90, 0.5),
        "reference": Spread(40, 39, 41, 1.0),
    }
    assert row(found, "p99")["naive"].median == pytest.approx(300)
    assert row(found, "errors")["naive"] == Spread(1, 0, 2, 1.0)


def test_what_a_download_costs_is_per_download_and_what_nobody_told_has_no_row() -> None:
    found = Comparison([sample("mine", 0, 5, switches=120, cpu=0.5, memory=3 * 2**20)], {})
    assert found.base == "mine"
    assert row(found, "context switches")["mine"].median == 12
    assert row(found, "CPU time")["mine"].median == 50
    assert row(found, "memory")["mine"].median == 3
    assert "retries" not in {metric.name for metric in found.table()}


def test_what_failed_is_no_throughput() -> None:
    hasty = Summary(10.0, 0, [Entry(FLOW, "all of it", 400, 390, 40.0, 0.001, 0.002, 0.003, 0)])
    found = Comparison([Sample("naive", 0, hasty), sample("reference", 0, 5)], {})
    assert row(found, "throughput")["naive"].median == pytest.approx(1.0)
    assert row(found, "throughput")["naive"].ratio == pytest.approx(0.2)


def test_nothing_to_compare_with_has_no_ratio() -> None:
    found = Comparison([sample("naive", 0, 5, retries=3), sample("reference", 0, 5, retries=0)], {})
    assert row(found, "retries") == {"naive": Spread(3, 3, 3), "reference": Spread(0, 0, 0)}


def test_without_a_flow_requests_count_and_a_round_without_any_is_zero() -> None:
    only = Summary(1.0, 0, [Entry("GET", "/", 5, 0, 5.0, 0.1, 0.1, 0.1, 0)])
    found = Comparison([Sample("naive", 0, only), Sample("reference", 0, Summary(1.0))], {})
    assert found.what == ("GET", "/")
    assert row(found, "throughput") == {"naive": Spread(5, 5, 5), "reference": Spread(0, 0, 0)}
    assert row(found, "p50") == {"naive": Spread(100, 100, 100)}
    assert Comparison([], {"mine": "gone"}).table() == {}


def test_the_chart_has_each_engine_with_its_number(tmp_path: Path) -> None:
    found = Comparison([sample("naive", 0, 10), sample("reference", 0, 33.456), sample("mine", 0, 0)], {})
    text = in_terminal(found, 80)
    for words in ("naive 10", "reference 33.5", "mine 0", "throughput (a second)", "p95 (ms)"):
        assert words in text
    bars = {
        line.split("┤")[0].split()[0]: line.split("┤")[1].count("█")
        for line in text.splitlines()
        if "┤" in line
    }
    assert bars["reference"] > 2 * bars["naive"] > bars["mine"] == 0
    assert max(map(len, text.splitlines())) <= 80
    as_png(found, tmp_path / "chart", "T1")
    assert (tmp_path / "chart").read_bytes().startswith(b"\x89PNG")


def test_metrics_have_names_of_their_own() -> None:
    assert len({metric.name for metric in METRICS}) == len(METRICS)


type Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `lab compare`; gives exit code, output and what was said on standard error."""

    def run(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["lab", "compare", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return ended.value.code, told.out, told.err

    return run


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["T1", "--engines", "naive,refrence"], "there is no engine 'refrence': did you mean 'reference'?"),
        (["T1", "--engines", ","], "--engines needs at least one of naive, reference, mine"),
        (["T1", "--png", "no/where.png"], "cannot be written; name a file in a folder that is there."),
        (["T1", "--png", "."], "cannot be written"),
        (["downlaoder"], "There is no challenge 'downlaoder': did you mean 'downloader'?"),
    ],
)
def test_wrong_usage_is_told_and_exits_64(run: Run, arguments: list[str], words: str) -> None:
    code, out, told = run(*arguments)
    assert (code, out) == (64, "")
    assert words in told
    assert "Traceback" not in told


def test_without_a_lab_it_is_one_sentence_and_exit_1(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAB_ORIGIN_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DOWNLOADER_URL", "http://127.0.0.1:9")
    code, out, told = run("T1")
    assert (code, out) == (1, "")
    assert told.startswith("downloader does not answer at http://127.0.0.1:9")
    assert "start it with `lab up`" in told
    assert len(told.splitlines()) == 1
