"""The faults: checked before anything changes, drawn from a seed, counted when they fire."""

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.origin.faults import FAULTS, REMEMBERED, Faults, Plan
from lab.origin.problems import BadInput
from lab.origin.query import parse_query


def plans(count: int, seed: int = 1, path: str = "/x", **faults: float) -> list[Plan]:
    some = Faults(seed)
    some.set({name.replace("_", "-"): value for name, value in faults.items()})
    return [plan for _ in range(count) if (plan := some.plan("default", path, "", {}))]


def test_without_faults_there_is_no_plan() -> None:
    assert Faults(1).plan("default", "/x", "", {}) is None
    assert Faults(1).plan("default", "/x", "", {"stall": 0.0}) is None


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ({"drop-aftr": 1}, "did you mean 'drop-after'"),
        ({"qqqqqqqq": 1}, "there are latency"),
        ({"error-rate": 1.5}, "error-rate cannot be 1.5: give 0"),
        ({"error-rate": True}, "cannot be True"),
        ({"error-rate": None}, "cannot be None"),
        ({"latency": math.nan}, "cannot be nan"),
        ({"latency": math.inf}, "cannot be inf"),
        ({"latency": -1}, "cannot be -1"),
        ({"status": 200}, "from 400 to 599"),
        ({"latency": 10**400}, "latency cannot be"),
    ],
)
def test_bad_input_changes_nothing(bad: dict[str, object], text: str) -> None:
    faults = Faults(1)
    faults.set({"latency": 2})
    with pytest.raises(BadInput, match=text):
        faults.set({"stall": 1, **bad}, seed=9)
    assert faults.seed == 1
    assert [name for name, facts in faults.describe().items() if facts["magnitude"]] == ["latency"]


def test_a_query_overrides_and_its_empty_value_is_the_default() -> None:
    faults = Faults(1)
    faults.set({"latency-fixed": 2, "redirect": 3})
    plan = faults.plan(
        "default", "/x", "", parse_query({"redirect": "0", "drop-after": ""}, strict=True).faults
    )
    assert plan
    assert plan.magnitudes == {"latency-fixed": 2, "drop-after": FAULTS["drop-after"].default}


@pytest.mark.parametrize("query", [{"drop-aftr": "1"}, {"version": "-1"}, {"etag": "x"}, {"to": "a\r\nb"}])
def test_bad_queries(query: dict[str, str]) -> None:
    with pytest.raises(BadInput, match=next(iter(query))):
        parse_query(query, strict=True)


def test_pages_may_have_any_query() -> None:
    assert parse_query({"utm": "x", "stall": "1"}, strict=False).faults == {"stall": 1}


def draws(seed: int, path: str = "/x") -> list[bool]:
    return [plan.hits("error-rate") for plan in plans(200, seed, path, error_rate=0.3)]


def test_a_seed_replays_and_another_differs() -> None:
    assert draws(1) == draws(1)
    assert draws(1) != draws(2)
    assert draws(1) != draws(1, "/y")


def test_setting_again_replays() -> None:
    faults = Faults(1)
    runs = []
    for _ in range(2):
        faults.set({"error-rate": 0.3})
        runs.append(
            [bool((plan := faults.plan("default", "/x", "", {})) and plan.error()) for _ in range(50)]
        )
    assert runs[0] == runs[1]
    assert any(runs[0])


def test_draws_are_as_likely_as_they_say() -> None:
    assert 0.25 < statistics.mean(draws(1) + draws(2) + draws(3)) < 0.35


@given(st.integers(), st.text())
def test_draws_are_below_one(seed: int, path: str) -> None:
    (plan,) = plans(1, seed, path, stall=1)
    assert 0 <= plan.draw("stall") < 1
    assert plan.hits("stall")


def test_paths_are_independent_of_each_other() -> None:
    """So requests for different files replay, however they interleave."""
    faults = Faults(1)
    faults.set({"fail-first": 1})
    mixed = [faults.plan("default", path, "", {}) for path in "abab"]
    assert [plan.error() if plan else 0 for plan in mixed] == [503, 503, None, None]


@pytest.mark.parametrize(
    ("faults", "codes"),
    [
        ({"status": 404}, [404, 404, 404]),
        ({"fail_first": 2}, [503, 503, None]),
        ({"fail_first": 1, "status": 429}, [429, None, None]),
        ({"error_rate": 1, "status": 500}, [500, 500, 500]),
        ({"stall": 1}, [None, None, None]),
    ],
)
def test_errors(faults: dict[str, float], codes: list[int | None]) -> None:
    assert [plan.error() for plan in plans(3, **faults)] == codes


def test_latency_is_exponential_about_its_mean_on_top_of_the_fixed_part() -> None:
    delays = [plan.delay() for plan in plans(500, latency=0.2, latency_fixed=1)]
    assert min(delays) >= 1
    assert 1.17 < statistics.mean(delays) < 1.23
    assert 0.15 < statistics.stdev(delays) < 0.25


def test_changes_stay_and_do_not_come_before_the_second_request() -> None:
    assert [plan.changes() for plan in plans(4, change_content=1)] == [0, 1, 2, 3]
    assert [plan.changes() for plan in plans(4, change_after=2)] == [0, 0, 1, 1]


def test_what_is_remembered_is_bounded() -> None:
    faults = Faults(1)
    faults.set({"fail-first": 1})
    for number in range(REMEMBERED + 1):
        faults.plan("default", f"/{number}", "", {})
    oldest, newest = (faults.plan("default", f"/{n}", "", {}) for n in (0, REMEMBERED))
    assert oldest
    assert newest
    assert (oldest.number, newest.number) == (1, 2)
