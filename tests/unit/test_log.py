"""What a line of the log holds, whoever wrote it."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import structlog

from lab_kit.log import Sender, configure


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_says_when_who_and_what(capsys: pytest.CaptureFixture[str]) -> None:
    configure("downloader")
    structlog.contextvars.bind_contextvars(trace="t1")
    structlog.get_logger("engine").warning("stalled", bytes=7)
    [line] = lines(capsys)
    when = datetime.fromisoformat(line.pop("ts"))
    assert when.utcoffset() == timedelta(0)
    assert line == {
        "level": "warning", "service": "downloader", "logger": "engine",
        "event": "stalled", "trace": "t1", "bytes": 7,
    }  # fmt: skip


def test_the_standard_library_writes_the_same_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure("downloader")
    logging.getLogger("uvicorn.error").info("listening on %s", 8001)
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["logger"]) == ("listening on 8001", "info", "uvicorn.error")
    assert line["service"] == "downloader"


def test_an_exception_is_one_line_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    configure("downloader")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        structlog.get_logger().exception("failed")
    [line] = lines(capsys)
    assert "ZeroDivisionError: division by zero" in line["exception"]


def test_what_json_does_not_know_is_shown_all_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    configure("downloader")
    structlog.get_logger().info("odd", path=object, text="\udc80")
    [line] = lines(capsys)
    assert "object" in line["path"]


def test_lines_below_the_level_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure("downloader", level="warning")
    structlog.get_logger().info("quiet")
    logging.getLogger("any").info("quiet")
    structlog.get_logger().error("loud")
    assert [line["event"] for line in lines(capsys)] == ["loud"]


def test_configuring_again_does_not_double_the_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure("a")
    configure("b")
    structlog.get_logger().info("once")
    assert [line["service"] for line in lines(capsys)] == ["b"]


def test_a_level_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure("downloader", level="loud")


def test_without_a_url_nothing_is_sent_nor_counted() -> None:
    sender = Sender("test", None, capacity=1)
    for _ in range(3):
        sender.offer("{}")
    sender.close()
    assert (sender.sent, sender.dropped) == (0, 0)


class Mute:
    """What cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


@pytest.mark.parametrize("value", [{("a", 1): 2}, Mute(), {1: Mute()}])
def test_what_cannot_be_written_costs_no_line(value: object, capsys: pytest.CaptureFixture[str]) -> None:
    configure("downloader")
    structlog.get_logger("engine").error("lost a file", value=value, trace="t1")
    [line] = lines(capsys)
    assert (line["event"], line["level"], line["trace"]) == ("lost a file", "error", "t1")
    assert line["unwritable"]
