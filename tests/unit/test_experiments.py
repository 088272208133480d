"""What a verdict follows from, and where an experiment's panel is; nothing is started."""

import json
import random
from collections import Counter
from pathlib import Path

import pytest

from downloader.experiments import EXPERIMENTS
from downloader.experiments.jitter import CLIENTS, WINDOWS, likely_peak
from lab import LabError, WrongUsage
from lab.challenges import Challenge
from lab.experiments import REPETITIONS, Experiment, Finding, Verdict, worst
from lab.experiments.catalogue import experiment_of, panel_url

ROOT = Path(__file__).parents[2]
T1 = Challenge("T1", "Downloader", "Threading", "downloader")


def finding(*measured: float) -> Finding:
    return Finding("what", "formula", 10, 20, measured, "unit")


@pytest.mark.parametrize(
    ("measured", "verdict"),
    [
        ((10, 20, 12, 13, 14, 15), Verdict.HOLDS),
        ((21, 22, 23, 24, 25, 26), Verdict.FAILS),
        ((9, 8, 7, 6, 5, 4), Verdict.FAILS),
        ((12, 13, 14, 15, 16, 21), Verdict.INCONCLUSIVE),
        ((9, 21, 9, 21, 9, 21), Verdict.INCONCLUSIVE),
        ((12, 13, 14, 15, 16), Verdict.INCONCLUSIVE),
        ((), Verdict.INCONCLUSIVE),
    ],
)
def test_a_verdict_needs_the_whole_interval_on_one_side(
    measured: tuple[float, ...], verdict: Verdict
) -> None:
    assert finding(*measured).verdict is verdict


def test_the_interval_of_six_has_the_median_with_96_9_percent() -> None:
    assert finding(*range(REPETITIONS)).confidence == pytest.approx(0.96875)
    chance, inside = random.Random(1), 0
    for _ in range(10_000):
        drawn = [chance.expovariate(1.0) for _ in range(REPETITIONS)]
        inside += min(drawn) <= 0.6931 <= max(drawn)  # ln 2, the median
    assert inside / 10_000 == pytest.approx(0.96875, abs=0.01)


def test_one_finding_that_fails_refutes_the_claim() -> None:
    assert worst([Verdict.HOLDS, Verdict.INCONCLUSIVE, Verdict.FAILS]) is Verdict.FAILS
    assert worst([Verdict.HOLDS, Verdict.INCONCLUSIVE]) is Verdict.INCONCLUSIVE
    assert worst([Verdict.HOLDS]) is Verdict.HOLDS
    assert worst([]) is Verdict.INCONCLUSIVE


def test_the_likely_peak_is_hardly_ever_exceeded_and_not_far_off() -> None:
    chance, bound = random.Random(1), likely_peak(CLIENTS, WINDOWS)
    drawn = [max(Counter(chance.randrange(WINDOWS) for _ in range(CLIENTS)).values()) for _ in range(2000)]
    assert sum(peak > bound for peak in drawn) <= 10  # 2 are expected
    assert max(drawn) >= bound - 2


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda experiment: experiment.name)
def test_the_panel_is_on_the_dashboard(experiment: Experiment) -> None:
    panel = experiment.panel
    board = json.loads((ROOT / "grafana/dashboards" / f"{panel.dashboard}.json").read_text())
    assert panel.title in [one.get("title") for one in board["panels"]]
    assert all(command.startswith("lab ") for command in experiment.live)


def test_without_grafana_a_panel_has_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_URL", "http://127.0.0.1:9")
    assert panel_url(EXPERIMENTS[0].panel, ROOT / "compose.yaml") is None
    assert panel_url(EXPERIMENTS[0].panel, None) is None


def test_a_wrong_name_gets_the_nearest() -> None:
    assert experiment_of(T1, "Workers").name == "workers"
    with pytest.raises(WrongUsage, match=r"T1 has no experiment 'wrokers': did you mean 'workers'\?"):
        experiment_of(T1, "wrokers")
    with pytest.raises(LabError, match=r"X1 has no experiments: there is no email.experiments"):
        experiment_of(Challenge("X1", "None", "Threading", "email"), "any")
