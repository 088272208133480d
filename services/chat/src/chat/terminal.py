"""The chat in a terminal: `lab chat --name ann`. What is typed is said; what is said is printed."""

import argparse
import asyncio
import json
import os
import random
import secrets
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

__all__ = ["main"]

HELP = (
    "/join ROOM or @NAME · /create ROOM · /people · /rooms · /away · /back · /kick NAME · /ban NAME SECONDS · "
    "/topic TEXT · /quit"
)
LONGEST_WAIT, POLICY, FOR_A_WHILE = 15.0, 1008, 600.0
STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "concurrency-lab"
type Json = dict[str, Any]


class Ended(Exception):
    """It is over; the text says why."""


class Terminal:
    """One person at a terminal, who may lose the connection and come back."""

    def __init__(self, url: str, name: str, room: str) -> None:
        self._url, self._name, self._room = url, name, room
        self._last: dict[str, int] = {}
        self._unacknowledged: dict[str, Json] = {}
        self._socket: ClientConnection | None = None
        self._wait: float | None = None

    async def run(self) -> None:
        """Talk until the input ends. Raises `Ended`."""
        token = await asyncio.to_thread(sign_in, self._url, self._name)
        typed = asyncio.create_task(self._read_lines())
        talking = asyncio.create_task(self._keep_talking(token))
        done, left = await asyncio.wait((typed, talking), return_when=asyncio.FIRST_COMPLETED)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        for task in done:
            task.result()

    async def _keep_talking(self, token: str) -> None:
        failures = 0
        while True:
            try:
                where = await asyncio.to_thread(ask, self._url, "GET", "/v1/where")
                async with connect(where["websocket"], compression=None) as socket:
                    self._socket, failures = socket, 0
                    await self._send(type="hello", token=token)
                    async for text in socket:
                        await self._hear(json.loads(text))
            except ConnectionClosed as error:
                if error.rcvd and error.rcvd.code == POLICY:
                    raise Ended(f"the service ended it: {error.rcvd.reason}") from error
            except (OSError, WebSocketException, Ended):
                failures += 1
            self._socket = None
            bound = min(LONGEST_WAIT, 0.5 * 2**failures)
            wait, self._wait = self._wait or random.uniform(0.1, bound), None
            show(f"-- not connected; again in {wait:.1f} s")
            await asyncio.sleep(wait)

    async def _hear(self, message: Json) -> None:
        kind, room = message["type"], message.get("room", "")
        if kind in ("message", "edited", "deleted", "change"):
            if message["id"] <= self._last.get(room, 0):
                return
            self._last[room] = message["id"]
        refused = kind == "error" and message["code"] != "unavailable"
        self._unacknowledged.pop(message.get("ref" if refused else "nonce", ""), None)
        if kind == "welcome":
            await self._join(self._room)
        elif kind == "joined" and not message.get("with"):
            self._room = room
        elif kind == "caught_up":
            show(f"-- you are in {room}; {HELP}")
            for said in list(self._unacknowledged.values()):
                await self._send(**said)
        elif kind == "closing":
            self._wait = float(message["retry_after"])
        show(line(message, self._room))

    async def _read_lines(self) -> None:
        """A thread of its own reads the input, which may never end."""
        loop, lines = asyncio.get_running_loop(), asyncio.Queue[str]()

        def read() -> None:
            for text in sys.stdin:
                loop.call_soon_threadsafe(lines.put_nowait, text.strip())
            loop.call_soon_threadsafe(lines.put_nowait, "/quit")

        threading.Thread(target=read, daemon=True).start()
        while (text := await lines.get()) != "/quit":
            await (self._command(text) if text.startswith("/") else self._say(text))

    async def _say(self, text: str) -> None:
        if text:
            said = {"type": "say", "room": self._room, "text": text, "nonce": secrets.token_hex(8)}
            self._unacknowledged[said["nonce"]] = said
            await self._send(**said)

    async def _command(self, text: str) -> None:
        verb, _, rest = text[1:].partition(" ")
        if verb == "join":
            await self._join(rest)
        elif verb in ("people", "rooms"):
            await self._send(type=verb, **({"room": self._room} if verb == "people" else {}))
        elif verb in ("away", "back"):
            await self._send(type="away", away=verb == "away")
        elif verb == "create":
            await self._send(type="create", room=rest)
            await self._join(rest)
        elif verb == "help":
            show(f"-- {HELP}")
        else:
            await self._send(type="command", room=self._room, verb=verb, **about(verb, rest))

    async def _join(self, room: str) -> None:
        await self._send(type="join", room=room, after=self._last.get(room))

    async def _send(self, **message: object) -> None:
        if self._socket:
            try:
                await self._socket.send(json.dumps(message))
            except ConnectionClosed:
                show("-- not connected: it is sent when the connection is back")


def about(verb: str, rest: str) -> Json:
    """What an administrator's command needs beside the room: a text, or a name and for how long."""
    if verb in ("topic", "announce"):
        return {"text": rest}
    if verb in ("close", "slow"):
        return {"seconds": seconds(rest, 0.0)}
    user, _, more = rest.partition(" ")
    found = {"text": more} if verb == "role" else {"seconds": seconds(more, FOR_A_WHILE)}
    return {"user": user or None, **found}


def seconds(text: str, usual: float) -> float:
    """What was typed; what is usual if it is no number."""
    try:
        return abs(float(text))
    except ValueError:
        return usual


def line(message: Json, here: str) -> str:
    """What to print of a message; nothing for what only programs need."""
    room = message.get("room", "")
    place = "" if room == here else f"[{room}] "
    match message["type"]:
        case "message":
            file = f" ({message['file']['name']})" if "file" in message else ""
            return f"{place}{message['user']}: {message['text']}{file}"
        case "edited":
            return f"{place}{message['user']} meant: {message['text']}"
        case "deleted":
            return f"{place}{message['user']} took a message back"
        case "change":
            about = message.get("user") or message.get("text", "")
            return f"{place}-- {message['by']}: {message['verb']} {about}"
        case "presence":
            return f"{place}-- {message['user']} is {message['state']}"
        case "left":
            return f"-- you are no longer in {room}"
        case "error":
            return f"-- {message['detail']}"
        case "people":
            return "-- " + ", ".join(f"{one['user']} ({one['state']})" for one in message["people"])
        case "rooms":
            return "-- " + ", ".join(
                f"{one['room']} ({one['unread']} unread)" if one.get("unread") else one["room"]
                for one in message["rooms"]
            )
        case _:
            return ""


def show(text: str) -> None:
    """Print it, but nothing that could steer the terminal."""
    if text:
        print("".join(letter if letter.isprintable() else " " for letter in text), flush=True)


def sign_in(url: str, name: str) -> str:
    """A token for `name`; kept for the next time. Raises `Ended`."""
    kept = STATE / f"chat-{name}.token"
    token = kept.read_text() if kept.is_file() else ""
    signed = ask(url, "POST", "/v1/sign-in", {"name": name, "token": token})
    STATE.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept.touch(mode=0o600)
    kept.write_text(signed["token"])
    return str(signed["token"])


def ask(url: str, method: str, path: str, body: object = None) -> Json:
    """Raises `Ended` with what the service says."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: Json = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        raise Ended(json.load(error)["detail"]) from error
    except OSError as error:
        raise Ended(f"no chat answers at {url}: start the lab, or say where it is with --url") from error


def main(arguments: Sequence[str]) -> None:
    """The command. Ends the process with 1 and one sentence where it cannot go on."""
    base = int(os.environ.get("LAB_PORT_BASE") or 8000)
    parser = argparse.ArgumentParser(
        prog="lab chat", description="Talk in a terminal. Example: lab chat --name ada", epilog=HELP
    )
    parser.add_argument(
        "--name", required=True, help="who you are: a lower-case letter, then letters and digits"
    )
    parser.add_argument("--room", default="general", help="where to begin; @NAME is a private conversation")
    parser.add_argument("--url", default=f"http://127.0.0.1:{base + 6}", help="where the chat is")
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(Terminal(chosen.url.rstrip("/"), chosen.name, chosen.room).run())
    except Ended as error:
        sys.exit(str(error))
