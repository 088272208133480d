"""The log pipeline against syslog-ng and rsyslog: a million lines of JSON over one TCP connection into a file.

Ours parses, checks and sorts every line, with its queue and its ledger; theirs pass it through unparsed. The clock
stops when the file is complete; its bytes are compared. Afterwards: where the time of ours goes.
"""

import argparse
import contextlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

from measure import idle_or_exit, shared_memory
from peers import find
from pipelines import Service, valkey
from rich.console import Console
from rich.table import Table
from stack import free_port
from stages import breakdown

LINE = (
    b'{"ts":"2026-11-25T09:00:00.000000Z","level":"info","service":"shop","event":"something happens here",'
    b'"n":123456,"ok":true,"x":1}\n'
)
COUNT, BLOCK, WITHIN = 1_000_000, 2_000, 60.0
SYSLOG_NG = """@version: 3.38
options {{ stats-freq(0); use-dns(no); keep-hostname(yes); log-fifo-size(200000); }};
source s {{
  network(transport(tcp) ip("127.0.0.1") port({port}) flags(no-parse) log-iw-size(100000) log-fetch-limit(1000));
}};
destination d {{ file("{out}" template("$MSG\\n") flush-lines(1000)); }};
log {{ source(s); destination(d); flags(flow-control); }};
"""
RSYSLOG = """global(workDirectory="{folder}")
module(load="imptcp")
template(name="raw" type="string" string="%rawmsg%\\n")
ruleset(name="r" queue.type="FixedArray" queue.size="200000" queue.dequeueBatchSize="1000") {{
  action(type="omfile" file="{out}" template="raw" ioBufferSize="256k")
}}
input(type="imptcp" address="127.0.0.1" port="{port}" ruleset="r")
"""
type Server = Callable[[Path, int], Iterator[Path]]


@contextlib.contextmanager
def process(command: Sequence[str], environment: dict[str, str] | None = None) -> Iterator[None]:
    """A process that is there while the block runs."""
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet) as running:
        try:
            yield
        finally:
            running.terminate()


@contextlib.contextmanager
def ours(folder: Path, port: int) -> Iterator[Path]:
    with valkey() as redis:
        service = Service(folder, redis)
        service.start(log_pipeline_syslog_port=port, log_pipeline_rotate_bytes=10**12)
        try:
            yield folder / "logs/rest.jsonl"
        finally:
            service.end(signal.SIGTERM)


@contextlib.contextmanager
def syslog_ng(folder: Path, port: int) -> Iterator[Path]:
    peer, out, config = find("syslog-ng"), folder / "out", folder / "config"
    config.write_text(SYSLOG_NG.format(port=port, out=out))
    modules = peer.root / "usr/lib/syslog-ng/3.38"
    state = [f"--{name}={folder}/{name}" for name in ("persist-file", "pidfile", "control")]
    command = [peer.path, "-F", "--no-caps", f"--cfgfile={config}", f"--module-path={modules}", *state]
    with process(command, dict(peer.environment)):
        yield out


@contextlib.contextmanager
def rsyslog(folder: Path, port: int) -> Iterator[Path]:
    peer, out, config = find("rsyslogd"), folder / "out", folder / "config"
    config.write_text(RSYSLOG.format(folder=folder, port=port, out=out))
    modules = next(peer.root.glob("usr/lib/*-linux-gnu/rsyslog"))
    command = [peer.path, "-n", "-f", str(config), "-i", str(folder / "pid"), "-M", str(modules)]
    with process(command, dict(peer.environment)):
        yield out


SERVERS = {"ours": ours, "syslog-ng, unparsed": syslog_ng, "rsyslog, unparsed": rsyslog}


def measured(server: Callable[[Path, int], "contextlib.AbstractContextManager[Path]"], folder: Path) -> float:
    """Seconds from the first byte sent to the last in the file."""
    port, expected = free_port(), LINE * COUNT
    with server(folder, port) as out:
        connection = connected(port)
        began = time.perf_counter()
        sender = threading.Thread(target=send, args=(connection,))
        sender.start()
        while not out.exists() or out.stat().st_size < len(expected):
            time.sleep(0.001)
            if time.perf_counter() - began > WITHIN:
                raise SystemExit(
                    f"only {out.stat().st_size if out.exists() else 0:,} bytes after {WITHIN:g} s"
                )
        seconds = time.perf_counter() - began
        sender.join()
        if out.read_bytes() != expected:
            raise SystemExit("the file holds other bytes than were sent")
    return seconds


def connected(port: int) -> socket.socket:
    until = time.monotonic() + WITHIN
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def send(connection: socket.socket) -> None:
    block = LINE * BLOCK
    with connection:
        for _ in range(COUNT // BLOCK):
            connection.sendall(block)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--busy", action="store_true", help="measure although the machine is not idle")
    options = parser.parse_args()
    for program in ("syslog-ng", "rsyslogd"):
        find(program)
    idle_or_exit(options.busy)
    results: dict[str, list[float]] = {name: [] for name in SERVERS}
    for _ in range(options.rounds):
        for name, server in SERVERS.items():
            with tempfile.TemporaryDirectory(dir=shared_memory(), prefix="lab-bench-") as folder:
                results[name].append(measured(server, Path(folder)))
    show(results)
    breakdown(LINE, COUNT)


def show(results: dict[str, list[float]]) -> None:
    own = results["ours"]
    table = Table(title=f"{COUNT:,} lines of {len(LINE)} B: median of {len(own)} interleaved rounds")
    for heading in ("", "lines/s", "slowest", "fastest", "ours / theirs"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, seconds in results.items():
        rates = [COUNT / one for one in (median(seconds), max(seconds), min(seconds))]
        ratio = median(theirs / mine for mine, theirs in zip(own, seconds, strict=True))
        table.add_row(name, *(f"{rate:,.0f}" for rate in rates), f"{ratio:.2f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
