"""The programs we compare with: from PATH, else unpacked from the distribution's packages, without root."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HOME = Path(__file__).parents[2] / ".bench"
PACKAGES = {
    "aria2c": ("aria2", "libaria2-0", "libc-ares2", "libssh2-1"),
    "curl": ("curl", "libcurl4"),
    "nginx": ("nginx",),
    "rsyslogd": ("rsyslog", "libestr0", "libfastjson4", "liblognorm5"),
    "syslog-ng": ("syslog-ng-core", "libivykis0", "libnet1", "libpcre3", "libwrap0"),
    "primesieve": ("primesieve-bin", "libprimesieve11"),
}
LIBRARIES = ("usr/lib/*-linux-gnu", "lib/*-linux-gnu", "usr/lib/syslog-ng")
VERSION = {"rsyslogd": "-v"}


@dataclass(frozen=True)
class Peer:
    """A program that runs here, the environment it runs in, and the folder it was unpacked into, if it was."""

    path: str
    environment: Mapping[str, str]
    root: Path = Path("/")


def find(program: str) -> Peer:
    """The peer called `program`; SystemExit with one sentence where it cannot be had."""
    on_path = shutil.which(program)
    if on_path:
        return Peer(on_path, os.environ)
    root = HOME / program
    if not _unpacked(root, program):
        _unpack(PACKAGES[program], root)
    folders = (folder for pattern in LIBRARIES for folder in root.glob(pattern))
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, folders))}
    peer = Peer(_unpacked(root, program), environment, root)
    if not peer.path or _broken(peer, VERSION.get(program, "--version")):
        raise SystemExit(f"No {program} here to compare with: install the package {PACKAGES[program][0]}.")
    return peer


def python_peer() -> Peer:
    """A Python with the peers of bench.lock; made when it is not there, or when the lock changed."""
    environment, lock = HOME / "venv", HOME.parent / "bench.lock"
    stamp, uv = environment / "lock", Path(sys.executable).parent / "uv"
    if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
        subprocess.run(
            [uv, "venv", "--quiet", "--clear", "--python", sys.executable, environment], check=True
        )
        command = [uv, "pip", "sync", "--quiet", "--require-hashes", "--python", environment, lock]
        subprocess.run(command, check=True)
        shutil.copy(lock, stamp)
    return Peer(str(environment / "bin/python"), os.environ)


def _broken(peer: Peer, option: str) -> bool:
    return subprocess.run([peer.path, option], env=peer.environment, capture_output=True).returncode != 0


def _unpacked(root: Path, program: str) -> str:
    """The path of `program` below `root`; empty where there is none."""
    return next((str(path) for path in sorted(root.glob(f"usr/*bin/{program}"))), "")


def _unpack(packages: tuple[str, ...], root: Path) -> None:
    if not shutil.which("apt-get"):
        return
    root.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", "-qq", *packages], cwd=root, check=False)
    for package in root.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
