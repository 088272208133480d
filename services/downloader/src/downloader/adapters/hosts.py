"""Which hosts may be fetched from, and at which addresses."""

import ipaddress
import socket
from collections.abc import Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from downloader.contract import ConnectionLost, Refused
from downloader.core.validate import Place, place_of

VIRTUAL = ".lab.test"


class Endpoint(NamedTuple):
    """A place, and where to connect for it: addresses that were checked, in the resolver's order."""

    place: Place
    addresses: tuple[str, ...]
    port: int


class AllowedHosts:
    """The allow list: `host`, `host:port`, `*.suffix`, or `*` for the whole public web.

    Every virtual domain `*.lab.test` lives at the origin, which is the one host whose address may be private.
    Any other name is refused if any of its addresses is not public: what is connected to is what was checked.
    """

    def __init__(self, allowed: Sequence[str], origin_url: str) -> None:
        self._allowed = tuple(pattern.lower() for pattern in allowed)
        self._origin = place_of(origin_url)
        self._listed = lru_cache(maxsize=1024)(self._is_listed)
        self._literal = lru_cache(maxsize=1024)(self._resolved)

    def endpoint(self, url: str) -> Endpoint:
        """Where `url` is fetched from. Raises `Refused`, or `ConnectionLost` for a name without address."""
        place = self.permit(url)
        return self._literal(place) if _is_address(place.host) else self._resolved(place)

    def _resolved(self, place: Place) -> Endpoint:
        if place == self._origin or place.host.endswith(VIRTUAL):
            return Endpoint(place, _resolve(self._origin), self._origin.port)
        addresses = _resolve(place)
        private = [address for address in addresses if not _is_public(address)]
        if private and not self._means(place):
            raise Refused(f"{place.host} resolves to {private[0]}, which is not a public address")
        return Endpoint(place, addresses, place.port)

    def permit(self, url: str) -> Place:
        """The place of `url`. Raises `Refused` if it is not on the list; resolves nothing."""
        try:
            place = place_of(url)
        except ValueError as error:
            raise Refused(f"{url!r} cannot be fetched: {error}") from error
        if not self._listed(place):
            raise Refused(
                f"host {place.authority!r} is not allowed: LAB_ALLOWED_HOSTS is {','.join(self._allowed)}"
            )
        return place

    def _is_listed(self, place: Place) -> bool:
        listed = any(fnmatchcase(name, pattern) for name in _names(place) for pattern in self._allowed)
        return listed or place == self._origin

    def _means(self, place: Place) -> bool:
        """Whether the list names this very address, so that somebody meant it."""
        return _is_address(place.host) and any(name in self._allowed for name in _names(place))


def _names(place: Place) -> tuple[str, str]:
    return place.host, place.named


@lru_cache(maxsize=1024)
def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=1024)
def _is_public(address: str) -> bool:
    return ipaddress.ip_address(address).is_global


def _resolve(place: Place) -> tuple[str, ...]:
    if _is_address(place.host):
        return (place.host,)
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise ConnectionLost(f"{place.host} does not resolve: {error.strerror}") from error
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
