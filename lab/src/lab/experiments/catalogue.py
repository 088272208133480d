"""The experiments of a challenge, and where their panels are."""

import importlib
import importlib.util
import json
import os
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from lab import LabError, WrongUsage
from lab.challenges import Challenge, nearest
from lab.compose import read
from lab.experiments import Experiment, Panel

__all__ = ["experiment_of", "experiments_of", "panel_url"]

ANSWER_SECONDS = 1.0


def experiments_of(challenge: Challenge) -> Sequence[Experiment]:
    """The experiments that the challenge offers. Raises LabError for one that offers none."""
    module = f"{challenge.module}.experiments"
    if importlib.util.find_spec(module) is None:
        raise LabError(f"{challenge.code} has no experiments: there is no {module}.")
    return tuple(importlib.import_module(module).EXPERIMENTS)


def experiment_of(challenge: Challenge, name: str) -> Experiment:
    """The experiment called `name`, in any case. Raises WrongUsage, with the nearest, for another name."""
    known = {experiment.name: experiment for experiment in experiments_of(challenge)}
    if name.casefold() not in known:
        raise WrongUsage(f"{challenge.code} has no experiment {name!r}: {nearest(name, known)}")
    return known[name.casefold()]


def panel_url(panel: Panel, compose: Path | None) -> str | None:
    """The address of a panel in the Grafana of the lab; None where none answers."""
    if compose is None:
        return None
    board = compose.parent / "grafana" / "dashboards" / f"{panel.dashboard}.json"
    base = os.environ.get("GRAFANA_URL") or _published(compose)
    if not base or not board.is_file() or not _answers(base):
        return None
    found = json.loads(board.read_text(encoding="utf-8"))
    number = next((one["id"] for one in found["panels"] if one.get("title") == panel.title), None)
    return f"{base.rstrip('/')}/d/{found['uid']}" + (f"?viewPanel={number}" if number is not None else "")


def _published(compose: Path) -> str | None:
    grafana = read(compose.read_text(encoding="utf-8"), os.environ, str(compose)).services.get("grafana")
    if grafana is None or grafana.port is None:
        return None
    return f"http://127.0.0.1:{os.environ.get(grafana.port.variable) or grafana.port.default}"


def _answers(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base.rstrip('/')}/api/health", timeout=ANSWER_SECONDS):
            return True
    except (OSError, ValueError):
        return False
