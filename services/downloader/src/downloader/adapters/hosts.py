"""Which hosts may be fetched from, and at which addresses."""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import SplitResult, urlsplit

from downloader.contract import ConnectionLost, Refused

VIRTUAL = ".lab.test"
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to connect: checked addresses, in the resolver's order."""

    scheme: str
    host: str
    port: int
    addresses: tuple[str, ...]

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


class AllowedHosts:
    """The allow list: `host`, `host:port`, `*.suffix`, or `*` for the whole public web.

    Every virtual domain `*.lab.test` lives at the origin, which is the one host whose address may be private.
    Any other name is refused if any of its addresses is not public: what is connected to is what was checked.
    """

    def __init__(self, allowed: Sequence[str], origin_url: str) -> None:
        self._allowed = tuple(pattern.lower() for pattern in allowed)
        self._origin = urlsplit(origin_url)

    def endpoint(self, url: str) -> Endpoint:
        """Where `url` is fetched from. Raises `Refused`, or `ConnectionLost` for a name without address."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise Refused(f"{url!r} is no http or https URL")
        if parts.hostname.endswith(VIRTUAL):
            self._check(parts)
            return Endpoint(parts.scheme, parts.hostname, _port(parts), _resolve(self._origin))
        if (parts.hostname, _port(parts)) == (self._origin.hostname, _port(self._origin)):
            return Endpoint(parts.scheme, parts.hostname, _port(parts), _resolve(self._origin))
        return self._public(parts)

    def permit(self, url: str) -> None:
        """Raise `Refused` if `url` names a host that is not on the list; resolves nothing."""
        parts = urlsplit(url)
        if (parts.hostname, _port(parts)) != (self._origin.hostname, _port(self._origin)):
            self._check(parts)

    def connect_port(self, endpoint: Endpoint) -> int:
        """The port to connect to; virtual domains have the origin's."""
        return _port(self._origin) if endpoint.host.endswith(VIRTUAL) else endpoint.port

    def _public(self, parts: SplitResult) -> Endpoint:
        self._check(parts)
        assert parts.hostname is not None
        addresses = _resolve(parts)
        private = [address for address in addresses if not ipaddress.ip_address(address).is_global]
        if private and not self._named(parts):
            raise Refused(f"{parts.hostname} resolves to {private[0]}, which is not a public address")
        return Endpoint(parts.scheme, parts.hostname, _port(parts), addresses)

    def _check(self, parts: SplitResult) -> None:
        names = (parts.hostname or "", f"{parts.hostname}:{_port(parts)}")
        if not any(fnmatchcase(name, pattern) for name in names for pattern in self._allowed):
            raise Refused(
                f"host {parts.netloc!r} is not allowed: LAB_ALLOWED_HOSTS is {','.join(self._allowed)}"
            )

    def _named(self, parts: SplitResult) -> bool:
        """Whether the list names this very address, so that somebody meant it."""
        return any(
            name in self._allowed for name in (parts.hostname, f"{parts.hostname}:{_port(parts)}")
        ) and (_is_address(parts.hostname or ""))


def _port(parts: SplitResult) -> int:
    return parts.port or PORTS.get(parts.scheme, 0)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolve(parts: SplitResult) -> tuple[str, ...]:
    host = parts.hostname or ""
    if _is_address(host):
        return (host,)
    try:
        found = socket.getaddrinfo(host, _port(parts), type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise ConnectionLost(f"{host} does not resolve: {error.strerror}") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
