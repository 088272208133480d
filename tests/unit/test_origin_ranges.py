"""Preconditions and ranges as RFC 9110 §13 and §14 have them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.origin.ranges import Selection, Validators, select

STRONG = Validators('"a"', 1_600_000_000)
WEAK = Validators('W/"a"', 1_600_000_000)
DATE = "Sun, 13 Sep 2020 12:26:40 GMT"
EARLIER = "Sun, 13 Sep 2020 12:26:39 GMT"
WHOLE = Selection(200, 0, 100)
PART = Selection(206, 10, 20)


def get(validators: Validators = STRONG, size: int = 100, **fields: str) -> Selection:
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return select("GET", headers, validators, size)


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("bytes=10-19", PART),
        ("BYTES= 10-19 ", PART),
        ("bytes=90-", Selection(206, 90, 100)),
        ("bytes=90-1000", Selection(206, 90, 100)),
        ("bytes=-10", Selection(206, 90, 100)),
        ("bytes=-1000", Selection(206, 0, 100)),
        ("bytes=99-99", Selection(206, 99, 100)),
        ("bytes=100-", Selection(416)),
        ("bytes=-0", Selection(416)),
        ("bytes=" + "9" * 6000 + "-", Selection(416)),
        ("bytes=20-10", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes=a-b", WHOLE),
        ("bytes=0-1,5-6", WHOLE),
        ("lines=0-1", WHOLE),
    ],
)
def test_range(field: str, expected: Selection) -> None:
    assert get(Range=field) == expected


@given(st.integers(0, 300), st.integers(0, 300), st.integers(1, 200))
def test_a_range_is_what_slicing_gives(first: int, last: int, size: int) -> None:
    found, data = get(Range=f"bytes={first}-{last}", size=size), range(size)
    if last < first:
        assert found == Selection(200, 0, size)
    elif first >= size:
        assert found == Selection(416)
    else:
        assert list(data[found.start : found.stop]) == list(data[first : last + 1])


def test_of_nothing_no_part_can_be_described() -> None:
    assert get(Range="bytes=-5", size=0) == Selection(200, 0, 0)
    assert get(Range="bytes=0-", size=0) == Selection(416)


def test_only_get_has_ranges() -> None:
    assert select("HEAD", {"Range": "bytes=10-19"}, STRONG, 100) == WHOLE


@pytest.mark.parametrize(
    ("if_range", "validators", "expected"),
    [
        ('"a"', STRONG, PART),
        ('"b"', STRONG, WHOLE),
        ('W/"a"', STRONG, WHOLE),
        ('W/"a"', WEAK, WHOLE),
        ('"a"', WEAK, WHOLE),
        (DATE, STRONG, PART),
        (EARLIER, STRONG, WHOLE),
        ("Mon, 14 Sep 2020 12:26:40 GMT", STRONG, WHOLE),
        ("nonsense", STRONG, WHOLE),
        (DATE, Validators(), WHOLE),
        ('"a"', Validators(), WHOLE),
    ],
)
def test_if_range(if_range: str, validators: Validators, expected: Selection) -> None:
    assert get(validators, Range="bytes=10-19", If_Range=if_range) == expected


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"If_None_Match": '"a"'}, 304),
        ({"If_None_Match": 'W/"a"'}, 304),
        ({"If_None_Match": '"x", "a"'}, 304),
        ({"If_None_Match": "*"}, 304),
        ({"If_None_Match": '"b"'}, 200),
        ({"If_None_Match": '"b"', "If_Modified_Since": DATE}, 200),
        ({"If_Modified_Since": DATE}, 304),
        ({"If_Modified_Since": EARLIER}, 200),
        ({"If_Modified_Since": "nonsense"}, 200),
        ({"If_Match": '"a"'}, 200),
        ({"If_Match": 'W/"a"'}, 412),
        ({"If_Match": '"b"'}, 412),
        ({"If_Unmodified_Since": EARLIER}, 412),
        ({"If_Unmodified_Since": DATE}, 200),
        ({"If_Match": '"b"', "If_None_Match": '"a"'}, 412),
    ],
)
def test_preconditions(fields: dict[str, str], status: int) -> None:
    assert get(**fields).status == status
