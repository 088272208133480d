"""HTTP and waiting, for tests that know the lab only by its addresses."""

import hashlib
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any


class NoAnswer(AssertionError):
    """Nothing answered, or not in time."""


def ask(
    method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None
) -> tuple[int, Any]:
    """Send JSON; return status and the decoded answer (None if empty, text if no JSON). Raises NoAnswer."""
    data = None if body is None else json.dumps(body).encode()
    sent = {"content-type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, data, sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, _decoded(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, _decoded(error.read())
    except OSError as error:
        raise NoAnswer(f"{method} {url}: {error}") from None


def get(url: str) -> Any:
    """The answer of a GET that succeeds."""
    status, found = ask("GET", url)
    assert status == 200, (url, status, found)
    return found


def sha256_of(url: str) -> str:
    """The SHA-256 of what a URL serves."""
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=10) as answer:
        while block := answer.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def query(prometheus: str, expr: str) -> list[float]:
    """The numbers that an instant query finds now."""
    found = get(f"{prometheus}/api/v1/query?query={urllib.parse.quote(expr)}")
    return [float(series["value"][1]) for series in found["data"]["result"]]


def eventually[T](
    condition: Callable[[], T], within: float = 30.0, why: Callable[[], str] = lambda: "it never came true"
) -> T:
    """Wait for a true value, however often nothing answers before; then return it; otherwise say `why` not."""
    deadline, last = time.monotonic() + within, ""
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
            last = ""
        except NoAnswer as error:
            last = str(error)
        time.sleep(0.1)
    raise AssertionError(f"waited {within:g} s in vain: {last or why()}")


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return data.decode(errors="replace")
