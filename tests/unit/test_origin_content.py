"""The files of the origin: any byte of any file follows from its identity."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.origin.content import PERIOD, File, digest, domain_of, parse_size, read
from lab.origin.problems import BadInput

PATH = "/files/1GiB/x"


def test_the_pattern_has_the_largest_prime_length_below_8_mib() -> None:
    def prime(number: int) -> bool:
        return all(number % divisor for divisor in range(2, int(number**0.5) + 1))

    assert [n for n in range(PERIOD, 2**23) if prime(n)] == [PERIOD]


@given(st.integers(0, 3 * PERIOD), st.integers(0, 5000), st.integers(0, 5000))
def test_reading_in_two_parts_is_reading_at_once(start: int, first: int, second: int) -> None:
    file = File(1, "default", PATH, 2**30)
    middle, stop = start + first, start + first + second
    assert file.read(start, middle) + file.read(middle, stop) == file.read(start, stop)


@given(st.integers(0, 2**30 - PERIOD - 64))
def test_content_repeats_after_one_period_and_not_after_a_power_of_two(start: int) -> None:
    file = File(1, "default", PATH, 2**30)
    here = file.read(start, start + 64)
    assert file.read(start + PERIOD, start + PERIOD + 64) == here
    assert file.read(start + 2**20, start + 2**20 + 64) != here


@pytest.mark.parametrize(
    "other",
    [
        File(2, "default", PATH, 2**30),
        File(1, "site-1.lab.test", PATH, 2**30),
        File(1, "default", "/files/1GiB/y", 2**30),
        File(1, "default", PATH, 2**30, version=1),
    ],
)
def test_each_part_of_the_identity_matters(other: File) -> None:
    file = File(1, "default", PATH, 2**30)
    assert other.read(0, 64) != file.read(0, 64)
    assert other.tag != file.tag


def test_a_newer_version_has_a_later_date() -> None:
    dates = [File(1, "default", PATH, 9, version).modified for version in range(3)]
    assert dates == sorted(set(dates))


def test_digest_is_that_of_all_bytes() -> None:
    size = 3 * 2**20 + 7
    data = read(5, "default", "/files/x", size, 2, 0, size)
    assert len(data) == size
    assert digest(5, "default", "/files/x", size, 2) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 11), (5, 4)])
def test_there_is_nothing_outside_a_file(start: int, stop: int) -> None:
    with pytest.raises(ValueError, match="not within a file of 10 bytes"):
        File(1, "default", "/files/10/x", 10).read(start, stop)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("1500", 1500), ("64KiB", 65536), ("2GiB", 2**31), ("1TiB", 2**40)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "1ZiB", "1.5MiB", "1MB", "2TiB", "1 KiB", "٣", "9" * 5000])
def test_bad_sizes_are_named(text: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_size(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.lab.test", "a.lab.test"),
        ("A.Lab.Test:8020", "a.lab.test"),
        ("127.0.0.1:8020", "default"),
        ("origin:8000", "default"),
        ("[::1]:80", "default"),
        ("", "default"),
    ],
)
def test_the_host_field_names_the_domain(host: str, domain: str) -> None:
    assert domain_of(host) == domain
