"""What compose.yaml promises of every container."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCUMENT = yaml.safe_load((ROOT / "compose.yaml").read_text())
OFFLINE = yaml.safe_load((ROOT / "docker/offline/compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
CHALLENGES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
each = pytest.mark.parametrize("name", SERVICES)


@each
def test_is_checked_for_health_and_given_time_to_start(name: str) -> None:
    assert {"test", "interval", "timeout", "start_period"} <= set(SERVICES[name]["healthcheck"])


@each
def test_is_limited_by_a_setting_of_its_own(name: str) -> None:
    setting = name.upper().replace("-", "_")
    assert re.fullmatch(rf"\$\{{{setting}_MEMORY:-\d+m\}}", SERVICES[name]["mem_limit"])
    assert SERVICES[name]["cpus"] == f"${{{setting}_CPUS:-0}}"


@each
def test_may_do_no_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "cap_add" not in service
    assert "privileged" not in service


@each
def test_is_ended_and_started_again_properly(name: str) -> None:
    assert SERVICES[name]["init"] is True
    assert SERVICES[name]["restart"] == "unless-stopped"


@each
def test_waits_for_the_health_of_what_it_needs(name: str) -> None:
    needs = SERVICES[name].get("depends_on", {})
    assert all(need["condition"] == "service_healthy" for need in needs.values())


@each
def test_is_built_here_or_pinned(name: str) -> None:
    service = SERVICES[name]
    pinned = r"\$\{[A-Z]+_IMAGE:-[\w./-]+:v?\d[\w.-]*\}"
    assert "build" in service or re.fullmatch(pinned, service["image"])


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_a_challenge_has_a_profile_that_also_loads_it(challenge: str) -> None:
    assert SERVICES[challenge]["profiles"] == ["all", challenge]
    assert challenge in SERVICES["load"]["profiles"]
    assert not SERVICES["load"]["depends_on"][challenge]["required"]


def test_all_of_them_run_unless_told_otherwise() -> None:
    assert "COMPOSE_PROFILES=all" in (ROOT / ".env").read_text().splitlines()


def test_named_volumes_are_declared() -> None:
    named = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert {name for name in named if not name.startswith(".")} == set(DOCUMENT["volumes"])


def test_the_offline_variant_has_a_stand_in_for_everything_but_grafana() -> None:
    assert set(OFFLINE["services"]) == set(SERVICES)
    for name, changes in OFFLINE["services"].items():
        own = "build" in SERVICES[name]
        assert name == "grafana" or ("build" in changes if own else "offline" in changes["image"])


def test_every_setting_is_explained_with_its_default() -> None:
    settings = re.findall(r"\$\{(\w+):-([^}]*)\}", yaml.safe_dump(DOCUMENT))
    explained = (ROOT / "docs/operations.md").read_text()
    rows = {
        name: f"| `{name}` | `{default}` |" if default else f"| `{name}` | |" for name, default in settings
    }
    assert {name for name, row in rows.items() if row not in explained} == set()
