"""A learner's engine on a small real job: real threads, and no lab running."""

import time
import traceback
from functools import partial

from lab_kit.ports import SystemClock
from log_pipeline.checks.world import ScriptedSink, at_once, batches
from log_pipeline.contract import Limits, LogPipeline, Ports, Priority

SENDERS, BATCHES, RECORDS, DEADLINE = 3, 20, 50, 5.0


def tryout(engine: type[LogPipeline]) -> bool:
    """Send records from three threads through `engine` and print what comes of it; whether all arrived."""
    sink = ScriptedSink(SystemClock(), 0.002)
    try:
        pipeline = engine(Ports(sink=sink), Limits(records=500, consumers=2))
        _send(pipeline)
        left, stats = pipeline.stop(DEADLINE), pipeline.stats()
    except RuntimeError as error:
        if error.args:
            raise
        *_, place = traceback.extract_tb(error.__traceback__)
        print(f"Not written yet: {place.name}, line {place.lineno}. The comment says what for.")
        return False
    sent = SENDERS * BATCHES * RECORDS
    print(
        f"{sent:,} records sent, {len(sink.written):,} written in {len(sink.writes)} writes, {len(left)} returned"
    )
    print(f"the books: {stats.ledger}")
    right = len(set(sink.written)) == sent and stats.ledger.balanced
    print("It works on a sunny day. Now: lab check T2" if right else "Not yet: each should be written once.")
    return right


def _send(pipeline: LogPipeline) -> None:
    began = time.perf_counter()
    pipeline.start([])
    names = [(f"{priority.name.lower()}-", priority) for priority in Priority]
    at_once(*(partial(_submit, pipeline, name, priority) for name, priority in names))
    print(f"three senders were done after {time.perf_counter() - began:.2f} s")


def _submit(pipeline: LogPipeline, name: str, priority: Priority) -> None:
    for one in batches(name, BATCHES, RECORDS, priority):
        pipeline.submit(one)
