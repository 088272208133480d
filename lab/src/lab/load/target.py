"""Where the service to load is, and whether it is there."""

import http.client
import importlib.util
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from lab import LabError
from lab.challenges import Challenge
from lab.supervisor import control, run
from lab.supervisor.state import Home

__all__ = ["Addresses", "require_load_test", "require_ready"]

READY_SECONDS = 5.0


class Addresses:
    """Finds addresses: as the environment says, else the running lab's, else the Compose file's ports."""

    def __init__(self, file: Path | None, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known = _in_compose(file, environ) if file else {}

    def service(self, challenge: Challenge) -> str:
        """Return the URL of a challenge's service. Raises LabError where there is nothing to go by."""
        return self.of(challenge.folder, challenge.variable)

    def of(self, name: str, variable: str) -> str:
        """Return the URL of a component by its name, or by the variable that may say it."""
        url = self._environ.get(variable) or self._known.get(name)
        if not url:
            raise LabError(f"Where is {name}? Set {variable}, or go to the folder with its compose.yaml.")
        if not url.startswith(("http://", "https://")):
            raise LabError(f"{variable} is {url!r}, which is no address: write http://host:port.")
        return url.rstrip("/")


def _in_compose(file: Path, environ: Mapping[str, str]) -> dict[str, str]:
    state = control.running(Home.beside(file))
    if state:
        return {name: component.address for name, component in state.components.items()}
    return {component.name: component.address for component in run.read_plan(file, environ)}


def require_load_test(challenge: Challenge) -> None:
    """Raise LabError for a challenge whose package has no `load` module."""
    if importlib.util.find_spec(f"{challenge.module}.load") is None:
        raise LabError(
            f"{challenge.code} has no load test: {challenge.module}/load.py is missing; it says what users do."
        )


def require_ready(challenge: Challenge, url: str) -> None:
    """Raise LabError, with what to do, unless the service says that it is ready."""
    try:
        with urllib.request.urlopen(f"{url}/ready", timeout=READY_SECONDS):
            return
    except urllib.error.HTTPError as error:
        raise LabError(f"{challenge.folder} at {url} is not ready: {_detail(error)}") from None
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        reason = getattr(cause, "strerror", None) or cause
        raise LabError(
            f"{challenge.folder} does not answer at {url} ({reason}): start it with `lab up`, "
            f"or say where it is with {challenge.variable}."
        ) from None
    except http.client.HTTPException:
        raise LabError(
            f"What listens at {url} speaks no HTTP, so it is not {challenge.folder}: "
            f"say where that is with {challenge.variable}."
        ) from None


def _detail(error: urllib.error.HTTPError) -> str:
    with error:
        body = error.read(2000)
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"it answered {error.code}"
