"""What each answer means, in one table."""

from collections.abc import Mapping

import pytest

from downloader.contract import ContentChanged, HttpError, ProtocolError
from downloader.core.http import Asked, DateNeeded, Offer, RangesUnusable, Validator, interpret, retry_after

OLD, NEW = "Mon, 02 Nov 2026 10:00:00 GMT", "Tue, 03 Nov 2026 10:00:00 GMT"
STRONG = Validator('"a"', OLD, 100)
FIRST = Asked(0, 10)
LATER = Asked(40, 60, STRONG)


def partial(span: str, length: int = 20, **more: str) -> dict[str, str]:
    headers = {"content-range": f"bytes {span}", "content-length": str(length), "etag": '"a"'}
    return headers | {name.replace("_", "-"): value for name, value in more.items()}


@pytest.mark.parametrize(
    ("status", "headers", "asked", "expected"),
    [
        (206, partial("0-9/100", 10), FIRST, Offer(Validator('"a"', None, 100), 10, ranged=True)),
        (206, partial("40-49/100", 10), LATER, Offer(Validator('"a"', None, 100), 50, ranged=True)),
        (206, partial("40-59/*"), LATER, Offer(Validator('"a"'), 60, ranged=True)),
        (200, {"content-length": "7"}, FIRST, Offer(Validator(total=7), None, ranged=False)),
        (200, {}, Asked(whole=True), Offer(Validator(), None, ranged=False)),
    ],
)
def test_offers(status: int, headers: Mapping[str, str], asked: Asked, expected: Offer) -> None:
    assert interpret(status, headers, asked, 0.0) == expected


@pytest.mark.parametrize(
    ("status", "headers", "asked", "error"),
    [
        (206, partial("40-59/100", etag='"b"'), LATER, ContentChanged),
        (206, partial("40-59/101"), LATER, ContentChanged),
        (206, partial("40-59/100", last_modified=NEW), LATER, ContentChanged),
        (206, partial("41-60/100"), LATER, RangesUnusable),
        (206, partial("40-70/100", 31), LATER, RangesUnusable),
        (206, partial("40-39/100", 0), LATER, RangesUnusable),
        (206, partial("40-59/50"), Asked(40, 60), RangesUnusable),
        (206, {"content-type": "multipart/byteranges"}, LATER, RangesUnusable),
        (206, partial("40-59/100", content_encoding="gzip"), LATER, RangesUnusable),
        (206, partial("40-59/100", 21), LATER, ProtocolError),
        (206, partial("40-59/100", etag='"a"') | {"content-length": "+20"}, LATER, ProtocolError),
        (206, partial("0-9/100", 10), Asked(whole=True), ProtocolError),
        (206, partial("4٤-59/100"), LATER, RangesUnusable),
        (200, {"content-length": "100", "etag": '"b"'}, LATER, ContentChanged),
        (200, {"content-length": "101", "etag": '"a"'}, LATER, ContentChanged),
        (200, {"content-length": "100", "etag": '"a"'}, LATER, DateNeeded),
        (200, {"content-length": "100"}, Asked(40, 60, STRONG, by_date=True), RangesUnusable),
        (200, {"content-length": "1e3"}, FIRST, ProtocolError),
        (416, {"content-range": "bytes */30"}, LATER, ContentChanged),
        (416, {"content-range": "bytes */0"}, FIRST, RangesUnusable),
        (416, {}, Asked(whole=True), HttpError),
        (404, {}, FIRST, HttpError),
        (304, {}, FIRST, HttpError),
    ],
)
def test_refusals(status: int, headers: Mapping[str, str], asked: Asked, error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        interpret(status, headers, asked, 0.0)
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("known", "by_date", "sent"),
    [
        (STRONG, False, '"a"'),
        (STRONG, True, OLD),
        (Validator('W/"a"', OLD, 100), False, OLD),
        (Validator('W/"a"', None, 100), False, None),
    ],
)
def test_if_range_never_carries_a_weak_etag(known: Validator, by_date: bool, sent: str | None) -> None:
    headers = Asked(40, 60, known, by_date=by_date).headers()
    assert headers.get("if-range") == sent
    assert headers["range"] == "bytes=40-59"
    assert headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        ("Thu, 01 Jan 1970 00:02:00 -0000", 20.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("-5", None),
        ("soon", None),
        ("Thu, 99 Jan 1970 00:00:00 GMT", None),
    ],
)
def test_retry_after_in_both_forms(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, 100.0) == seconds


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 511, 400, 401, 403, 404, 410, 418])
def test_only_some_statuses_are_worth_a_retry(status: int) -> None:
    assert HttpError(status).retryable == (status in (408, 425, 429) or status >= 500)
