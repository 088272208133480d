"""What is asked over HTTP: a token for a name, and where the WebSocket is."""

import json
import os
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

__all__ = ["Ended", "Json", "NoAnswer", "sign_in", "where"]

STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "concurrency-lab"
type Json = dict[str, Any]


class Ended(Exception):
    """It is over; the text says why."""


class NoAnswer(Ended):
    """Nobody answers, or not the chat. It may, later."""


def sign_in(url: str, name: str) -> str:
    """A token for `name`; kept for the next time. Raises `Ended`."""
    kept = STATE / f"chat-{name}.token"
    token = kept.read_text() if name.isidentifier() and kept.is_file() else ""
    signed = str(_ask(url, "/v1/sign-in", "token", {"name": name, "token": token}))
    STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept.touch(mode=0o600)
    kept.write_text(signed)
    return signed


def where(url: str) -> str:
    """The address of the WebSocket. Raises `Ended`."""
    return str(_ask(url, "/v1/where", "websocket"))


def _ask(url: str, path: str, wanted: str, body: Json | None = None) -> object:
    """The member `wanted` of the answer. Raises `Ended` with what the service says."""
    data = None if body is None else json.dumps(body).encode()
    try:
        request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)[wanted]
    except urllib.error.HTTPError as error:
        raise _refused(url, error) from error
    except OSError as error:
        raise NoAnswer(f"no chat answers at {url}: start the lab, or say where it is with --url") from error
    except (ValueError, HTTPException, LookupError, TypeError) as error:
        raise _stranger(url) from error


def _refused(url: str, error: urllib.error.HTTPError) -> Ended:
    try:
        detail = str(json.load(error)["detail"])
    except (ValueError, LookupError, TypeError):
        return _stranger(url)
    return NoAnswer(detail) if error.code >= 500 else Ended(detail)


def _stranger(url: str) -> NoAnswer:
    return NoAnswer(f"what is at {url} is not the chat: say where it is with --url, as http://HOST:PORT")
