"""What the log pipeline raises is said in #ops, once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3
from redis import Redis
from tests.ports import free_port

from lab_kit.messages import Message


@pytest.fixture
def log_pipeline(replica: Any, tmp_path: Path, patience: Any) -> Iterator[str]:
    """The URL of a real log pipeline on the chat's Redis, with the alert rules it has without any file."""
    port = free_port()
    settings = {"PORT": str(port), "LOG_PIPELINE_SYSLOG_PORT": "0", "REDIS_URL": replica.server.url,
                "LAB_DATA": str(tmp_path / "data"), "LAB_WORKSPACE": str(tmp_path)}  # fmt: skip
    url, quiet = f"http://127.0.0.1:{port}", subprocess.DEVNULL
    command = [sys.executable, "-m", "log_pipeline"]
    with subprocess.Popen(command, env=os.environ | settings, stdout=quiet, stderr=quiet) as process:
        try:
            patience(lambda: process.poll() is None and answers(f"{url}/ready"))
            yield url
        finally:
            process.kill()


def answers(url: str) -> bool:
    try:
        return urllib3.request("GET", url, retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def test_what_alarms_the_log_pipeline_is_said_in_ops(replica: Any, log_pipeline: str) -> None:
    guest = replica.guest("ann-on-duty")
    guest.join("ops")
    line = b'{"level": "critical", "msg": "the kettle is on fire"}\n'
    assert urllib3.request("POST", f"{log_pipeline}/v1/logs", body=line, retries=False).status == 200
    heard = guest.until("message", room="ops", user="log-pipeline")
    assert heard["text"].startswith("critical: ")


def test_an_alert_is_said_once_and_what_is_none_is_buried(replica: Any, redis: Redis, patience: Any) -> None:
    guest = replica.guest("ann-ops")
    guest.join("ops")
    alert = {"rule": "errors", "text": "12 errors in 10 s", "time": 1.0}
    message = Message("alert.raised", {"alert": alert})
    for text in (message.encode(), message.encode(), Message("alert.raised", {"alert": {}}).encode()):
        redis.xadd("lab:alerts", {"message": text})
    heard = guest.until("message", room="ops", text="errors: 12 errors in 10 s")
    assert heard["user"] == "log-pipeline"
    patience(lambda: redis.xlen("lab:alerts:dead") == 1)
    assert guest.say("ops", "seen") == heard["id"] + 1
