"""Finds out, before anything starts, which ports are taken and by whom."""

import errno
import socket
from collections.abc import Iterable

import psutil

from lab.supervisor.plan import HOST, Component

__all__ = ["taken"]


def taken(components: Iterable[Component]) -> list[str]:
    """Return one sentence for each port that a component needs and somebody else has."""
    blocked = [(c, port) for c in components for port in c.ports if not _free(port)]
    return [
        f"Port {port} ({c.name}) is taken by {_owner(port)}: stop it or set {c.variable}, "
        "or LAB_PORT_BASE to move all ports."
        for c, port in blocked
    ]


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.errno != errno.EADDRINUSE  # anything else the service itself says better
    with socket.socket() as probe:  # macOS lets us bind beside a listener on all addresses
        return probe.connect_ex((HOST, port)) != 0


def _owner(port: int) -> str:
    try:
        listeners = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
        pid = next((c.pid for c in listeners if c.laddr and c.laddr.port == port and c.pid), None)
        return f"{psutil.Process(pid).name()} (pid {pid})" if pid else "a process of another user"
    except psutil.Error:
        return "a process that this user may not see"
