"""Servers on real sockets that say exactly what a test wants."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from scraper.adapters.fetcher import HttpFetcher, Phases
from scraper.adapters.hosts import AllowedHosts
from scraper.contract import Answer

__all__ = ["HTML", "SHORT", "Handler", "Server", "fetched", "saying", "serving", "whole"]

SHORT = Phases(connect=0.1, first_byte=0.1, total=0.3, body=10_000)
HTML = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
type Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Speaks to each connection as `handler` does; knows how many there were, and whether one began or ended."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.port, self.connections = 0, 0
        self.met, self.left = asyncio.Event(), asyncio.Event()

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.met.set()
        with suppress(ConnectionError):
            await self._handler(reader, writer)
            await reader.read()
        self.left.set()
        writer.close()


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[Server]:
    server = Server(handler)
    listening = await asyncio.start_server(server.speak, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


def saying(*parts: bytes, end: bool = False, gap: float = 0.0) -> Handler:
    """A server that reads a request and says `parts`; then it closes its side, or waits."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline() != b"\r\n":
            pass
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(gap)
        if end:
            writer.write_eof()

    return handler


def whole(body: bytes, fields: bytes = b"Content-Type: text/html\r\n", status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %s\r\n%bContent-Length: %d\r\n\r\n%b" % (status, fields, len(body), body)


def fetched(handler: Handler, path: str = "/", phases: Phases = SHORT, times: int = 1) -> Answer:
    """What the last of so many requests brings from a server that is allowed by its address."""

    async def fetch() -> Answer:
        async with serving(handler) as server:
            place = f"127.0.0.1:{server.port}"
            fetcher = HttpFetcher(AllowedHosts([place], "http://origin.test"), phases)
            try:
                for _ in range(times):
                    answer = await fetcher.get(f"http://{place}{path}")
                return answer
            finally:
                await fetcher.close()

    return asyncio.run(fetch())
