"""Who judges the checks: for every challenge that is installed, the right engines pass and the wrong ones fail.

`make test` judges each mutant by the check it names. LAB_SEEDS=N judges every engine on N seeds, as CI does.
"""

import os
import tomllib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from lab.challenges import Challenge, home, installed
from lab.grader.catalogue import checks_of
from lab.grader.engines import mutants
from lab.grader.grade import grade
from lab.grader.process import Judge, Order
from lab.grader.verdicts import Report, Verdict

SEEDS = range(int(os.environ.get("LAB_SEEDS", "1")))
NOWHERE = Path(__file__).parent / "solutions"
CHALLENGES = [one for one in installed() if (home(one) / "checks").is_dir()]
MUTANTS = [(one, name) for one in CHALLENGES for name in mutants(one)]
SOLUTIONS = [one for one in CHALLENGES if (NOWHERE / f"{one.module}.py").is_file()]
pytestmark = pytest.mark.timeout(240 * len(SEEDS))


type JudgeOf = Callable[[Challenge], Judge]


@pytest.fixture(scope="module")
def judge_of() -> Iterator[JudgeOf]:
    with ExitStack() as judges:
        yield cache(lambda challenge: judges.enter_context(Judge(challenge, at_once=2)))


type Judged = Callable[[Challenge, str], Report]


@pytest.fixture
def judged(judge_of: JudgeOf) -> Judged:
    def judged(challenge: Challenge, engine: str) -> Report:
        judge = judge_of(challenge)
        return grade(challenge, engine, NOWHERE, seeds=SEEDS, seconds=120.0, effort=0, judge=judge)

    return judged


def described(challenge: Challenge) -> dict[str, object]:
    return tomllib.loads((home(challenge) / "challenge.toml").read_text())


def verdicts(report: Report) -> dict[str, str]:
    return {check.name: check.detail for check in report.checks if check.verdict is not Verdict.PASS}


def code(challenge: Challenge) -> str:
    return challenge.code


@pytest.mark.parametrize("challenge", CHALLENGES, ids=code)
class TestEngines:
    def test_reference_passes_everything(self, judged: Judged, challenge: Challenge) -> None:
        assert verdicts(judged(challenge, "reference")) == {}

    def test_starter_fails_everything(self, judged: Judged, challenge: Challenge) -> None:
        report = judged(challenge, "starter")
        assert {check.verdict for check in report.checks} == {Verdict.FAIL}

    def test_naive_fails_exactly_what_it_lists(self, judged: Judged, challenge: Challenge) -> None:
        report = judged(challenge, "naive")
        failed = {check.name for check in report.checks if check.verdict is Verdict.FAIL}
        assert failed == set(described(challenge)["naive_fails"])  # type: ignore[call-overload]
        assert set(verdicts(report)) == failed

    def test_every_check_has_three_hints(self, challenge: Challenge) -> None:
        hints = described(challenge)["hints"]
        assert isinstance(hints, dict)
        assert {name: len(levels) for name, levels in hints.items()} == {
            check.name: 3 for check in checks_of(challenge)
        }

    def test_every_check_rejects_somebody(self, challenge: Challenge) -> None:
        rejecting = set(mutants(challenge).values()) | set(described(challenge)["naive_fails"])  # type: ignore[call-overload]
        assert {check.name for check in checks_of(challenge)} == rejecting

    def test_has_mutants_enough(self, challenge: Challenge) -> None:
        assert len(mutants(challenge)) >= 8


@pytest.mark.parametrize("challenge", SOLUTIONS, ids=code)
def test_another_solution_passes_everything(judged: Judged, challenge: Challenge) -> None:
    assert verdicts(judged(challenge, "mine")) == {}


@pytest.mark.parametrize(("challenge", "name"), MUTANTS, ids=[f"{one.code}-{name}" for one, name in MUTANTS])
def test_mutant_is_rejected_by_the_check_it_names(judge_of: JudgeOf, challenge: Challenge, name: str) -> None:
    (check,) = checks_of(challenge, [mutants(challenge)[name]])
    for seed in SEEDS:
        order = Order(f"mutant:{name}", str(NOWHERE), check.node, [seed], 120.0, effort=0)
        reply = judge_of(challenge).run(order)
        assert reply.verdict is Verdict.FAIL, f"seed {seed}: {reply.detail}"
