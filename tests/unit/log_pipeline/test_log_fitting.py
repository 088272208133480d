"""What is larger than all that may be in flight comes in all the same."""

import base64
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from log_pipeline.adapters.desk import PART
from log_pipeline.adapters.reader import Reader
from log_pipeline.contract import Batch, Limits, Priority
from log_pipeline.core.fitting import fitting
from log_pipeline.core.multiline import Joiner

if TYPE_CHECKING:
    from .conftest import Site

SMALL = Limits(records=3, bytes=4 * 1024 * 1024)  # the least that the settings allow


def test_a_batch_is_split_in_order_until_its_parts_fit() -> None:
    batch = Batch("a", Priority.REST, b"".join(b"%d\n" % number for number in range(10)), 10)
    parts = fitting([batch], replace(SMALL, bytes=5))
    assert all(part.records <= 3 and len(part.payload) <= 5 for part in parts)
    assert b"".join(part.payload for part in parts) == batch.payload
    assert len({part.id for part in parts}) == len(parts)
    assert fitting([batch], Limits()) == [batch]


@pytest.mark.parametrize("byte", [b"\0", b"\x01", b"\\", b"x"])
def test_a_line_of_anything_is_one_record_that_fits_and_keeps_its_bytes(site: "Site", byte: bytes) -> None:
    raw = byte * 10_000_000
    reader = Reader(site.intake, "test")
    [batch] = [*reader.feed(raw + b"\n"), *reader.pause()]
    assert (batch.records, len(batch.payload) <= site.limits.bytes) == (1, True)
    written = json.loads(batch.payload)
    assert base64.b64decode(written["raw"]) == raw if "raw" in written else written["message"] == raw.decode()
    assert site.seen.oddities["cut"] == (len(written["message"]) < len(raw))


def test_whatever_the_bounds_are_a_reader_keeps_them(site: "Site") -> None:
    site.limits = SMALL
    reader = Reader(site.intake, "test")
    block = b'{"n":1}\n' * 10 + b'{"long":"' + b"x" * 5_000_000 + b'"}\n' + b"\0" * 2_200_000 + b"\n"
    parts = [block[start : start + PART] for start in range(0, len(block), PART)]
    batches = [*(batch for part in parts for batch in reader.feed(part)), *reader.end()]
    assert all(batch.records <= 3 and len(batch.payload) <= SMALL.bytes for batch in batches)
    assert sum(line == b'{"n":1}' for batch in batches for line in batch.lines()) == 10


def test_lines_that_belong_together_are_one_record_only_as_far_as_one_may_be_long() -> None:
    joiner = Joiner(1000)
    lines = [b"begin", *[b" " + b"x" * 99] * 50]
    records = [*joiner.feed(lines), *joiner.flush()]
    assert max(map(len, records)) <= 1000
    assert b"\n".join(records) == b"\n".join(lines)
