"""Syslog over TCP and UDP: a thread for each connection, which reads no faster than the engine takes."""

import select
import socket
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress

import structlog

from lab_kit.ports import Clock
from log_pipeline.adapters.intake import Intake
from log_pipeline.adapters.reader import Reader
from log_pipeline.contract import Batch, Priority

BUFFER, DATAGRAM, DATAGRAMS = 256 * 1024, 65_535, 500
CONNECTIONS, LOOK_SECONDS = 256, 0.2
LAST_BYTES = 64 * 1024 * 1024  # read at the end, of what has arrived already
PATIENCE = {Priority.CRITICAL: 1.0}  # seconds that a datagram may wait for room; the others do not wait
log = structlog.get_logger(__name__)


class TcpListener:
    """Any number of senders up to `CONNECTIONS`; one that sends faster than is written finds its window closed."""

    def __init__(self, intake: Intake, host: str, port: int) -> None:
        self._intake, self._ending = intake, intake.ending
        self._socket = socket.create_server((host, port), backlog=128)
        self._socket.settimeout(LOOK_SECONDS)
        self.port = int(self._socket.getsockname()[1])
        self._threads: set[threading.Thread] = set()
        self._acceptor = threading.Thread(target=self._accept, name="tcp", daemon=True)

    def start(self) -> None:
        self._acceptor.start()

    def join(self, timeout: float) -> None:
        """Wait until everything that has arrived is submitted; for after `intake.ending` is set."""
        until = self._intake.clock.monotonic() + timeout
        self._acceptor.join(timeout)  # it may still let in who had come
        left = max(0.0, until - self._intake.clock.monotonic())
        join_all(list(self._threads), left, self._intake.clock)

    def _accept(self) -> None:
        with closing(self._socket):
            while not self._ending.is_set():
                try:
                    self._welcome(*self._socket.accept())
                except TimeoutError:
                    pass
                except (OSError, RuntimeError) as error:  # too many files are open, or threads
                    log.warning("a sender cannot be let in just now", error=str(error))
                    self._ending.wait(LOOK_SECONDS)
            self._socket.setblocking(False)
            with suppress(OSError, RuntimeError):  # until nobody is there who had come
                while True:
                    self._welcome(*self._socket.accept())

    def _welcome(self, connection: socket.socket, address: tuple[str, int]) -> None:
        if len(self._threads) >= CONNECTIONS:
            log.warning("too many connections: this one is closed", sender=address[0])
            return connection.close()
        thread = threading.Thread(target=self._serve, args=(connection, address[0]), daemon=True)
        self._threads.add(thread)
        try:
            thread.start()
        except RuntimeError:
            self._threads.discard(thread)
            connection.close()
            raise

    def _serve(self, connection: socket.socket, host: str) -> None:
        try:
            self._take(connection, host)
        except OSError as error:
            log.info("a sender is gone", sender=host, error=str(error))
        except Exception:  # of the engine, which may be a learner's
            log.exception("what a sender sent could not be taken: its connection is closed", sender=host)
        finally:
            self._threads.discard(threading.current_thread())

    def _take(self, connection: socket.socket, host: str) -> None:
        with closing(Reader(self._intake, f"tcp:{host}")) as reader:
            try:
                with closing(connection):
                    self._read(connection, reader)
            finally:
                self._submit(reader.end())

    def _read(self, connection: socket.socket, reader: Reader) -> None:
        connection.settimeout(LOOK_SECONDS)
        while not self._ending.is_set():
            try:
                data = connection.recv(BUFFER)
            except TimeoutError:
                self._submit(reader.pause())
                continue
            if not data:
                return
            self._submit(reader.feed(data))
        for data in _arrived(connection):
            self._submit(reader.feed(data))

    def _submit(self, batches: list[Batch]) -> None:
        for batch in batches:
            self._intake.submit(batch)


class UdpListener:
    """A record a datagram. Nobody can slow its sender: what finds no room is counted as refused."""

    def __init__(self, intake: Intake, host: str, port: int) -> None:
        self._intake = intake
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * 1024 * 1024)
        self._socket.bind((host, port))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        self._thread = threading.Thread(target=self._run, name="udp", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float) -> None:
        """See `TcpListener.join`."""
        self._thread.join(timeout)

    def _run(self) -> None:
        with closing(self._socket):
            while not self._intake.ending.is_set():
                select.select([self._socket], [], [], LOOK_SECONDS)
                self._take(list(self._arrived()))
            taken = 0
            while taken < LAST_BYTES and (datagrams := list(self._arrived())):
                taken += sum(len(record) + 1 for record, _ in datagrams)
                self._take(datagrams)

    def _arrived(self) -> Iterator[tuple[bytes, tuple[str, int]]]:
        """What is there, without waiting."""
        with suppress(BlockingIOError):
            for _ in range(DATAGRAMS):
                yield self._socket.recvfrom(DATAGRAM)

    def _take(self, datagrams: list[tuple[bytes, tuple[str, int]]]) -> None:
        try:
            self._submit(datagrams)
        except Exception:  # of the engine, which may be a learner's
            log.exception("datagrams could not be taken", datagrams=len(datagrams))

    def _submit(self, datagrams: list[tuple[bytes, tuple[str, int]]]) -> None:
        records: dict[str, list[bytes]] = defaultdict(list)
        for record, (host, _) in datagrams:
            records[host].append(record)
        for host, ours in records.items():
            for batch in self._intake.sort(ours, f"udp:{host}").batches:
                self._intake.offer(batch, PATIENCE.get(batch.priority, 0.0))


def join_all(threads: Iterable[threading.Thread], timeout: float, clock: Clock) -> None:
    """Wait until all have ended, at most `timeout` seconds together."""
    until = clock.monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, until - clock.monotonic()))


def _arrived(connection: socket.socket) -> Iterator[bytes]:
    """What the kernel has taken for us already."""
    connection.setblocking(False)
    taken = 0
    with suppress(BlockingIOError):
        while taken < LAST_BYTES and (data := connection.recv(BUFFER)):
            taken += len(data)
            yield data
