"""A folder for a process, which whoever starts later removes if that process could not."""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

__all__ = ["scratch"]


def scratch(name: str, root: Path | None = None) -> Path:
    """A new folder in the temporary one (or in `root`), whose name carries `name` and this process's id. Those of
    processes that are gone are removed."""
    root = root or Path(tempfile.gettempdir())
    for folder in root.glob(f"{name}-*-*"):
        owner = folder.name.removeprefix(f"{name}-").partition("-")[0]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{name}-{os.getpid()}-", dir=root))
