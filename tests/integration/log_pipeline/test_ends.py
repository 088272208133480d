"""The end comes at any moment, in every way, and the next life goes on."""

import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from redis import Redis

from lab_kit.messages import Message

if TYPE_CHECKING:
    from .conftest import Pipeline
type Line = Callable[..., bytes]
type Patience = Callable[[Callable[[], Any]], Any]
TERM, INT, KILL = signal.SIGTERM, signal.SIGINT, signal.SIGKILL


@pytest.mark.parametrize(
    "signals", [(TERM,), (INT,), (INT, INT), (TERM, TERM)], ids=lambda one: "-".join(s.name for s in one)
)
def test_an_incomplete_batch_is_not_lost_on_a_signal(
    pipeline: "Pipeline", record: Line, signals: tuple[signal.Signals, ...]
) -> None:
    pipeline.start(log_pipeline_linger=60, lab_grace=10)
    with socket.create_connection(("127.0.0.1", pipeline.syslog)) as sender:
        sender.sendall(record(0) + record(1) + record(2).rstrip())
        _until_accepted(pipeline, 2)
        assert pipeline.end(*signals) in (0, -signals[0], 128 + signals[0])
    assert pipeline.numbers() == [0, 1, 2]


def test_no_queued_record_is_lost_at_a_restart_and_the_next_life_writes_it_first(
    pipeline: "Pipeline", record: Line
) -> None:
    service = pipeline
    service.start(lab_grace=0.5)
    service.faults(hanging_sink=1)
    service.tcp(b"".join(record(number) for number in range(10)))
    _until_accepted(service, 10)
    service.end()
    assert service.numbers() == []
    assert list((service.folder / "data" / "spill").glob("*.msgpack"))
    service.start()
    service.post(record(10))
    assert [one["n"] for one in service.written()] == list(range(11))
    assert not list((service.folder / "data" / "spill").glob("*"))


def test_input_that_found_no_room_survives_a_stop(pipeline: "Pipeline", record: Line) -> None:
    pipeline.start(log_pipeline_queue_records=100, lab_grace=0.5)
    pipeline.faults(full_disk=1)
    with socket.create_connection(("127.0.0.1", pipeline.syslog)) as sender:
        for number in range(20):
            sender.sendall(b"".join(record(10 * number + one) for one in range(10)))
            _until_accepted(pipeline, min(10 * (number + 1), 50))  # several reads, and so several batches
        pipeline.end()
    pipeline.start()
    pipeline.holds(200)


def test_many_senders_that_found_no_room_do_not_hold_up_the_end(pipeline: "Pipeline", record: Line) -> None:
    pipeline.start(log_pipeline_queue_records=1, lab_grace=2)
    pipeline.faults(full_disk=1)
    with ExitStack() as senders:
        for number in range(100):
            address = ("127.0.0.1", pipeline.syslog)
            senders.enter_context(socket.create_connection(address)).sendall(record(number))
        _until_accepted(pipeline, 1)
        pipeline.end()
    pipeline.start(log_pipeline_queue_records=1)
    pipeline.holds(100)


def test_a_write_that_nothing_ends_keeps_no_record_from_the_next_life(
    pipeline: "Pipeline", record: Line, patience: Patience
) -> None:
    pipeline.logs.mkdir(parents=True)
    pipe = pipeline.logs / "rest.jsonl"
    os.mkfifo(pipe)  # nobody reads it: what it cannot hold hangs in the system call
    pipeline.start(lab_grace=0.5)
    pipeline.tcp(record(0, text="x" * 200_000))
    patience(lambda: pipeline.stats()["busy"] == 1)
    pipeline.tcp(record(1))
    _until_accepted(pipeline, 2)
    assert pipeline.process
    pipeline.process.send_signal(TERM)
    patience(lambda: list((pipeline.folder / "data" / "spill").glob("*.msgpack")))
    pipeline.end(KILL)
    pipe.unlink()
    pipeline.start()
    pipeline.holds(2)


def test_what_was_answered_survives_a_kill_and_a_torn_line_is_cut_off(
    service: "Pipeline", record: Line
) -> None:
    service.post(b"".join(record(number) for number in range(100)))
    service.end(KILL)
    with (service.logs / "rest.jsonl").open("ab") as file:
        file.write(b'{"n": 100, "half of a li')
    service.start()
    service.post(record(100))
    assert service.numbers() == list(range(101))


def test_redis_entries_of_a_killed_consumer_are_written_by_the_next(
    service: "Pipeline", redis: Redis, record: Line, patience: Patience
) -> None:
    service.faults(hanging_sink=1)
    for number in range(0, 100, 10):
        lines = b"".join(record(number + one) for one in range(10)).decode()
        redis.xadd("lab:logs", {"message": Message("logs", {"lines": lines}).encode()})
    _until_accepted(service, 100)
    assert redis.xpending("lab:logs", "log-pipeline")["pending"] == 10
    patience(lambda: service.metric("log_pipeline_redis_in_hand", consumer="log-pipeline") == 10)
    service.end(KILL)
    service.start()
    service.holds(100)
    patience(lambda: redis.xpending("lab:logs", "log-pipeline")["pending"] == 0)


def test_engines_change_while_records_come_and_none_is_lost(service: "Pipeline", record: Line) -> None:
    with socket.create_connection(("127.0.0.1", service.syslog)) as sender:
        for round, engine in enumerate(("naive", "reference", "reference")):
            sender.sendall(b"".join(record(1000 * round + one) for one in range(1000)))
            assert service.ask("PUT", "/lab/engine", {"engine": engine})[0] == 200
    service.holds(3000)
    service.ledger()


def _until_accepted(service: "Pipeline", count: int) -> None:
    from .conftest import eventually

    eventually(lambda: service.ledger()["accepted"] >= count)
