"""Consumers and senders come and go while it runs."""

import socket
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conftest import Pipeline
type Line = Callable[..., bytes]
type Patience = Callable[[Callable[[], Any]], Any]


def test_consumers_are_hired_while_records_age_and_leave_after_a_calm_and_senders_come_and_go(
    pipeline: "Pipeline", record: Line, patience: Patience
) -> None:
    pipeline.start(log_pipeline_max_consumers=2, log_pipeline_scale_age=0.02, log_pipeline_linger=0)
    pipeline.faults(hanging_sink=1)
    numbers = count()

    def hired() -> bool:
        """After one more record, of a sender who is gone before it is written."""
        with socket.create_connection(("127.0.0.1", pipeline.syslog)) as sender:
            sender.sendall(record(next(numbers)))
        return bool(pipeline.stats()["consumers"] == 2)

    patience(hired)
    pipeline.faults()
    patience(lambda: pipeline.stats()["consumers"] == 1)
    pipeline.tcp(record(last := next(numbers)))
    pipeline.holds(last + 1)
    pipeline.ledger()
