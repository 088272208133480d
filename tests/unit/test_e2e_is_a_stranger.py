"""The end-to-end tests know the lab only from outside: they import no package of this repository."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "tests/e2e").glob("*.py"))
SOURCES = (ROOT / "kit/src", ROOT / "lab/src", *ROOT.glob("services/*/src"))
OURS = {path.parent.name for source in SOURCES for path in source.glob("*/__init__.py")}


def imported(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_our_packages_are_found() -> None:
    assert {"lab", "lab_kit", "downloader"} <= OURS
    assert set(imported("import lab.cli\nfrom lab_kit import log")) == {"lab", "lab_kit"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_imports_nothing_of_ours(path: Path) -> None:
    assert not set(imported(path.read_text())) & OURS
