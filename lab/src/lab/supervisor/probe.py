"""Asks a component whether it is ready. Each question is bounded by TIMEOUT seconds and never raises."""

import asyncio

from lab.supervisor.plan import HOST, Component

__all__ = ["answers", "http_status", "page", "ready"]

TIMEOUT = 2.0
_PATHS = {"prometheus": "/-/ready"}


async def ready(component: Component) -> bool:
    """Whether it answers now. A worker without a port has no say."""
    if component.external:
        return await asyncio.to_thread(_external_redis, component.external)
    return component.port is None or await answers(component.name, component.port)


async def answers(name: str, port: int) -> bool:
    """Whether what listens on a local port is ready: HTTP 200 on /ready; for Redis, a PONG."""
    if name == "redis":
        return (await _ask(port, b"PING\r\n")).startswith(b"+PONG")
    return await http_status(port, _PATHS.get(name, "/ready")) == 200


async def page(address: str) -> str | None:
    """Return the address of a page worth opening, if there is one: its documentation, else its root."""
    if not address.startswith("http://"):
        return None
    port = int(address.rpartition(":")[2])
    for path in ("/docs", "/"):
        if await http_status(port, path) in (200, 302, 307):
            return address + path
    return None


async def http_status(port: int, path: str) -> int | None:
    """Return the status of a GET, or None where nothing sensible answers."""
    request = f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n"
    words = (await _ask(port, request.encode())).split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


async def _ask(port: int, request: bytes) -> bytes:
    """Send a request and return the first line of the answer, empty where there is none."""
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(request)
                return await reader.readline()
            finally:
                writer.close()
    except (OSError, ValueError, TimeoutError):
        return b""


def _external_redis(url: str) -> bool:
    import redis  # only here: half a second and 15 MB that a lab with its own Redis does not need

    try:
        with redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT) as client:
            return bool(client.ping())
    except (redis.RedisError, ValueError, OSError):
        return False
