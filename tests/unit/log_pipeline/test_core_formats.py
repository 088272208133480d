"""What lines say, whatever their format; and what lines that say nothing become."""

import base64
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_pipeline.contract import Batch, Priority
from log_pipeline.core.formats import parse
from log_pipeline.core.levels import priority_of
from log_pipeline.core.sorting import Sorted, sort_block, sort_records

CRITICAL, ERROR, REST = Priority
NOW = 1_800_000_000.0


def sorted_one(line: bytes) -> tuple[Batch, dict[str, object], Sorted]:
    found = sort_records([line], "test", NOW)
    [batch] = found.batches
    return batch, json.loads(batch.payload), found


@pytest.mark.parametrize(
    ("text", "format", "level", "message"),
    [
        ("<34>1 2026-10-11T22:14:15.003Z host su - ID47 - 'su root' failed", "syslog", "crit", "'su root' failed"),
        ('<165>1 - - evntslog - - [a@1 x="y \\"z\\""] text', "syslog", "notice", "text"),
        ("<11>Oct 11 22:14:15 host app[3]: text: more", "syslog", "error", "text: more"),
        ("<13>text without a header", "syslog", "notice", "text without a header"),
        ("level=error msg=\"it broke\" n=3", "logfmt", "error", "it broke"),
        ("ERROR:root:it broke", "python", "error", "it broke"),
        ("2026-11-25 09:00:00,123 - app.db - CRITICAL - no disk", "python", "critical", "no disk"),
        ("2026-11-25T09:00:00Z [WARNING] slow", "python", "warning", "slow"),
        ('::1 - ann [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 2326', "access", "info", "GET / HTTP/1.0"),
        ('::1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.1" 503 - "-" "a \\"b\\""', "access", "error", "GET / HTTP/1.1"),  # noqa: E501
        ("nothing that anybody knows", "raw", None, "nothing that anybody knows"),
        ("<999>no priority", "raw", None, "<999>no priority"),
        ("a=1", "raw", None, "a=1"),
    ],
)  # fmt: skip
def test_a_format_is_found_out(text: str, format: str, level: str | None, message: str) -> None:
    record = parse(text)
    assert (record.format, record.level, record.message) == (format, level, message)


def test_structured_data_of_syslog_is_kept() -> None:
    record = parse('<165>1 - h a 7 m [x@1 k="v\\]w"][y@2] text')
    assert record.extra["data"] == {"x@1": {"k": "v]w"}, "y@2": {}}


@pytest.mark.parametrize(
    ("level", "priority"),
    [("CRITICAL", CRITICAL), ("Fatal", CRITICAL), (2, CRITICAL), (50, CRITICAL), ("eRRor", ERROR), (3, ERROR),
     (40, ERROR), ("info", REST), (None, REST), ([], REST), ({}, REST), (True, CRITICAL)],
)  # fmt: skip
def test_a_level_has_a_priority(level: object, priority: Priority) -> None:
    assert priority_of(level) is priority


def test_json_is_written_as_it_came() -> None:
    block = b'{"level":"info","ts":"2026-11-25T09:00:00Z",  "x": [1, 2]}\n' * 3
    found = sort_block(block, "test", NOW)
    assert found
    assert [(one.payload, one.records) for one in found.batches] == [(block, 3)]
    assert not found.oddities


def test_a_block_is_split_by_priority_in_the_order_it_came() -> None:
    lines = [
        b'{"ts":1,"level":"%s","n":%d}' % (level, n)
        for n, level in enumerate([b"info", b"error", b"info", b"fatal"])
    ]
    found = sort_block(b"".join(line + b"\n" for line in lines), "test", NOW)
    assert found
    assert [(one.priority, one.lines()) for one in found.batches] == [
        (CRITICAL, [lines[3]]), (ERROR, [lines[1]]), (REST, [lines[0], lines[2]]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "block",
    [
        b"text\n",
        b'{"a":1}\n5\n',
        b'{"a":1}\n\n',
        b'{"a":1}\r\n',
        b'{"a":\xff}\n',
        b'{"a":"\0"}\n',
        b'{"a":\n1}\n',
    ],
)
def test_what_is_not_all_lines_of_json_is_looked_at_one_by_one(block: bytes) -> None:
    assert sort_block(block, "test", NOW) is None


@pytest.mark.parametrize("level", [b"[1]", b"{}", b"null"])
def test_a_level_that_is_none_does_no_harm(level: bytes) -> None:
    found = sort_block(b'{"ts":1,"level":' + level + b'}\n{"ts":1,"severity":"error"}\n', "test", NOW)
    assert found
    assert [one.priority for one in found.batches] == [ERROR, REST]


@pytest.mark.parametrize(
    ("line", "oddity"),
    [
        (b"caf\xe9", "invalid-utf8"),
        (b"a\x00b", "nul"),
        (b"no time at all", "no-timestamp"),
        (b'{"level":"info"}', "no-timestamp"),
        (b'{"ts":"2999-01-01T00:00:00Z"}', "future-timestamp"),
        (b'{"time":4102444800000}', "future-timestamp"),
        (b'{"ts":1' + b"0" * 400 + b"}", "future-timestamp"),
    ],
)
def test_what_is_odd_is_counted(line: bytes, oddity: str) -> None:
    assert sorted_one(line)[2].oddities[oddity] == 1


def test_json_that_is_nested_too_deep_is_kept_as_text() -> None:
    line = b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}"
    assert sort_block(line + b"\n", "test", NOW) is None
    _, written, _ = sorted_one(line)
    assert (written["format"], written["message"]) == ("raw", line.decode())


@pytest.mark.parametrize(
    "begin", ["<13>1 - - - - - [", '<13>1 - - - - - [a b="', 'a b c [d] "', 'a=1 b="'], ids=repr
)
def test_a_long_line_takes_no_more_memory_than_a_few_times_its_length(begin: str) -> None:
    text = begin + "x" * 1_000_000
    tracemalloc.start()
    try:
        parse(text)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(text)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("when", [b'"2026-11-25T09:00:00+02:00"', b"1700000000", b'"yesterday"'])
def test_a_time_that_is_past_or_not_understood_is_not_odd(when: bytes) -> None:
    found = sort_block(b'{"ts":' + when + b"}\n", "test", NOW)
    assert found
    assert not found.oddities


@pytest.mark.parametrize("line", [b"caf\xe9 \xff\x00", b"a\x00b"])
def test_what_is_no_text_keeps_its_bytes(line: bytes) -> None:
    _, written, _ = sorted_one(line)
    assert base64.b64decode(str(written["raw"])) == line


@given(st.lists(st.binary(max_size=60).filter(lambda line: b"\n" not in line), max_size=8))
def test_any_bytes_become_lines_of_json_and_none_is_lost(records: list[bytes]) -> None:
    found = sort_records(records, "test", NOW)
    lines = [line for batch in found.batches for line in batch.lines()]
    assert (
        len(lines) == sum(batch.records for batch in found.batches) == len([r for r in records if r.strip()])
    )
    assert all(isinstance(json.loads(line), dict) for line in lines)


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["level", "ts", "x"]), st.text() | st.integers() | st.none()),
        min_size=1,
    )
)
def test_both_ways_of_sorting_agree(records: list[dict[str, object]]) -> None:
    lines = [json.dumps(record).encode() for record in records]
    quick = sort_block(b"".join(line + b"\n" for line in lines), "test", NOW)
    slow = sort_records(lines, "test", NOW)
    assert quick
    assert [(one.priority, one.payload) for one in quick.batches] == [
        (one.priority, one.payload) for one in slow.batches
    ]
    assert quick.oddities == slow.oddities
