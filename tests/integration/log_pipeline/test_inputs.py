"""Every way in, by a real sender."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from lab_kit.log import Sender
from lab_kit.messages import Message

if TYPE_CHECKING:
    from .conftest import Pipeline
type Line = Callable[..., bytes]
type Patience = Callable[[Callable[[], Any]], Any]


def test_http_takes_lines_and_json_and_answers_when_they_are_durable(
    service: "Pipeline", record: Line
) -> None:
    assert service.post(record(0) + record(1)) == {"written": 2, "dropped": 0, "dead": 0}
    assert service.ask("POST", "/v1/logs", [{"n": 2}, {"n": 3, "level": "error"}])[1]["written"] == 2
    assert service.numbers() == [0, 1, 2, 3]
    assert service.ask("GET", "/v1/records/error")[1] == ['{"n":3,"level":"error"}']


@pytest.mark.parametrize("body", [b'[{"n": 1}', b"{", b"", b'["\xff"]', b"[" * 20_000], ids=range(5))
def test_a_body_that_is_no_json_is_refused_whole(service: "Pipeline", body: bytes) -> None:
    status, said = service.ask("POST", "/v1/logs", body)
    assert status == 422
    assert "the body is no JSON" in said["detail"]
    assert service.ledger()["accepted"] == 0


def test_tcp_takes_lines_and_counted_frames(service: "Pipeline", record: Line) -> None:
    service.tcp(b"".join(record(number) for number in range(1000)))
    service.holds(1000)
    frame = b"<10>1 - host app - - - two\nlines"
    service.tcp(b"%d %b" % (len(frame), frame) * 2)
    service_says = lambda: service.written("critical")  # noqa: E731
    assert [one["message"] for one in _eventually(service_says, 2)] == ["two\nlines"] * 2


def test_a_line_without_an_end_is_a_record_when_its_sender_goes(service: "Pipeline", record: Line) -> None:
    service.tcp(record(0).rstrip())
    service.holds(1)


def test_udp_takes_a_record_a_datagram(service: "Pipeline", record: Line) -> None:
    service.udp(record(0), b"<11>Oct 11 22:14:15 host app: it broke", record(1))
    assert [one["message"] for one in _eventually(lambda: service.written("error"), 1)] == ["it broke"]
    service.holds(2)


def test_redis_entries_are_acknowledged_when_they_are_durable(
    service: "Pipeline", redis: Redis, record: Line, patience: Patience
) -> None:
    packed = b"".join(record(number) for number in range(1, 500)).decode()
    redis.xadd("lab:logs", {"message": Message("log", {"record": {"n": 0, "service": "x"}}).encode()})
    redis.xadd("lab:logs", {"message": Message("logs", {"lines": packed}).encode()})
    service.holds(500)
    patience(lambda: redis.xpending("lab:logs", "log-pipeline")["pending"] == 0)


def test_the_log_of_another_service_is_written(service: "Pipeline", fresh_redis: str, record: Line) -> None:
    sender = Sender("shop", fresh_redis)
    for number in range(1000):
        sender.offer(record(number).decode().rstrip())
    sender.close()
    service.holds(1000)
    assert (sender.sent, sender.dropped) == (1000, 0)


def test_what_is_no_record_is_buried(service: "Pipeline", redis: Redis, patience: Patience) -> None:
    redis.xadd("lab:logs", {"message": "no message"})
    redis.xadd("lab:logs", {"message": Message("weather", {"rain": True}).encode()})
    patience(lambda: redis.xlen("lab:logs:dead") == 2)
    assert service.ledger()["accepted"] == 0


def test_a_file_is_followed_through_rotation_and_truncation(
    pipeline: "Pipeline", tmp_path: Path, record: Line, patience: Patience
) -> None:
    path = tmp_path / "app.log"
    path.write_bytes(record(0))
    pipeline.start(log_pipeline_follow=str(path))
    pipeline.holds(1)
    with path.open("ab") as file:
        file.write(record(1))
    pipeline.holds(2)
    path.rename(tmp_path / "app.log.1")
    with (tmp_path / "app.log.1").open("ab") as late:
        late.write(record(2))
    path.write_bytes(record(3))
    pipeline.holds(4)
    os.truncate(path, 0)
    patience(lambda: "a followed file was truncated" in (tmp_path / "out.log").read_text())
    with path.open("ab") as file:
        file.write(record(4))
    pipeline.holds(5)


def test_a_file_goes_on_where_an_earlier_life_stopped_although_it_was_rotated(
    pipeline: "Pipeline", tmp_path: Path, record: Line, patience: Patience
) -> None:
    path, state = tmp_path / "app.log", tmp_path / "data" / "followed.json"
    path.write_bytes(record(0) + record(1))
    pipeline.start(log_pipeline_follow=str(path))
    pipeline.holds(2)
    size = path.stat().st_size
    patience(lambda: state.exists() and json.loads(state.read_text())[str(path)][1] == size)
    pipeline.end()
    with path.open("ab") as file:
        file.write(record(2))
    path.rename(tmp_path / "app.log.1")
    path.write_bytes(record(3))
    pipeline.start(log_pipeline_follow=str(path))
    pipeline.holds(4)


def _eventually(ask: Callable[[], list[dict[str, Any]]], count: int) -> list[dict[str, Any]]:
    from .conftest import eventually

    eventually(lambda: len(ask()) >= count)
    return ask()
