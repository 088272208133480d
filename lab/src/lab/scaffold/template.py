"""Makes a challenge of the template: its files, with the names replaced, all of them or none."""

import ast
import importlib.resources
import re
import tempfile
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path

from lab import LabError, WrongUsage
from lab.scaffold.names import Names

__all__ = ["KINDS", "make", "rendered"]

KINDS = ("threads", "asyncio", "processes")
EXAMPLE = "WordCount"
SUFFIX = ".txt"  # so that no tool takes a template for code


def make(names: Names, kind: str, folder: Path) -> int:
    """Write the challenge to `folder`, which must not exist; returns the number of files.

    Raises LabError if it cannot be written, and then leaves nothing.
    """
    files = rendered(names, kind)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as draft:
            _write(files, Path(draft) / folder.name)
            (Path(draft) / folder.name).rename(folder)
    except OSError as error:
        raise LabError(f"{folder} cannot be written: {error.strerror or error}.") from None
    return len(files)


def rendered(names: Names, kind: str) -> Mapping[str, str]:
    """The text of every file, by its path. Raises WrongUsage where the engine's name would hide another."""
    template = importlib.resources.files("lab.scaffold") / "template"
    texts = dict([*_files(template / "common"), *_files(template / kind)])
    if names.engine != EXAMPLE and names.engine in _used(texts):
        raise WrongUsage(f"The template has a {names.engine} of its own: choose another name.")
    return {_renamed(path, names): _filled(text, names) for path, text in sorted(texts.items())}


def _files(folder: Traversable, path: str = "") -> Iterator[tuple[str, str]]:
    for child in folder.iterdir():
        below = f"{path}/{child.name}".removeprefix("/")
        if child.is_dir():
            yield from _files(child, below)
        else:
            yield below.removesuffix(SUFFIX), child.read_text(encoding="utf-8")


def _used(texts: Mapping[str, str]) -> set[str]:
    """Every name that the code of the template uses or imports."""
    code = [ast.parse(text) for path, text in texts.items() if path.endswith(".py")]
    nodes = [node for tree in code for node in ast.walk(tree)]
    kinds = {node.name for node in nodes if isinstance(node, ast.ClassDef | ast.alias)}
    return kinds | {node.id for node in nodes if isinstance(node, ast.Name)}


def _renamed(text: str, names: Names) -> str:
    replaced = {
        "word_count": names.module,
        "word-count": names.folder,
        EXAMPLE: names.engine,
        "Word count": names.title,
        "X1": names.code,
        "8011": str(names.port),
    }
    return re.sub("|".join(replaced), lambda found: replaced[found[0]], text)


def _filled(text: str, names: Names) -> str:
    """With the category that was planned, and imports in the order that the new names ask for."""
    if names.category:
        text = re.sub(r'^category = ".*"$', f'category = "{names.category}"', text, flags=re.MULTILINE)
    imports = re.compile(rf"(^from (?:lab|lab_kit|{names.module})[. ].*\n)+", re.MULTILINE)
    return imports.sub(lambda block: _sorted(block[0]), _renamed(text, names))


def _sorted(block: str) -> str:
    return "".join(sorted(map(_members_sorted, block.splitlines(keepends=True))))


def _members_sorted(line: str) -> str:
    """Constants, classes, functions; each by name."""
    head, members = line.rstrip().split(" import ")
    kinds = sorted(members.split(", "), key=lambda one: (not one.isupper(), one[0].islower(), one))
    return f"{head} import {', '.join(kinds)}\n"


def _write(files: Mapping[str, str], folder: Path) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
