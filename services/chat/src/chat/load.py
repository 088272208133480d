"""The load test of A2: what its users do, as functions of a visitor, whoever runs them.

Everything but the names follows from the visitor's random numbers. What a visit hears it checks: each
message once, in order of its id."""

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, nullcontext
from typing import Any

from websocket import WebSocket, WebSocketException, create_connection

from lab_kit.visits import Visitor

PEOPLE, ROOMS, PATIENCE = 40, 4, 10.0
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "and",
    "waits",
    "for",
    "nobody",
]


type Message = dict[str, Any]

_run = secrets.token_hex(3)
_tokens: dict[str, str] = {}
_newcomers = threading.Lock()  # one newcomer at a time


class Guest:
    """One connection that has said hello. `heard` has what came in its rooms, by room."""

    def __init__(self, socket: WebSocket, name: str) -> None:
        self._socket, self.name = socket, name
        self.heard: dict[str, list[Message]] = {}

    def send(self, type: str, **body: object) -> None:
        self._socket.send(json.dumps({"type": type, **body}))

    def until(self, wanted: Callable[[Message], bool]) -> Message:
        """The next message that is `wanted`. Raises WebSocketException."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self._socket.settimeout(max(1e-3, deadline - time.monotonic()))
            message: Message = json.loads(self._socket.recv())
            if "id" in message and message["type"] != "ack" and "room" in message:
                self.heard.setdefault(message["room"], []).append(message)
            if wanted(message):
                return message

    def join(self, room: str, after: int | None = None) -> Message:
        self.send("join", room=room, after=after)
        return self.until(lambda message: message["type"] in ("caught_up", "error"))

    def say(self, room: str, text: str) -> Message:
        """Say it, and wait until it is acknowledged."""
        nonce = secrets.token_hex(8)
        self.send("say", room=room, text=text, nonce=nonce)
        return self.until(
            lambda message: message.get("nonce") == nonce and message["type"] in ("ack", "error")
        )


@contextmanager
def guest(visitor: Visitor, number: int) -> Iterator[Guest]:
    """Somebody of this run's people, connected while the block runs."""
    name = f"load-{_run}-{number}"
    token = _sign_in(visitor, name)
    _, place = visitor.ask("GET", "/v1/where")
    connection = create_connection(
        place["websocket"], timeout=PATIENCE, suppress_origin=True, http_no_proxy=["*"]
    )
    with closing(connection) as socket:
        here = Guest(socket, name)
        here.send("hello", token=token)
        here.until(lambda message: message["type"] == "welcome")
        yield here


def _sign_in(visitor: Visitor, name: str) -> str:
    """The name's new token. Two who are new under one name at the same moment would take it from each other."""
    with nullcontext() if name in _tokens else _newcomers:
        body = {"name": name, "token": _tokens.get(name, "")}
        _, signed = visitor.ask("POST", "/v1/sign-in", body=body)
        _tokens[name] = signed["token"]
    return _tokens[name]


def converse(visitor: Visitor) -> None:
    """Say some things in a room, and hear each of them."""
    with _measured(visitor, "conversation"), guest(visitor, visitor.random.randrange(PEOPLE)) as one:
        room = _room(visitor, one)
        for _ in range(visitor.random.randrange(3, 8)):
            if visitor.random.random() < 0.5:
                one.send("typing", room=room)
            _say(visitor, one, room)
            visitor.pause(visitor.random.uniform(0.05, 0.3))
        _complain(visitor, "heard in order, once", one.heard.get(room, []))


def come_back(visitor: Visitor) -> None:
    """Lose the connection, come back, and have what was said meanwhile."""
    number = visitor.random.randrange(PEOPLE)
    with _measured(visitor, "resumed"), guest(visitor, number) as before:
        room = _room(visitor, before)
        last = int(_say(visitor, before, room).get("id", 0))
    visitor.pause(visitor.random.uniform(0.1, 0.5))
    with _measured(visitor, "resumed"), guest(visitor, number) as after:
        after.join(room, last)
        _complain(visitor, "heard in order, once", after.heard.get(room, []))


def whisper(visitor: Visitor) -> None:
    """A private message to somebody who may be anywhere."""
    mine, theirs = visitor.random.sample(range(PEOPLE), 2)
    with _measured(visitor, "private"), guest(visitor, mine) as one, guest(visitor, theirs) as other:
        joined = one.join(f"@{other.name}")
        _say(visitor, one, str(joined.get("room", "")))


def look_round(visitor: Visitor) -> None:
    """Who is here, which rooms there are, and what was said before."""
    with _measured(visitor, "look round"), guest(visitor, visitor.random.randrange(PEOPLE)) as one:
        room = _room(visitor, one)
        for type, body in (("people", {}), ("history", {"before": 2**31}), ("rooms", None)):
            one.send(type, **({"room": room, **body} if body is not None else {}))
            one.until(lambda message, type=type: message["type"] == type)  # type: ignore[misc]  # a default


VISITS: Mapping[Callable[[Visitor], None], int] = {converse: 6, come_back: 2, whisper: 1, look_round: 1}


def gentle(visitor: Visitor) -> None:
    """Two people in one room; one says something now and then."""
    with guest(visitor, 0) as one, guest(visitor, 1) as other:
        room = _room(visitor, one, 0)
        other.join(room)
        for _ in range(3):
            one.send("typing", room=room)
            id = int(_say(visitor, one, room).get("id", 0))
            other.until(lambda message, id=id: message.get("id") == id)  # type: ignore[misc]  # a default
            visitor.pause(visitor.random.uniform(0.3, 0.8))


def tidy(visitor: Visitor) -> None:
    """Nothing is left that would not expire by itself."""


def _room(visitor: Visitor, guest: Guest, number: int | None = None) -> str:
    chosen = visitor.random.randrange(ROOMS) if number is None else number
    name = f"load-{chosen}"
    if guest.join(name)["type"] == "error":
        guest.send("create", room=name, topic="made by the load test")
        guest.until(lambda message: message["type"] in ("created", "error"))
        guest.join(name)
    return name


def _say(visitor: Visitor, guest: Guest, room: str) -> Message:
    text = " ".join(visitor.random.choices(WORDS, k=visitor.random.randrange(3, 20)))
    began = time.perf_counter()
    answer = guest.say(room, text)
    error = answer["detail"].partition(":")[0] if answer["type"] == "error" else None
    visitor.measure("message to acknowledgement", time.perf_counter() - began, len(text), error)
    return answer


def _complain(visitor: Visitor, name: str, heard: list[Message]) -> None:
    ids = [message["id"] for message in heard]
    wrong = None if ids == sorted(set(ids)) else "out of order, or twice"
    visitor.measure(name, 0.0, len(ids), wrong)


@contextmanager
def _measured(visitor: Visitor, name: str) -> Iterator[None]:
    """A lost connection is a failure of the service, not of the visitor."""
    began = time.perf_counter()
    try:
        yield
    except (WebSocketException, TimeoutError, OSError) as error:
        visitor.measure(name, time.perf_counter() - began, 0, f"{type(error).__name__}")
