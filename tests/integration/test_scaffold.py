"""`lab new`: what it makes is a challenge at once, for whoever installs it, and is refused in one sentence."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.command import LAB
from tests.ports import free_port

from lab.challenges import Challenge, find, home, installed
from lab.cli import main
from lab.experiments.catalogue import experiments_of
from lab.grader.catalogue import checks_of
from lab.grader.engines import mutants
from lab.grader.grade import grade
from lab.grader.process import Judge, Order
from lab.grader.table import inserted
from lab.grader.verdicts import Verdict
from lab.learner.syllabus import entries
from lab.learner.workspace import readme
from lab.scaffold.names import Names, named
from lab.scaffold.template import KINDS, rendered
from lab.scaffold.view import next_steps

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")
PATIENCE = 30.0  # seconds until something that should happen is missed
pytestmark = pytest.mark.timeout(240)


def lab_new(*arguments: str, folder: Path) -> tuple[int, str]:
    done = subprocess.run([LAB, "new", *arguments], cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module", params=KINDS)
def stranger(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Challenge]:
    """A new challenge of each kind, as a third party's package that is installed without the network."""
    kind, folder = request.param, tmp_path_factory.mktemp("new")
    code, told = lab_new("X7", f"tally-{kind}", "--kind", kind, folder=folder)
    assert code == 0, told
    target = ["--python", sys.executable, "--target", str(folder / "site")]
    install = [UV, "pip", "install", "--quiet", "--offline", "--no-deps", *target, folder / f"tally-{kind}"]
    subprocess.run(install, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder / "site"))
        patch.setenv("PYTHONPATH", str(folder / "site"))
        yield find("X7", installed())


type Failing = Callable[[str], dict[str, Verdict]]


@pytest.fixture(scope="module")
def judge(stranger: Challenge) -> Iterator[Judge]:
    with Judge(stranger, at_once=2) as judge:
        yield judge


@pytest.fixture(scope="module")
def failing(stranger: Challenge, judge: Judge) -> Failing:
    """What does not pass of an engine."""

    def failing(engine: str) -> dict[str, Verdict]:
        report = grade(stranger, engine, home(stranger), effort=0, judge=judge)
        return {check.name: check.verdict for check in report.checks if check.verdict is not Verdict.PASS}

    return failing


def described(challenge: Challenge) -> dict[str, Any]:
    return tomllib.loads((home(challenge) / "challenge.toml").read_text())


def test_reference_passes_everything(failing: Failing) -> None:
    assert failing("reference") == {}


def test_starter_fails_everything(stranger: Challenge, failing: Failing) -> None:
    assert failing("starter") == {check.name: Verdict.FAIL for check in checks_of(stranger)}


def test_naive_fails_exactly_what_it_lists(stranger: Challenge, failing: Failing) -> None:
    assert failing("naive") == dict.fromkeys(described(stranger)["naive_fails"], Verdict.FAIL)


def test_mutants_are_rejected_by_the_checks_they_name(stranger: Challenge, judge: Judge) -> None:
    for name, named_check in mutants(stranger).items():
        (check,) = checks_of(stranger, [named_check])
        reply = judge.run(Order(f"mutant:{name}", str(ROOT), check.node, [0], 60.0, effort=0))
        assert reply.verdict is Verdict.FAIL, f"{name}: {reply.detail}"


def test_every_check_rejects_somebody_and_has_hints(stranger: Challenge) -> None:
    checks, about = {check.name for check in checks_of(stranger)}, described(stranger)
    assert len(checks) >= 2
    assert set(mutants(stranger).values()) | set(about["naive_fails"]) == checks
    assert {name: len(levels) for name, levels in about["hints"].items()} == dict.fromkeys(checks, 3)
    page = inserted(readme(stranger), stranger)
    assert all(f"`{name}`: " in page for name in mutants(stranger))


def test_the_command_grades_it(stranger: Challenge, tmp_path: Path) -> None:
    (first, *_) = checks_of(stranger)
    command = [LAB, "check", "X7", "-e", "reference", "--only", first.name, "--json"]
    done = subprocess.run(command, capture_output=True, cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "pass")


def test_a_learner_begins_and_tries_it(stranger: Challenge, tmp_path: Path) -> None:
    own = {"LAB_WORKSPACE": str(tmp_path), "LAB_PROGRESS": str(tmp_path / "progress.json")}
    begun = subprocess.run([LAB, "start", "X7"], capture_output=True, text=True, env=os.environ | own)
    assert (begun.returncode, "What to build" in begun.stdout) == (0, True)
    file = tmp_path / f"{stranger.module}.py"
    tried = subprocess.run([sys.executable, file], capture_output=True, text=True)
    assert "Not written yet: start, line" in tried.stdout, tried.stderr
    head, _, tail = file.read_text().split("\n\n\n")
    file.write_text("\n\n\n".join([head, f"from {stranger.module}.engine import *", tail]))
    tried = subprocess.run([sys.executable, file], capture_output=True, text=True)
    assert re.findall(r"(\d+), should be \1$", tried.stdout, re.MULTILINE) == ["6", "0", "100000"], tried


def test_its_claim_is_put_to_the_test(stranger: Challenge) -> None:
    if stranger.category != "Threading":
        assert [one.name for one in experiments_of(stranger)] == ["workers"]
        return
    done = subprocess.run([LAB, "experiment", "X7", "workers", "--json"], capture_output=True, text=True)
    findings = json.loads(done.stdout)["findings"]
    assert [len(one["measured"]) for one in findings] == [6, 6], done.stderr
    assert all(min(one["measured"]) >= one["low"] for one in findings)  # nobody is faster than the waiting


def ask(url: str, body: object = None) -> tuple[int, str]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return answer.status, answer.read().decode()


@pytest.fixture
def service(stranger: Challenge, fresh_redis: str) -> Iterator[str]:
    """The address of its service, ready; at the end it drains and returns 0."""
    port = free_port()
    environment = {**os.environ, "PORT": str(port), "REDIS_URL": fresh_redis, "LOG_LEVEL": "warning"}
    process = subprocess.Popen([sys.executable, "-m", stranger.module], env=environment)
    try:
        yield ready(f"http://127.0.0.1:{port}", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


def ready(url: str, process: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            ask(f"{url}/ready")
            return url
        except OSError as error:
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail(f"the service is not ready ({process.poll()}): {error}")
            time.sleep(0.05)


def test_its_service_counts_and_is_measured(stranger: Challenge, service: str) -> None:
    assert json.loads(ask(f"{service}/health")[1]) == {"service": stranger.folder, "status": "alive"}
    status, accepted = ask(f"{service}/v1/texts", {"text": "to be or not to be"})
    assert status == 202
    address, until = f"{service}/v1/texts/{json.loads(accepted)['id']}", time.monotonic() + PATIENCE
    while (words := json.loads(ask(address)[1])["words"]) is None and time.monotonic() < until:
        time.sleep(0.02)
    assert words == 6
    metrics = ask(f"{service}/metrics")[1]
    labels = f'engine="reference",service="{stranger.folder}"'
    assert f"{stranger.module}_words_total{{{labels}}} 6.0" in metrics
    assert re.search(r'lab_tasks_total{.*outcome="done".*} 1.0', metrics)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a1", "weather-reporter"])
def test_what_is_made_is_clean_whatever_its_name(kind: str, name: str, tmp_path: Path) -> None:
    """The imports of a challenge are in order, and none of its lines is too long, as this repository has it."""
    for path, text in rendered(Names("X7", name.replace("-", "_"), "A title"), kind).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    ours = json.dumps([str(tmp_path / "src"), str(ROOT / "kit/src"), str(ROOT / "lab/src")])
    config = ["--config", str(ROOT / "pyproject.toml"), "--config", f"src = {ours}"]
    ruff = Path(sys.executable).with_name("ruff")
    done = subprocess.run([ruff, "check", *config, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["x1", "tally"], "'x1' is no code"),
        (["X1", "Tally!"], "'Tally!' is no name"),
        (["X1", "class"], "'class' is no name"),
        (["X1", "job"], "has a Job of its own"),
        (["X1", "protocol", "--kind", "asyncio"], "has a Protocol of its own"),
        (["X1", "json"], "a Python package 'json' already"),
        (["T1", "tally"], "T1 is downloader"),
        (["X1", "downloader"], "T1 is downloader"),
        (["T2", "tally"], "T2 is log_pipeline"),
        (["X1", "tally", "--kind", "fibres"], "fibres"),
        (["X1", "tally", "--folder", "there"], "there is there already"),
        (["X1", "tally", "--folder", "no/where"], "There is no folder"),
    ],
)
def test_a_wrong_name_is_told_and_nothing_is_written(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["lab", "new", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code, list(tmp_path.rglob("*"))) == (64, [tmp_path / "there"])
    assert words in capsys.readouterr().err


def test_the_command_to_type_next_can_be_typed(tmp_path: Path) -> None:
    folder = tmp_path / "my challenges/tally"
    assert f"--editable '{folder}'" in next_steps(Names("X1", "tally", "Tally"), folder, 1)


def test_inside_the_repository_it_lands_among_the_services(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").touch()
    (tmp_path / "services").mkdir()
    (tmp_path / "docs").mkdir()
    code, told = lab_new("P1", "profiler", folder=tmp_path / "docs")
    assert (code, "make setup" in told) == (0, True), told
    package = tmp_path / "services/profiler/src/profiler"
    assert tomllib.loads((package / "challenge.toml").read_text())["title"] == "Concurrency profiler"
    assert "default=8007" in (package / "config.py").read_text()


def test_what_the_syllabus_has_planned_keeps_its_category() -> None:
    files = rendered(named("P1", "profiler", entries()), "processes")
    assert 'category = "Performance"' in files["src/profiler/challenge.toml"]
