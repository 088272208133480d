"""Which hosts may be crawled, and at which addresses."""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from scraper.core.urls import origin_of

__all__ = ["AllowedHosts", "PrivateAddress"]

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""Leads to the IPv4 address in its last four bytes (RFC 6052)."""
VIRTUAL = ".lab.test"


class PrivateAddress(OSError):
    """A name that leads into our own network."""


class AllowedHosts(AbstractResolver):
    """The allow list: `host`, `host:port`, `*.suffix`, or `*` for the whole public web.

    Every virtual domain `*.lab.test` lives at the origin, which is the one host whose address may be private. Any
    other name is refused if any of its addresses is not public; what is connected to is what was checked.
    """

    def __init__(self, allowed: Sequence[str], origin_url: str) -> None:
        self._allowed = tuple(pattern.lower() for pattern in allowed)
        parts = urlsplit(origin_url)
        self._origin = (parts.hostname or "", parts.port or 80)
        self._allows = lru_cache(4096)(self._decide)

    def allows(self, url: str) -> bool:
        """Whether the list has the host of a normalised URL; resolves nothing."""
        return self._allows(origin_of(url))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Addresses that may be connected to. Raises `PrivateAddress`, or OSError for a name without address."""
        ours = host.endswith(VIRTUAL) or host == self._origin[0]
        name, port = self._origin if ours else (host, port)
        found = await asyncio.get_running_loop().getaddrinfo(name, port, type=socket.SOCK_STREAM)
        addresses = dict.fromkeys((str(entry[4][0]), entry[0]) for entry in found)
        private = [address for address, _ in addresses if not ours and not _is_public(address)]
        if private:
            raise PrivateAddress(f"{host} resolves to {private[0]}, which is not a public address")
        return [_result(host, address, port, family) for address, family in addresses]

    async def close(self) -> None:
        """Holds nothing."""

    def _decide(self, origin: str) -> bool:
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https"):
            return False
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        if (host, port) == self._origin:
            return True
        names = (host, f"{host}:{port}")
        listed = any(fnmatchcase(name, pattern) for name in names for pattern in self._allowed)
        # An address in a URL is never resolved: it is looked at here, and passes if somebody listed it as it is.
        meant = any(name in self._allowed for name in names)
        return listed and (meant or not _is_address(host) or _is_public(host))


def _result(host: str, address: str, port: int, family: int) -> ResolveResult:
    flags = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=flags)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_public(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    if ip in NAT64:
        ip = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.is_global and not ip.is_multicast
