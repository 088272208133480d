"""Every query of every dashboard and rule has an answer; what is empty is named."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator

import pytest
from stacks import CHALLENGES, ROOT, Stack
from web import ask, eventually, get

NEEDS = tomllib.loads((ROOT / "grafana/needs.toml").read_text())
GENTLE_SECONDS, TROUBLED_SECONDS = 45, 120


def draw(stack: Stack, *options: str) -> tuple[str, set[str]]:
    """The table of all queries with their last values, and the names of those that have none."""
    program = [sys.executable, str(ROOT / "grafana/queries.py"), "--prometheus", stack.url("prometheus")]
    drawn = subprocess.run([*program, *options], capture_output=True, text=True, timeout=200)
    empty = set(re.findall(r"^empty: ([^:]+): ", drawn.stderr, re.MULTILINE))
    assert drawn.stdout.count("series") > 20, drawn.stderr
    assert (drawn.returncode == 0) == (not empty), drawn.stderr
    return drawn.stdout, empty


@pytest.fixture
def in_trouble(stack: Stack) -> Iterator[None]:
    """All faults and engines that some picture needs."""
    needs = NEEDS.values()
    faults: dict[str, dict[str, float]] = {}
    for need in needs:
        faults.setdefault(need["service"], {}).update(need.get("faults", {}))
    for service, wanted in faults.items():
        change(stack, service, "faults", {"faults": wanted})
    for need in needs:
        if "engine" in need:
            change(stack, need["service"], "engine", {"engine": need["engine"]})
    yield
    for need in needs:
        if "engine" in need:
            change(stack, need["service"], "engine", {"engine": "reference"})
    for service, wanted in faults.items():
        change(stack, service, "faults", {"faults": dict.fromkeys(wanted, 0)})


def change(stack: Stack, service: str, what: str, body: object) -> None:
    status, said = ask("PUT", f"{stack.url(service)}/lab/{what}", body)
    assert status == 200, said


@pytest.mark.timeout(120)
def test_every_query_is_answered_under_the_gentle_load(stack: Stack, report: dict[str, str]) -> None:
    stack.wait_ready(*CHALLENGES)
    table, empty = draw(stack, "--wait", str(GENTLE_SECONDS))
    assert empty == set()
    report["last values, under the gentle load"] = "\n" + table


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("in_trouble")
def test_what_needs_trouble_is_answered_in_it(stack: Stack) -> None:
    unseen = set(NEEDS)

    def seen() -> bool:
        unseen.intersection_update(draw(stack, "--all")[1])
        return not unseen

    eventually(seen, TROUBLED_SECONDS, lambda: f"never answered: {unseen}")


def test_every_rule_can_be_evaluated(stack: Stack) -> None:
    def rules() -> list[dict[str, str]]:
        groups = get(stack.url("prometheus") + "/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    eventually(lambda: rules() and all(rule["health"] != "unknown" for rule in rules()))
    assert {rule["name"]: rule["lastError"] for rule in rules() if rule["health"] != "ok"} == {}
    written = "".join(path.read_text() for path in (ROOT / "docker/prometheus/rules").glob("*.yml"))
    assert len(rules()) == written.count("- record: ") + written.count("- alert: ")
