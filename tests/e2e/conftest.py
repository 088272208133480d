"""The lab from outside: `LAB_E2E=compose pytest tests/e2e` or `LAB_E2E=processes pytest tests/e2e`.

Without LAB_E2E nothing here is collected, since it starts a whole lab.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

WAY = os.environ.get("LAB_E2E", "")
FIRST_PANEL = "sum by (service) (rate(lab_requests_total[8s]))"
figures = pytest.StashKey[dict[str, str]]()

if WAY:
    sys.path.insert(0, str(Path(__file__).parent))  # for `stacks` and `web`
else:
    collect_ignore_glob = ["test_*.py"]

if TYPE_CHECKING:
    from stacks import Stack


def pytest_configure(config: pytest.Config) -> None:
    config.stash[figures] = {}


@pytest.fixture(scope="session")
def report(pytestconfig: pytest.Config) -> dict[str, str]:
    """What was measured, by name; printed at the end."""
    return pytestconfig.stash[figures]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, report: dict[str, str]) -> "Iterator[Stack]":
    """A lab that is up, with nothing stored before; ended afterwards, whatever happened."""
    from stacks import Containers, Processes
    from web import eventually, query

    ways = {"compose": Containers, "processes": lambda: Processes(tmp_path_factory.mktemp("lab"))}
    lab = ways[WAY]()
    lab.down(data=bool(lab.left(data=True)))
    try:
        began = time.monotonic()
        lab.up()
        ready = time.monotonic()
        eventually(lambda: query(lab.url("prometheus"), FIRST_PANEL))
        report["from up to all healthy"] = f"{ready - began:.1f} s"
        report["from there to the first panel"] = f"{time.monotonic() - ready:.1f} s"
        yield lab
    finally:
        lab.redis.close()
        lab.down(data=True)
    assert lab.left(data=True) == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, value in config.stash[figures].items():
        terminalreporter.write_line(f"{name}: {value}")
