"""The experiments of M2: each finds what it predicts, and says so when it is not so, or was not tried."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lab.challenges import Challenge
from lab.experiments import REPETITIONS, Experiment, Verdict
from lab.experiments.laboratory import Laboratory, Running
from lab.experiments.run import Result, run
from primes.engine import PrimeCalculator as Reference
from primes.experiments import amdahl, prefetch, split

M2 = Challenge("M2", "Primes", "Multiprocessing", "primes")


def result_of(experiment: Experiment) -> Result:
    return run(M2, experiment, lambda what: None)


@pytest.mark.parametrize("experiment", [split.SPLIT, prefetch.PREFETCH], ids=lambda one: one.name)
def test_the_claim_holds(experiment: Experiment) -> None:
    found = result_of(experiment)
    assert found.verdict is Verdict.HOLDS, found
    assert {len(finding.measured) for finding in found.findings} == {REPETITIONS}


def test_an_engine_with_equal_shares_refutes_the_claim_about_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "Naive", Reference)
    found = result_of(split.SPLIT)
    assert [finding.verdict for finding in found.findings] == [Verdict.FAILS, Verdict.HOLDS]


def test_workers_that_take_one_at_a_time_refute_the_claim_about_four(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = prefetch.seconds_of
    monkeypatch.setattr(prefetch, "seconds_of", lambda *given: whole(*given[:-1], 1))
    found = result_of(prefetch.PREFETCH)
    assert [finding.verdict for finding in found.findings] == [Verdict.HOLDS, Verdict.FAILS]


def test_a_service_with_one_worker_alone_refutes_amdahl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real services, with a smaller job, whose times are made up: as if each had one worker."""

    @contextmanager
    def service(self: Laboratory, **settings: object) -> Iterator[Running]:
        yield Running("http://127.0.0.1:0")

    def job(laboratory: Laboratory, running: Running, width: int) -> dict[str, Any]:
        return {"seconds": 1.0, "workers": {"a": 0.5, "b": 0.49}}

    monkeypatch.setattr(Laboratory, "service", service)
    monkeypatch.setattr(amdahl, "_job", job)
    monkeypatch.setattr(amdahl, "_cores", lambda: 2)
    found = result_of(amdahl.AMDAHL)
    assert {finding.verdict for finding in found.findings} == {Verdict.FAILS}


def test_amdahl_is_inconclusive_when_not_all_had_something_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def service(self: Laboratory, **settings: object) -> Iterator[Running]:
        yield Running("http://127.0.0.1:0")

    monkeypatch.setattr(Laboratory, "service", service)
    monkeypatch.setattr(amdahl, "_job", lambda *given: {"seconds": 1.0, "workers": {"a": 1.0}})
    assert result_of(amdahl.AMDAHL).verdict is Verdict.INCONCLUSIVE
