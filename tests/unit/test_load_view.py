"""What a load process tells, and what is shown of it."""

import io
import json
import re
from dataclasses import replace

import pytest
from rich.console import Console

from lab.load import view
from lab.load.reports import FLOW, Entry, Job, Problem, Progress, Summary, decode, encode

PROGRESS = Progress(
    4.2, 30.0, 10, 2, 127.4, {"download to done": 25.04, "idle": 0.0}, {"download to done": 1.5}
)
SUMMARY = Summary(
    elapsed=2.0,
    unfinished=1,
    entries=[
        Entry(FLOW, "download to done", 10, 3, 5.0, 0.019, 1.25, 2.0, 4 << 20),
        Entry("GET", "/v1/downloads/[id]", 30, 0, 15.0, 0.002, 0.003, 0.01, 999),
        Entry("POST", "/v1/downloads", 10, 2, 5.0, 0.002, 0.003, 0.01, 0),
    ],
    errors=[
        Problem(FLOW, "download to done", "the download failed: [Errno 28] no space", 3),
        Problem("POST", "/v1/downloads", "status 503", 2),
    ],
)
JOB = Job("downloader", "http://127.0.0.1:1", "http://127.0.0.1:2", "steady", 10, 30.0, 1)


def printed(summary: Summary, *, terminal: bool = False, width: int = 100) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width if terminal else None, highlight=False)
    view.print_summary(summary, console)
    return out.getvalue()


def cells(text: str) -> list[list[str]]:
    return [re.split(r" {2,}", line.strip()) for line in text.splitlines()]


@pytest.mark.parametrize("report", [PROGRESS, SUMMARY, Summary(0.5)], ids=["progress", "summary", "empty"])
def test_a_report_is_one_line_and_survives_it(report: Progress | Summary) -> None:
    assert "\n" not in encode(report)
    assert decode(encode(report)) == report


def test_only_work_without_errors_is_ok() -> None:
    assert not SUMMARY.ok
    assert replace(SUMMARY, errors=[]).ok
    assert not Summary(1.0).ok, "nothing was asked"


def test_progress_is_one_line() -> None:
    assert view.line(PROGRESS) == (
        "4 of 30 s, users: 10, requests: 127/s, download to done: 25.0/s (p95 1.50 s), idle: 0.0/s, failures: 2"
    )
    late = view.line(replace(PROGRESS, elapsed=34.0))
    assert late.startswith("34 s, waiting for the last visits, users: 10, ")


def test_the_summary_has_counts_quantiles_and_errors_by_kind() -> None:
    rows = cells(printed(SUMMARY))
    assert rows[1:4] == [
        ["download to done", "10", "3", "5.0", "19 ms", "1.25 s", "2.00 s", "2.0"],
        ["GET /v1/downloads/[id]", "30", "0", "15.0", "2 ms", "3 ms", "10 ms"],
        ["POST /v1/downloads", "10", "2", "5.0", "2 ms", "3 ms", "10 ms"],
    ]
    assert rows[5:7] == [
        ["the download failed: [Errno 28] no space", "download to done", "3"],
        ["status 503", "POST /v1/downloads", "2"],
    ]


def test_the_last_sentence_counts_requests_and_not_flows() -> None:
    assert view.verdict(SUMMARY) == (
        "40 requests in 2.0 s (20 a second), 5 errors. Cut short at the end, and in no time above: 1 visit."
    )
    assert view.verdict(replace(SUMMARY, errors=[], unfinished=0)) == (
        "40 requests in 2.0 s (20 a second), no errors."
    )
    assert view.verdict(Summary(1.0)) == "Nothing was asked of the service."


def test_off_a_terminal_it_is_plain_and_its_width_does_not_depend_on_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wide = printed(SUMMARY)
    monkeypatch.setenv("COLUMNS", "20")
    assert printed(SUMMARY) == wide
    assert "\x1b" not in wide
    assert "\x1b" in printed(SUMMARY, terminal=True), "so that the line above could fail"


def test_off_a_terminal_progress_is_a_plain_line_each_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with view.progress() as show:
        show(PROGRESS)
        show(PROGRESS)
    told = capsys.readouterr()
    assert told.err == 2 * f"{view.line(PROGRESS)}\n"
    assert told.out == ""


def test_json_holds_the_job_and_every_figure() -> None:
    document = json.loads(view.as_json(JOB, SUMMARY))
    assert document["load"]["users"] == 10
    assert document["ok"] is False
    del document["load"], document["ok"]
    assert Summary.from_values(document) == SUMMARY


def test_the_name_of_a_flow_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with view.progress() as show:
        show(Progress(1.0, 2.0, 1, 0, 3.0, {"read [id] of [/etc]": 4.0}, {}))
    assert "read [id] of [/etc]: 4.0/s" in capsys.readouterr().err
