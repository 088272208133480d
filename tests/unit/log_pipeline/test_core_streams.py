"""Bytes become records, however they are cut on their way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from log_pipeline.core.framing import Framer
from log_pipeline.core.multiline import Joiner

TRACE = [b"Traceback (most recent call last):", b'  File "x", line 1', b"ValueError: no"]


def framed(parts: list[bytes], longest: int = 1000) -> tuple[list[bytes], Framer]:
    framer, records = Framer(longest), list[bytes]()
    for found in [*(framer.feed(part) for part in parts), framer.flush()]:
        records += found if isinstance(found, list) else found.split(b"\n")[:-1]
    return records, framer


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({min(place, len(data)) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@given(
    st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line), max_size=8),
    st.lists(st.integers(0, 200)),
)
def test_lines_are_whole_wherever_they_are_cut(lines: list[bytes], places: list[int]) -> None:
    data = b"{" + b"".join(line + b"\n" for line in lines)
    assert framed(cut(data, places))[0] == data.split(b"\n")[: -1 if data.endswith(b"\n") else None]


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=8), st.lists(st.integers(0, 200)))
def test_counted_frames_are_whole_wherever_they_are_cut(records: list[bytes], places: list[int]) -> None:
    messages = [b"<13>" + record for record in records]
    data = b"".join(b"%d %b" % (len(message), message) for message in messages)
    assert framed(cut(data, places))[0] == messages


def test_what_has_no_end_is_a_record_at_the_end() -> None:
    assert framed([b"one\ntw", b"o"])[0] == [b"one", b"two"]
    assert framed([b"10 <13>whole1", b"0 <13>h"])[0] == [b"<13>whole1", b"0 <13>h"]


def test_a_record_that_is_too_long_is_cut_and_nothing_is_lost() -> None:
    records, framer = framed([b"x" * 2500, b"yz\nnext\n"])
    assert (b"".join(records), records[-1]) == (b"x" * 2500 + b"yznext", b"next")
    assert (max(map(len, records)), framer.cut) == (1000, 2)


def test_a_stream_that_stops_counting_goes_on_in_lines() -> None:
    assert framed([b"6 <13>ab<14>cd\n<15>ef\n"])[0] == [b"<13>ab", b"<14>cd", b"<15>ef"]


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_a_traceback_is_one_record_with_the_line_before_it(chunk: int) -> None:
    lines = [b"ERROR:x:it broke", *TRACE, b"INFO:x:next"]
    joiner, records = Joiner(), list[bytes]()
    for start in range(0, len(lines), chunk):
        records += joiner.feed(lines[start : start + chunk])
    assert [*records, *joiner.flush()] == [b"\n".join(lines[:4]), b"INFO:x:next"]


def test_chained_tracebacks_are_one_record() -> None:
    chain = [*TRACE, b"", b"During handling of the above exception, another exception occurred:", b"", *TRACE]
    joiner = Joiner()
    assert [*joiner.feed([*chain, b"next"]), *joiner.flush()] == [b"\n".join(chain), b"next"]


def test_what_is_held_back_is_known_to_be() -> None:
    joiner = Joiner()
    joiner.feed([b"abc"])
    assert joiner.pending == 4
    joiner.flush()
    assert joiner.pending == 0
