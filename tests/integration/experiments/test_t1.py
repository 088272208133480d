"""The experiments of T1: each finds what it predicts, and says so when it is not so, or was not tried."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest
from tests.command import LAB

from downloader.checks.web import Trouble
from downloader.experiments import counter, jitter, tally, workers
from lab import LabError
from lab.challenges import Challenge
from lab.cli import main
from lab.experiments import REPETITIONS, Experiment, Verdict
from lab.experiments.catalogue import panel_url
from lab.experiments.laboratory import Laboratory, Running
from lab.experiments.run import Result, run

ROOT = Path(__file__).parents[3]
T1 = Challenge("T1", "Downloader", "Threading", "downloader")


def result_of(experiment: Experiment) -> Result:
    return run(T1, experiment, lambda what: None)


def children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


@pytest.mark.parametrize("experiment", [jitter.JITTER, counter.COUNTER], ids=lambda one: one.name)
def test_the_claim_holds(experiment: Experiment) -> None:
    found = result_of(experiment)
    assert found.verdict is Verdict.HOLDS, found
    assert {len(finding.measured) for finding in found.findings} == {REPETITIONS}


def test_an_engine_without_jitter_refutes_the_second_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jitter, "Reference", jitter.NoJitter)
    found = result_of(jitter.JITTER)
    assert [finding.verdict for finding in found.findings] == [Verdict.HOLDS, Verdict.FAILS]
    assert found.verdict is Verdict.FAILS


def test_without_an_error_there_is_nothing_to_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jitter, "Trouble", lambda status: Trouble())
    found = result_of(jitter.JITTER)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == "0 of 200 clients met an error"


def test_a_lock_leaves_the_search_nothing_to_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "Unlocked", tally.Locked)
    monkeypatch.setattr(counter, "SCHEDULES", 12)
    verdicts = [finding.verdict for finding in result_of(counter.COUNTER).findings]
    assert verdicts == [Verdict.HOLDS, Verdict.FAILS, Verdict.HOLDS]


def test_no_lock_where_there_should_be_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "Locked", tally.Unlocked)
    monkeypatch.setattr(counter, "SCHEDULES", 12)
    verdicts = [finding.verdict for finding in result_of(counter.COUNTER).findings]
    assert verdicts == [Verdict.HOLDS, Verdict.HOLDS, Verdict.FAILS]


def test_threads_that_take_turns_were_not_under_stress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter, "_together", lambda tasks: [task() for task in tasks])
    found = result_of(counter.COUNTER)
    assert found.verdict is Verdict.INCONCLUSIVE
    assert found.reason == "no thread ran while another one was counting"


class TestWorkers:
    """Real services and a real origin; fewer than in the experiment, and a shorter latency."""

    @pytest.fixture(autouse=True)
    def _smaller(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        for name, value in {"LATENCY": 0.03, "COUNTS": (4,), "ALONE": 10, "WAVES": 2}.items():
            monkeypatch.setattr(workers, name, value)
        before = children()
        yield
        assert children() <= before

    def test_a_pool_that_is_held_back_refutes_the_claim(self, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = Laboratory.service

        @contextmanager
        def held_back(self: Laboratory, **settings: object) -> Iterator[Running]:
            with whole(self, **{**settings, "downloader_per_host": 1}) as service:
                yield service

        monkeypatch.setattr(Laboratory, "service", held_back)
        found = result_of(workers.WORKERS)
        assert found.verdict is Verdict.FAILS, found
        assert len(found.findings[0].measured) == REPETITIONS

    def test_without_the_latency_it_is_inconclusive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Running, "set_faults", lambda self, **faults: None)
        monkeypatch.setattr(workers, "_cost", lambda laboratory: 0.01)
        found = result_of(workers.WORKERS)
        assert found.verdict is Verdict.INCONCLUSIVE
        assert found.reason == "only 0 of 48 downloads met the latency"

    def test_a_service_that_cannot_start_says_why(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOG_LEVEL", "shout")
        with pytest.raises(LabError, match=r"(?s)The service of the experiment ended:.*SHOUT"):
            result_of(workers.WORKERS)

    def test_out_of_time_is_inconclusive(self) -> None:
        with (
            Laboratory("downloader", seconds=-1.0) as laboratory,
            pytest.raises(Exception, match="not ready"),
        ):
            workers.run(laboratory)


type Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command line; gives exit code, output and what was said on standard error."""

    def command(*arguments: str) -> tuple[object, str, str]:
        monkeypatch.setattr(sys, "argv", ["lab", "experiment", *arguments])
        try:
            main()
            code: object = 0
        except SystemExit as ended:
            code = ended.code or 0
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def test_the_list_has_each_claim(command: Run) -> None:
    code, out, _ = command("T1")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["workers", "jitter", "counter"]
    assert set(json.loads(command("t1", "--json")[1])) == {"workers", "jitter", "counter"}


def test_the_command_says_prediction_measurement_and_verdict(command: Run) -> None:
    code, out, _ = command("T1", "jitter")
    assert code == 0
    for words in (
        "Prediction: without jitter",
        "200 x 0.1 s / 2 s = 10",
        "median",
        "The claim: holds",
        "96.9%",
    ):
        assert words in out
    assert 'the panel "Retries, by reason"' in out


def test_exit_1_when_it_does_not_hold_and_2_when_nothing_was_tried(
    command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jitter, "Reference", jitter.NoJitter)
    code, out, _ = command("T1", "jitter", "--json")
    assert (code, json.loads(out)["verdict"]) == (1, "does not hold")
    monkeypatch.setattr(jitter, "Trouble", lambda status: Trouble())
    code, out, _ = command("T1", "jitter")
    assert code == 2
    assert "The claim: inconclusive: 0 of 200 clients met an error" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["T1", "jiter"], "T1 has no experiment 'jiter': did you mean 'jitter'?"),
        (["downlaoder"], "There is no challenge 'downlaoder': did you mean 'downloader'?"),
    ],
)
def test_wrong_usage_is_told_and_exits_64(command: Run, arguments: list[str], words: str) -> None:
    assert command(*arguments) == (64, "", f"{words}\n")


def test_an_end_from_outside_leaves_no_process() -> None:
    started = subprocess.Popen([LAB, "experiment", "T1", "workers"], stdout=subprocess.DEVNULL)
    try:
        one, began, found = psutil.Process(started.pid), time.monotonic(), list[psutil.Process]()
        while len(found) < 3 and time.monotonic() < began + 30:  # an origin, a Valkey, a service
            found = one.children(recursive=True)
            time.sleep(0.02)
        assert len(found) == 3
        started.terminate()
        assert started.wait(20) == 130
        assert not [process for process in found if process.is_running()]
    finally:
        started.kill()


def test_where_grafana_answers_the_panel_has_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/health" else 404)
            self.end_headers()

        def log_message(self, *words: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Health) as grafana:
        Thread(target=grafana.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{grafana.server_port}"
        monkeypatch.setenv("GRAFANA_URL", base)
        url = panel_url(workers.WORKERS.panel, ROOT / "compose.yaml")
        grafana.shutdown()
    assert url is not None
    assert url.startswith(f"{base}/d/lab-downloader?viewPanel=")
