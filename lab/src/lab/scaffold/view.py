"""What to do with a challenge that has just been made."""

import shlex
from pathlib import Path

from lab.scaffold.names import Names, repository

__all__ = ["next_steps"]

ALWAYS = """\
lab check {code} --engine reference      passes
lab check {code} --engine naive          fails what challenge.toml lists
python -m {module}                       the service, on port {port}; it needs a Redis (REDIS_URL)
"""


def next_steps(names: Names, folder: Path, files: int) -> str:
    """The commands to type next, and where to read on."""
    root = repository(folder)
    inside = root is not None and folder.parent == root / "services"
    install = "make setup" if inside else f"uv pip install --no-deps --editable {shlex.quote(str(folder))}"
    commands = ALWAYS.format(code=names.code, module=names.module, port=names.port)
    shown = "".join(f"  {line}\n" for line in [install, *commands.splitlines()])
    rest = "What else the repository asks of it is in CONTRIBUTING.md." if inside else ""
    return f"{names.code} is in {folder}, {files} files. Next:\n{shown}{rest}".rstrip()
