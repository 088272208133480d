"""The shape of the repository, asserted: whoever has read one service has read all."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
CHALLENGES = {
    "downloader": "T1",
    "log-pipeline": "T2",
    "data-pipeline": "M1",
    "primes": "M2",
    "scraper": "A1",
    "chat": "A2",
    "profiler": "P1",
    "processor": "P2",
    "advisor": "D1",
    "switcher": "D2",
}
SERVICES = sorted(path.parent for path in ROOT.glob("services/*/pyproject.toml"))
MODULES = (
    *("contract", "core", "engine", "adapters", "naive", "metrics", "config", "app", "load", "__main__"),
    "experiments",
)
SOURCES = sorted(
    path
    for tree in ("kit/src", "lab/src", "services", "grafana", "docker", "tests", ".ci")
    for path in (ROOT / tree).rglob("*.py")
)
LONGEST_FILE, LONGEST_MAIN, LARGEST_KIT = 300, 30, 1275


def module_of(service: Path) -> Path:
    return service / "src" / service.name.replace("-", "_")


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def statements(source: Path) -> int:
    """Lines that hold code: no blank lines, comments or docstrings."""
    tree = ast.parse(source.read_text())
    docs: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                docs.update(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    lines = enumerate(source.read_text().splitlines(), 1)
    return sum(1 for number, line in lines if number not in docs and line.strip() and line.strip()[0] != "#")


def test_services_are_the_syllabus() -> None:
    assert {service.name for service in SERVICES} <= set(CHALLENGES)


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
class TestService:
    def test_has_every_part(self, service: Path) -> None:
        home = module_of(service)
        missing = [
            name for name in MODULES if not (home / name).is_dir() and not (home / f"{name}.py").is_file()
        ]
        assert not missing
        assert (service / "README.md").is_file()

    def test_main_only_composes(self, service: Path) -> None:
        assert len((module_of(service) / "__main__.py").read_text().splitlines()) < LONGEST_MAIN

    def test_is_registered_under_its_code(self, service: Path) -> None:
        project = tomllib.loads((service / "pyproject.toml").read_text())["project"]
        code = CHALLENGES[service.name]
        assert project["entry-points"]["lab.challenges"] == {code: module_of(service).name}
        challenge = tomllib.loads((module_of(service) / "challenge.toml").read_text())
        assert challenge["code"] == code
        assert set(challenge["complexity"]) == {
            "threading",
            "multiprocessing",
            "asyncio",
            "performance",
            "decision",
        }
        assert all(0 <= level <= 5 for level in challenge["complexity"].values())

    def test_runs_in_the_lab(self, service: Path) -> None:
        assert service.name in yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]

    def test_is_linked_from_the_readme(self, service: Path) -> None:
        assert f"services/{service.name}/README.md" in (ROOT / "README.md").read_text()


def test_readme_names_the_ten_challenges() -> None:
    rows = re.findall(r"^\| ([TMAPD]\d) \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rows == list(CHALLENGES.values())


def test_every_file_is_one_idea() -> None:
    too_long = [path for path in SOURCES if len(path.read_text().splitlines()) > LONGEST_FILE]
    assert not too_long


def test_kit_stays_small() -> None:
    assert sum(map(statements, (ROOT / "kit/src").rglob("*.py"))) <= LARGEST_KIT


def metric_names() -> Iterator[str]:
    for source in (ROOT / "kit/src/lab_kit/metrics.py", *ROOT.glob("services/*/src/*/metrics.py")):
        own = "lab" if "kit" in source.parts else source.parent.name
        yield from re.findall(rf'"({own}_[a-z_]+)"', source.read_text())


def test_every_metric_is_explained() -> None:
    explained = (ROOT / "docs/metrics.md").read_text()
    names = set(metric_names())
    assert names
    assert not {name for name in names if f"`{name}" not in explained}


def test_every_dependency_has_its_reason() -> None:
    reasons = (ROOT / "docs/architecture.md").read_text()
    named = set()
    for path in (
        ROOT / "pyproject.toml",
        *ROOT.glob("*/pyproject.toml"),
        *ROOT.glob("services/*/pyproject.toml"),
    ):
        found = tomllib.loads(path.read_text())
        wanted = found["project"].get("dependencies", []) + found.get("dependency-groups", {}).get("dev", [])
        named |= {re.split(r"[<>=;\[ ]", requirement)[0] for requirement in wanted}
    assert not {name for name in named - {"lab-kit"} if f"`{name}`" not in reasons}


def test_lock_is_pinned_hashed_and_names_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"^[a-z0-9-]+(?:\[[a-z,-]+\])?==\S+", lock, re.MULTILINE | re.IGNORECASE)
    entries = re.findall(
        r"^[a-z0-9].*(?:\n    --hash=sha256:[0-9a-f]{64}(?: \\)?)+", lock, re.MULTILINE | re.IGNORECASE
    )
    assert pinned
    assert len(pinned) == len(entries)
    assert "://" not in lock


def test_no_file_names_a_package_index() -> None:
    index = re.compile(
        r"://[a-z0-9.-]*(pypi|pythonhosted|npmjs|deb\.debian|golang)[a-z0-9.-]*", re.IGNORECASE
    )
    named = [path for path in tracked() if index.search(path.read_text(errors="ignore"))]
    assert not named


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(TODO" + r"|FIXME|XXX|NotImplementedError)\b")
    unfinished = [path for path in SOURCES if path.name != "starter.py" and marks.search(path.read_text())]
    assert unfinished == [Path(__file__)]


def test_compose_publishes_on_loopback_below_the_ephemeral_ports() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published
    for port in published:
        found = re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+:-(\d+)(?:-\d+)?\}:\d+(?:/(?:tcp|udp))?", port)
        assert found, port
        assert int(found[1]) < 32768
