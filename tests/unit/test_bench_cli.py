"""lab bench: which benchmarks there are, and that each runs once, with what was asked for."""

import json
import re
import sys
from pathlib import Path

import pytest

from lab.challenges import Challenge, installed
from lab.cli import main

BENCHES = Path(__file__).parents[1] / "bench"
T1 = Challenge("T1", "Downloader", "Threading", "downloader")
PROGRAM = '''"""Measures {name}. In turn."""
import sys
open({out!r}, "a").write(" ".join(["{name}", *sys.argv[1:]]) + chr(10))
'''


class Checkout:
    """A checkout whose benchmarks write down how they were called."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.compose, self.calls = folder / "compose.yaml", folder / "calls"
        self._benches, self._capsys = folder / "tests" / "bench", capsys
        self.compose.write_text("services: {}\n")
        self._benches.mkdir(parents=True)

    def add(self, name: str, end: str = "") -> None:
        text = PROGRAM.format(name=name, out=str(self.calls)) + end
        (self._benches / f"{name}.py").write_text(text)

    def run(self, *arguments: str) -> tuple[object, str, str]:
        """Exit code, output, and what was said on standard error."""
        sys.argv = ["lab", "bench", *arguments, "--file", str(self.compose)]
        with pytest.raises(SystemExit) as ended:
            main()
        told = self._capsys.readouterr()
        return ended.value.code, told.out, told.err

    @property
    def called(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Checkout:
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setattr("lab.challenges.installed", lambda: [T1])
    return Checkout(tmp_path, capsys)


def test_lists_what_there_is_and_runs_nothing(checkout: Checkout) -> None:
    checkout.add("downloader_peers")
    checkout.add("elsewhere_peers")
    code, out, _ = checkout.run("--json")
    assert (code, json.loads(out)) == (
        0,
        [{"challenge": "T1", "name": "peers", "about": "Measures downloader_peers"}],
    )
    assert "T1" in checkout.run()[1]
    assert checkout.called == []


def test_runs_all_of_a_challenge_with_what_was_asked_for(checkout: Checkout) -> None:
    checkout.add("downloader_peers")
    checkout.add("downloader_service")
    assert checkout.run("downloader", "--rounds", "3", "--busy")[0] == 0
    assert checkout.called == ["downloader_peers --rounds 3 --busy", "downloader_service --rounds 3 --busy"]


def test_runs_the_one_that_was_named(checkout: Checkout) -> None:
    checkout.add("downloader_peers")
    checkout.add("downloader_service")
    assert checkout.run("T1", "Service")[0] == 0
    assert checkout.called == ["downloader_service"]


def test_one_that_fails_does_not_keep_the_others_from_running(checkout: Checkout) -> None:
    checkout.add("downloader_peers", end="sys.exit(3)\n")
    checkout.add("downloader_service")
    assert checkout.run("--all")[0] == 1
    assert checkout.called == ["downloader_peers", "downloader_service"]


def test_a_wrong_name_gets_the_nearest_and_runs_nothing(checkout: Checkout) -> None:
    checkout.add("downloader_peers")
    code, _, err = checkout.run("T1", "pears")
    assert (code, err) == (64, "T1 has no benchmark 'pears': did you mean 'peers'?\n")
    assert checkout.called == []


def test_says_what_is_missing_where_there_is_no_benchmark(checkout: Checkout) -> None:
    code, _, err = checkout.run("T1")
    assert code == 1
    assert "T1 has no benchmark" in err
    checkout.compose.parent.joinpath("tests/bench").rmdir()
    assert "a checkout of the Concurrency Lab" in checkout.run("T1")[2]


def test_every_benchmark_here_takes_the_options_and_says_what_it_is() -> None:
    modules = {challenge.module for challenge in installed()}
    found = [path for module in modules for path in BENCHES.glob(f"{module}_*.py")]
    assert found
    for path in found:
        assert re.search(r'^"""\w.*"""$|^"""\w', path.read_text()), path
        assert {"--rounds", "--busy"} <= set(re.findall(r'"(--\w+)"', path.read_text())), path
