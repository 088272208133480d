"""Sinks that fail, records that are poison, input that is bad: counted, kept, never a crash."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis
from tests.integration.forked import Forked

from lab_kit.messages import Message

if TYPE_CHECKING:
    from .conftest import Pipeline
type Line = Callable[..., bytes]
type Patience = Callable[[Callable[[], Any]], Any]


def test_a_full_disk_loses_nothing_and_is_said(service: "Pipeline", record: Line, patience: Patience) -> None:
    service.faults(full_disk=1)
    service.tcp(b"".join(record(number) for number in range(100)))
    said = patience(lambda: service.stats()["failing"])
    assert "no space left" in said
    patience(lambda: service.metric("log_pipeline_failing") == 1)
    assert service.ledger()["in_flight"] == 100
    service.faults()
    service.holds(100)
    assert service.ledger()["dead"] == 0
    patience(lambda: service.metric("log_pipeline_failing") == 0)


def test_a_full_queue_slows_tcp_and_refuses_udp_and_http(
    pipeline: "Pipeline", record: Line, patience: Patience
) -> None:
    pipeline.start(log_pipeline_queue_records=50, log_pipeline_patience=0.1)
    pipeline.faults(hanging_sink=1)
    for number in range(50):
        pipeline.udp(record(number))
    patience(lambda: pipeline.ledger()["accepted"] == 50)
    pipeline.udp(record(1000))
    patience(lambda: pipeline.metric("log_pipeline_refused_total", source="udp") == 1)
    with socket.create_connection(("127.0.0.1", pipeline.syslog)) as sender:
        sender.sendall(record(50))
        status, said = pipeline.ask("POST", "/v1/logs", record(1001), "text/plain")
        assert (status, "full" in said["detail"]) == (429, True)
        assert pipeline.ledger()["accepted"] == 50
        pipeline.faults()
    pipeline.holds(51)


def test_input_is_not_discarded_while_paused_and_redis_is_not_read_while_the_queue_is_full(
    pipeline: "Pipeline", redis: Redis, tmp_path: Path, record: Line, patience: Patience
) -> None:
    path = tmp_path / "app.log"
    pipeline.start(log_pipeline_queue_records=10, log_pipeline_prefetch=4, log_pipeline_follow=str(path))
    pipeline.faults(hanging_sink=1)
    for start in range(0, 50, 5):
        lines = b"".join(record(start + one) for one in range(5)).decode()
        redis.xadd("lab:logs", {"message": Message("logs", {"lines": lines}).encode()})
    patience(lambda: pipeline.ledger()["accepted"] == 10)
    path.write_bytes(b"".join(record(50 + one) for one in range(10)))
    with socket.create_connection(("127.0.0.1", pipeline.syslog)) as sender:
        sender.sendall(b"".join(record(60 + one) for one in range(10)))
        patience(lambda: pipeline.metric("log_pipeline_parsed_total") == 40)  # that of 4 entries, and these
        [group] = redis.xinfo_groups("lab:logs")
        assert (group["pending"], group["lag"], pipeline.ledger()["accepted"]) == (4, 6, 10)
        pipeline.faults()
        pipeline.holds(70)


def test_a_poisoned_record_of_a_packed_entry_is_dead_and_the_others_are_written(
    service: "Pipeline", redis: Redis, record: Line, patience: Patience
) -> None:
    lines = b"".join(record(number) for number in range(5)).decode()
    service.faults(poison=1)
    redis.xadd("lab:logs", {"message": Message("logs", {"lines": lines}).encode()})
    patience(lambda: service.ledger()["dead"] >= 1)
    service.faults()
    patience(
        lambda: (
            redis.xpending("lab:logs", "log-pipeline")["pending"] == 0 and service.ledger()["in_flight"] == 0
        )
    )
    dead = [json.loads(one) for one in service.ask("GET", "/v1/records/dead")[1]]
    numbers = [json.loads(text)["n"] for one in dead for text in one["records"]]
    assert all(one["why"] == "the fault `poison` is on" for one in dead)
    assert sorted(numbers + service.numbers()) == list(range(5))


def test_a_file_that_somebody_took_away_begins_anew(service: "Pipeline", record: Line) -> None:
    service.post(record(0))
    (service.logs / "rest.jsonl").unlink()
    service.post(record(1))
    assert service.numbers() == [1]


def test_a_folder_that_is_not_ours_any_more_is_said(
    service: "Pipeline", record: Line, patience: Patience
) -> None:
    service.post(record(0))
    service.logs.rename(service.logs.with_name("old"))
    service.logs.write_text("no folder")
    service.tcp(record(1))
    assert "cannot be written" in patience(lambda: service.stats()["failing"])
    service.logs.unlink()
    patience(lambda: service.numbers() == [1])


def test_full_files_are_packed_and_nothing_is_missing(
    pipeline: "Pipeline", record: Line, patience: Patience
) -> None:
    pipeline.start(log_pipeline_rotate_bytes=2000)
    for number in range(10):
        pipeline.post(b"".join(record(20 * number + one) for one in range(20)))
    patience(lambda: not list(pipeline.logs.glob("rest-*.jsonl")))
    assert len(list(pipeline.logs.glob("rest-*.jsonl.gz"))) > 2
    assert pipeline.numbers() == list(range(200))


def test_bad_input_is_counted_and_kept(service: "Pipeline", record: Line, patience: Patience) -> None:
    service.tcp(
        b"caf\xe9\nnul\x00here\n\n   \n" + record(0) + b"level=error msg=then-logfmt\n" + b"[1, 2]\n{}\n"
    )
    patience(lambda: service.ledger()["written"] == 6)
    kinds = ("invalid-utf8", "nul", "no-timestamp")
    counts = [service.metric("log_pipeline_oddities_total", kind=kind) for kind in kinds]
    assert counts == [1, 1, 5]
    assert {one.get("format", "json") for one in service.written()} == {"raw", "json", "logfmt"}


def test_no_record_ends_what_takes_it_in(service: "Pipeline", record: Line, patience: Patience) -> None:
    deep, digits = b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}\n", b'{"ts":1' + b"0" * 400 + b"}\n"
    service.udp(deep, digits)
    service.tcp(deep + digits + b"\0" * 10_000_000 + b"\n" + record(0))
    patience(lambda: service.ledger()["written"] == 6)
    service.udp(record(1))
    service.holds(2)


def test_more_records_than_may_be_in_flight_come_in_all_the_same(
    pipeline: "Pipeline", record: Line, patience: Patience
) -> None:
    pipeline.start(log_pipeline_queue_records=10)
    lines = b"".join(record(number) for number in range(100))
    pipeline.tcp(lines)
    pipeline.holds(100)
    assert pipeline.post(lines) == {"written": 100, "dropped": 0, "dead": 0}


def test_a_line_of_ten_megabytes_is_one_record(service: "Pipeline", patience: Patience) -> None:
    service.tcp(b"x" * 10_000_000 + b"\nnext\n")
    patience(lambda: service.ledger()["written"] == 2)
    assert sorted(len(one["message"]) for one in service.written()) == [4, 10_000_000]


def test_a_flood_of_one_source_is_sampled_and_counted_and_no_critical_record_is(
    pipeline: "Pipeline", record: Line, patience: Patience
) -> None:
    pipeline.start(log_pipeline_rate=1000, log_pipeline_burst=100)
    pipeline.udp(record(10_000, "critical"))
    pipeline.tcp(b"".join(record(number) for number in range(5000)))
    patience(lambda: pipeline.ledger()["accepted"] == 5001 and pipeline.ledger()["in_flight"] == 0)
    ledger = pipeline.ledger()
    assert ledger["dropped"]["sample"] > 1000
    assert [one["n"] for one in pipeline.written("critical")] == [10_000]


@pytest.mark.parametrize(
    ("text", "word"), [("[[rule]]\nname = 'x'\nkind = 'guess'", "guess"), ("[[rule]", "TOML"), ("", "rule")]
)
def test_bad_rules_stop_the_start_and_say_what_is_wrong(
    pipeline: "Pipeline", tmp_path: Path, text: str, word: str
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(text)
    environment = {"LOG_PIPELINE_ALERTS": str(rules), "PORT": "0", "LAB_DATA": str(tmp_path)}
    assert Forked("log_pipeline", environment, tmp_path / "out.log").wait(30)
    said = (tmp_path / "out.log").read_text()
    assert str(rules) in said
    assert word in said or word == "TOML"


def test_alerts_leave_as_messages(
    service: "Pipeline", redis: Redis, record: Line, patience: Patience
) -> None:
    service.post(record(0, "critical"))
    [(_, entry)] = patience(lambda: redis.xrange("lab:alerts"))
    message = Message.decode(entry["message"])
    assert (message.type, message.body["alert"]["rule"]) == ("alert.raised", "critical")
