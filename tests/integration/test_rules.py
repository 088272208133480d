"""The Prometheus rules: checked and unit-tested by promtool, and in step with compose.yaml."""

import asyncio
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.supervisor import prometheus
from lab.supervisor.supervise import Absent

ROOT = Path(__file__).parent.parent.parent
HOME = ROOT / "docker/prometheus"
RULES = sorted(HOME.glob("rules/*.yml"))
TESTS = sorted(HOME.glob("tests/*.yml"))
pytestmark = pytest.mark.timeout(120)  # the first run may have to fetch Prometheus


@pytest.fixture(scope="module")
def promtool() -> str:
    """From PATH, else beside the Prometheus that `lab up` would run, fetched into .lab/ where need be."""
    beside = shutil.which("promtool") or _beside_prometheus()
    if beside is None and os.environ.get("CI"):
        pytest.fail("CI needs promtool: install the package `prometheus`.")
    if beside is None:
        pytest.skip("no promtool is here, or to be fetched: install the package `prometheus`")
    return beside


def _beside_prometheus() -> str | None:
    folder = ROOT / ".lab/prometheus"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        program = asyncio.run(prometheus._find(folder))
    except Absent:
        return None
    return shutil.which("promtool", path=program.path.parent)


def run(*command: str | Path) -> None:
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def test_configuration_is_valid(promtool: str, tmp_path: Path) -> None:
    shutil.copytree(HOME, tmp_path / "prometheus")
    run(promtool, "check", "config", tmp_path / "prometheus/prometheus.yml")


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.name)
def test_rules_are_valid(promtool: str, path: Path) -> None:
    run(promtool, "check", "rules", path)


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_rules_do_what_they_say(promtool: str, path: Path) -> None:
    run(promtool, "test", "rules", path)


def test_every_rule_has_its_test() -> None:
    tests = "".join(path.read_text() for path in TESTS)
    names = [rule.get("record") or rule["alert"] for rule in rules()]
    assert names
    assert [name for name in names if name not in tests] == []


def test_every_alert_says_what_happened_and_where_to_look() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert alerts
    for alert in alerts:
        assert alert["labels"]["severity"] in {"info", "warning", "critical"}
        assert set(alert["annotations"]) == {"summary", "look"}


def test_rules_are_explained() -> None:
    explained = (ROOT / "docs/metrics.md").read_text()
    names = {rule.get("record") or rule["alert"] for rule in rules()}
    assert {name for name in names if f"`{name}`" not in explained} == set()


def test_memory_limits_are_those_of_the_containers() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    known = {
        rule["labels"]["service"]: int(rule["expr"].removeprefix("vector(").removesuffix(")"))
        for rule in rules()
        if rule.get("record") == "service:memory_limit_bytes"
    }
    scraped = {
        job["job_name"] for job in yaml.safe_load((HOME / "prometheus.yml").read_text())["scrape_configs"]
    }
    assert known == {name: bytes_of(services[name]["mem_limit"]) for name in scraped}


def bytes_of(limit: str) -> int:
    """A size as Compose writes it, such as 256m, or the default of a variable that holds one."""
    found = re.fullmatch(r"(?:\$\{\w+:-)?(\d+)([kmg])\}?", limit)
    assert found, limit
    return int(found[1]) * {"k": 2**10, "m": 2**20, "g": 2**30}[found[2]]
