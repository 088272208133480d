"""The chat as its users meet it: real processes, a real Valkey, real sockets, on free ports."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Union

import msgspec
import pytest
from redis import Redis
from tests.integration.service import Service, eventually
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from chat.core.answers import KINDS

type Json = dict[str, Any]
EVENTS = ("message", "edited", "deleted", "change")
ADMIN = "let-me-in"
SENT = msgspec.json.Decoder(Union[tuple(KINDS)])  # noqa: UP007  # of a list


def validated(text: str | bytes) -> Json:
    """A message of the server; fails if it is not exactly one of those in the protocol."""
    message: Json = json.loads(text)
    assert json.loads(msgspec.json.encode(SENT.decode(text))) == message
    return message


class Guest:
    """One client. `seen` are all messages that came, in order."""

    def __init__(self, url: str, name: str, token: str, **options: Any) -> None:
        self.name, self.token, self.seen = name, token, list[Json]()
        self._refs = 0
        self._end = ExitStack()
        opened = connect(url, compression=None, max_size=2**24, close_timeout=1, **options)
        self.socket: ClientConnection = self._end.enter_context(opened)
        self.send("hello", token=token)
        self.welcome = self.until("welcome")

    def send(self, type: str, **body: object) -> None:
        self.socket.send(json.dumps({"type": type, **body}))

    def insist(self, *messages: str) -> None:
        """Send these, as far as the service lets it: it may end the connection amid them."""
        with suppress(ConnectionClosed):
            for message in messages:
                self.socket.send(message)

    def next(self, within: float = 10.0) -> Json:
        message: Json = validated(self.socket.recv(within))
        self.seen.append(message)
        return message

    def until(self, type: str, within: float = 10.0, **facts: object) -> Json:
        """The next message of this type that has these facts. A refusal fails the test, unless it is
        wanted."""
        deadline = time.monotonic() + within
        while True:
            message = self.next(max(0.01, deadline - time.monotonic()))
            if message["type"] == type and facts.items() <= message.items():
                return message
            assert message["type"] != "error", message

    def ask(self, request: str, wanted: str, **body: object) -> Json:
        """Send a request; its answer."""
        self._refs += 1
        ref = str(self._refs)
        self.send(request, ref=ref, **body)
        return self.until(wanted, ref=ref)

    def answer(self, request: str, **body: object) -> Json:
        """Send a request; its answer, which may be a refusal."""
        self._refs += 1
        self.send(request, ref=str(self._refs), **body)
        while (message := self.next()).get("ref") != str(self._refs):
            pass
        return message

    def join(self, room: str, after: int | None = None) -> Json:
        return self.ask("join", "caught_up", room=room, after=after)

    def say(self, room: str, text: str, **body: object) -> int:
        """Say it; the id, once it is acknowledged."""
        return int(self.ask("say", "ack", room=room, text=text, **body)["id"])

    def events(self, room: str) -> list[Json]:
        """What came to pass in `room`, as it came."""
        return [one for one in self.seen if one["type"] in EVENTS and one["room"] == room]

    def closed_with(self, within: float = 15.0) -> int:
        """The code with which the service ends the connection."""
        deadline = time.monotonic() + within
        try:
            while time.monotonic() < deadline:
                self.next(max(0.01, deadline - time.monotonic()))
        except ConnectionClosed as error:
            return error.rcvd.code if error.rcvd else 1006
        pytest.fail(f"the connection was still open after {within:g} s")

    def leave(self) -> None:
        self._end.close()


class Replica(Service):
    """One process of the service, on ports and a folder of its own."""

    def __init__(self, folder: Path, server: Any, **settings: object) -> None:
        self.server = server
        self.guests: list[Guest] = []
        usual = {"chat_probe": "false", "chat_rate": 1000, "chat_room_rate": 10_000, "chat_linger": 0.5,
                 "chat_admin_token": ADMIN, "chat_ws_port": 0, "redis_url": server.url}  # fmt: skip
        super().__init__("chat", folder, **(usual | settings))

    def start(self) -> None:
        """Start a process and wait until it is ready."""
        super().start()
        self.websocket = str(self.ask("GET", "/v1/where")[1]["websocket"])

    def ask(
        self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """Send bytes as they are, anything else as JSON; status and body."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given = {"content-type": "application/json"} | (headers or {})
        got = self._pool.request(method, self.url + path, headers=given, body=data)
        self.headers = dict(got.headers)
        return got.status, json.loads(got.data) if "json" in got.headers.get("content-type", "") else got.data

    def sign_in(self, name: str, admin: bool = False, token: str = "") -> str:
        status, body = self.ask(
            "POST", "/v1/sign-in", {"name": name, "token": token, "admin": ADMIN if admin else ""}
        )
        assert status == 200, body
        return str(body["token"])

    def guest(
        self, name: str, *rooms: str, admin: bool = False, token: str = "", at: str = "", **options: Any
    ) -> Guest:
        """Somebody who has come in (`at` another address), and joined these rooms; a room that does not exist is
        made."""
        guest = Guest(at or self.websocket, name, token or self.sign_in(name, admin), **options)
        self.guests.append(guest)
        for room in rooms:
            guest.answer("create", room=room)  # it may exist already
            guest.join(room)
        return guest

    def metric(self, name: str, *labels: str) -> float:
        """The sum of a metric's series with these labels."""
        lines = bytes(self.ask("GET", "/metrics")[1]).decode().splitlines()
        mine = [
            line for line in lines if line.partition("{")[0] == name and all(one in line for one in labels)
        ]
        return sum(float(line.split()[-1]) for line in mine)

    def dismiss(self) -> None:
        """All guests leave: each has threads of its own here."""
        while self.guests:
            self.guests.pop().leave()

    def end(self) -> None:
        self.dismiss()
        self.kill()


type StartRedis = Callable[[], Any]
type StartReplica = Callable[..., Replica]


@pytest.fixture(scope="module")
def start_replica(
    start_redis: StartRedis, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartReplica]:
    """A function that starts a replica, with a Valkey of its own unless `beside` another; keywords are
    settings. It ends with the module."""
    with ExitStack() as ends:

        def start(beside: Replica | None = None, **settings: object) -> Replica:
            server = beside.server if beside else start_redis()
            started = Replica(tmp_path_factory.mktemp("chat"), server, **settings)
            ends.callback(started.end)
            return started

        yield start


@pytest.fixture(scope="session")
def shared(start_redis: StartRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replica]:
    """The one of `replica`."""
    started = Replica(tmp_path_factory.mktemp("chat"), start_redis())
    yield started
    started.end()


@pytest.fixture
def replica(shared: Replica) -> Iterator[Replica]:
    """A replica that all tests share: each has people and rooms of its own. People leave with their test."""
    yield shared
    shared.dismiss()


@pytest.fixture
def redis(replica: Replica) -> Iterator[Redis]:
    """The Valkey of that replica."""
    with Redis.from_url(replica.server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
def patience() -> Callable[..., Any]:
    """`eventually`."""
    return eventually
