"""The supervisor's small parts: logs, state, pauses, Prometheus' configuration."""

import asyncio
import json
from contextlib import closing
from pathlib import Path
from tempfile import NamedTemporaryFile
from unittest.mock import Mock

import psutil
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lab import LabError
from lab.supervisor import control, logs, view
from lab.supervisor.prometheus import _find, _source, local_config
from lab.supervisor.state import ComponentState, Home, LabState, Taken
from lab.supervisor.supervise import Timing

CHECKOUT = Path(__file__).parents[2]


def test_pauses_double_up_to_the_longest() -> None:
    pauses = [Timing().pause(failures) for failures in (1, 2, 3, 6, 7, 8, 10_000)]
    assert pauses == [0.5, 1, 2, 16, 30, 30, 30]


def test_a_state_survives_its_file(tmp_path: Path) -> None:
    home = Home(tmp_path)
    state = LabState(pid=1, components={"a": ComponentState("a", pid=2)}).with_component("a", state="ready")
    assert home.load() is None
    home.save(state)
    assert home.load() == state
    assert list(tmp_path.iterdir()) == [home.state]


def test_a_state_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text(json.dumps({"version": 0}))
    with pytest.raises(LabError, match="another version"):
        Home(tmp_path).load()


def test_only_one_holds_the_lock(tmp_path: Path) -> None:
    home = Home(tmp_path / ".lab")
    assert not home.locked()
    with home.lock():
        assert home.locked()
        with pytest.raises(Taken), home.lock():
            pytest.fail("two hold the lock")
    assert not home.locked()


def test_the_tail_of_a_log_begins_where_told(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("one\ntwo\n\nthree\n\n")
    assert logs.tail(log, 2) == ["two", "three"]
    assert logs.tail(log, 5, since=8) == ["three"]
    assert logs.tail(log, 1, since=999) == ["three"], "an offset beyond the end is of a log that was cut"
    assert logs.tail(tmp_path / "none.log", 2) == []


def test_a_log_that_grew_too_long_is_cut_under_its_writer(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    with log.open("a") as writer:
        writer.write("x" * 100 + "\n")
        writer.flush()
        logs.trim(log, limit=1000)
        assert log.stat().st_size == 101
        logs.trim(log, limit=100)
        writer.write("after\n")
    assert log.read_text() == "after\n"
    assert (tmp_path / "a.log.1").stat().st_size == 101


def test_a_new_run_keeps_the_log_before(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("before\n")
    logs.begin(log)
    assert log.read_text() == ""
    assert (tmp_path / "a.log.1").read_text() == "before\n"


def test_following_yields_whole_lines_and_survives_a_cut(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("before\n")
    with log.open("a") as writer, closing(logs.Follower(log)) as follower:
        writer.write("one\ntw")
        writer.flush()
        assert follower.new_lines() == ["one"]
        writer.write("o\n")
        writer.flush()
        assert follower.new_lines() == ["two"]
        logs.trim(log, limit=0)
        writer.write("new\n")
        writer.flush()
        assert follower.new_lines() == ["new"]


def test_following_goes_on_in_the_log_of_the_next_run(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.touch()
    with closing(logs.Follower(log)) as follower:
        with log.open("a") as writer:
            writer.write("the last words\n")
        logs.begin(log)
        log.write_text("hello again\n")
        assert follower.new_lines() == ["the last words", "hello again"]
        assert follower.new_lines() == []


@settings(max_examples=100)
@given(st.lists(st.sampled_from([b"x", "é".encode(), b"\xff", b"\r", b"\n", b"z" * 5000]), max_size=30))
def test_following_shows_each_byte_once_however_it_comes(pieces: list[bytes]) -> None:
    with NamedTemporaryFile() as log, closing(logs.Follower(Path(log.name))) as follower:
        shown: list[str] = []
        for piece in (*pieces, b"\n"):
            log.write(piece)
            log.flush()
            shown += follower.new_lines()
        text = (b"".join(pieces) + b"\n").decode(errors="replace")
        assert "".join(shown) == text.replace("\r", "").replace("\n", "")


def test_local_targets_replace_dns_and_all_else_stays() -> None:
    source = {
        "global": {"scrape_interval": "2s"},
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [
            {"job_name": "web", "metrics_path": "/m", "dns_sd_configs": [{"names": ["web", "gone"]}]},
        ],
    }
    config, targets = local_config(source, {"web": "127.0.0.1:1"}, Path("/home"), Path("/targets"))
    assert targets == {"web": ["127.0.0.1:1"]}
    assert config["global"] == source["global"]
    assert config["rule_files"] == ["/home/rules/*.yml"]
    assert config["scrape_configs"] == [
        {"job_name": "web", "metrics_path": "/m", "file_sd_configs": [{"files": ["/targets/web.json"]}]}
    ]


def test_every_service_with_a_port_has_a_job() -> None:
    compose = yaml.safe_load((CHECKOUT / "compose.yaml").read_text())["services"]
    config = yaml.safe_load((CHECKOUT / "docker/prometheus/prometheus.yml").read_text())
    listening = {name for name, body in compose.items() if body.get("ports")}
    assert {job["job_name"] for job in config["scrape_configs"]} == listening - {"redis", "grafana"}


async def find_prometheus(folder: Path) -> Path:
    return (await _find(folder)).path


def test_a_prometheus_may_be_named_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin/prometheus"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROMETHEUS", "bin/prometheus")
    assert asyncio.run(find_prometheus(tmp_path)) == program


def test_the_lab_of_another_user_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = Mock(side_effect=psutil.AccessDenied)
    monkeypatch.setattr(psutil.Process, "send_signal", refused)
    home, me = Home(tmp_path), psutil.Process()
    with home.lock():
        home.save(LabState(pid=me.pid, created=me.create_time()))
        with pytest.raises(LabError, match=rf"that of {me.username()} \(pid {me.pid}\): end it as that user"):
            control.end(home, print)
    assert refused.called


def test_logs_that_are_not_there_yet_are_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="no logs here yet: `lab up` writes them"):
        view.print_logs(Home(tmp_path), None, 20, False)


def test_names_in_front_of_lines_are_as_wide_as_the_longest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path)
    home.logs.mkdir()
    for name in ("redis", "primes-worker"):
        home.log(name).write_text("hello\n")
    view.print_logs(home, None, 20, False)
    assert {line.index("| hello") for line in capsys.readouterr().out.splitlines()} == {14}


@pytest.mark.parametrize("text", ["scrape_configs: [", "- a list", ""])
def test_a_configuration_that_is_none_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prometheus.yml"
    path.write_text(text)
    with pytest.raises(LabError, match=f"^{path}"):
        _source(path)
