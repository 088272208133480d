"""The experiments of T2: what does not depend on how busy the machine is."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from lab.experiments import Finding, Verdict
from lab.experiments.laboratory import Laboratory
from log_pipeline.contract import Limits
from log_pipeline.experiments import aging, burst
from log_pipeline.experiments.plant import Plant, plant


@contextmanager
def hurried(limits: Limits, seconds: Callable[[], float]) -> Iterator[Plant]:
    """A plant whose sink hurries when all is sent: how long the last record waits is not judged here."""
    pace = seconds
    with plant(limits, lambda: pace()) as running:
        yield running
        pace = lambda: 0.0  # noqa: E731


@pytest.fixture(autouse=True)
def _smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SENT": 20, "SECONDS": 0.02, "plant": hurried}.items():
        monkeypatch.setattr(burst, name, value)


def held(findings: Sequence[Finding]) -> list[Verdict]:
    """What came of the findings about memory."""
    return [finding.verdict for finding in findings if finding.unit.startswith("bytes")]


def test_a_bound_bounds_what_a_burst_holds_in_memory() -> None:
    with Laboratory("log_pipeline") as laboratory:
        assert held(burst.run(laboratory)) == [Verdict.HOLDS, Verdict.HOLDS]


def test_without_the_bound_the_claim_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(burst, "BOUNDED", burst.FREE)
    with Laboratory("log_pipeline") as laboratory:
        assert held(burst.run(laboratory)) == [Verdict.HOLDS, Verdict.FAILS]


def test_what_is_not_urgent_comes_through_a_flood_that_never_ends() -> None:
    with Laboratory("log_pipeline") as laboratory:
        assert aging._wait(laboratory, 0.01) >= 0.02
