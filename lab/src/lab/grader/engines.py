"""Which engine is judged, in which files it lives, and how it is imported anew for each schedule.

Anew, because `from threading import Lock` binds at import what the scheduler has to replace before.
"""

import importlib
import importlib.util
import inspect
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from lab import LabError
from lab.challenges import Challenge, home, nearest

__all__ = [
    "KINDS",
    "EngineInvalid",
    "EngineSource",
    "engine_class_name",
    "engine_source",
    "mutants",
    "require_contract",
]

KINDS = {"reference": "engine", "naive": "naive", "starter": "starter"}


class EngineInvalid(Exception):
    """The class is not what the contract asks for; the text says what is missing."""


@dataclass(frozen=True)
class EngineSource:
    """One engine: its own files and folders, the pure logic beneath it, and how to import its class anew."""

    name: str
    own: Sequence[Path]
    beneath: Sequence[Path]
    load: Callable[[], type]

    @property
    def files(self) -> Sequence[Path]:
        """Where threads may be switched."""
        return [*self.own, *self.beneath]


def engine_source(challenge: Challenge, name: str, workspace: Path) -> EngineSource:
    """The engine called `name`: reference, naive, starter, mine, mutant:NAME. Raises LabError for another."""
    folder, wanted = home(challenge), engine_class_name(challenge)
    core = _paths(folder, "core")
    if name == "mine":
        path = workspace / f"{challenge.module}.py"
        if not path.is_file():
            raise LabError(f"There is no {path}: `lab start {challenge.code}` makes it.")
        return EngineSource(name, [path.resolve()], core, lambda: _from_file(path, wanted))
    if name.startswith("mutant:"):
        part, wanted = "mutants", _known_mutant(challenge, name.removeprefix("mutant:"))
    elif name in KINDS:
        part = KINDS[name]
    else:
        every = f"{', '.join(KINDS)}, mine, mutant:NAME"
        raise LabError(f"There is no engine {name!r}: {nearest(name, [*KINDS, 'mine'], every)}")
    own = _paths(folder, part, *(["engine"] if part == "mutants" else []))
    return EngineSource(name, own, core, lambda: _from_package(challenge.module, part, wanted))


def mutants(challenge: Challenge) -> dict[str, str]:
    """The wrong solutions that the challenge keeps, and the check that has to reject each."""
    if importlib.util.find_spec(f"{challenge.module}.mutants") is None:
        return {}
    module = importlib.import_module(f"{challenge.module}.mutants")
    return {name: vars(kind)["caught_by"] for name, kind in vars(module).items() if _is_mutant(kind)}


def _is_mutant(kind: object) -> bool:
    return isinstance(kind, type) and "caught_by" in vars(kind)


def engine_class_name(challenge: Challenge) -> str:
    """What every engine class of the challenge is called."""
    return str(tomllib.loads((home(challenge) / "challenge.toml").read_text(encoding="utf-8"))["engine"])


def _known_mutant(challenge: Challenge, name: str) -> str:
    known = mutants(challenge)
    if name not in known:
        raise LabError(f"{challenge.code} has no mutant {name!r}: {nearest(name, known or ['none'])}")
    return name


def _paths(folder: Path, *parts: str) -> list[Path]:
    candidates = [folder / f"{part}{ending}" for part in parts for ending in ("", ".py")]
    return [path.resolve() for path in candidates if path.exists()]


def _from_file(path: Path, wanted: str) -> type:
    module = ModuleType("mine")
    module.__file__ = str(path.resolve())
    sys.modules["mine"] = module  # where dataclasses and pickle look a class's module up
    exec(_compiled(str(path.resolve())), vars(module))
    return _named(module, wanted, path)


def _from_package(package: str, part: str, wanted: str) -> type:
    finder = _Anew((f"{package}.{part}", f"{package}.engine"))
    for name in [name for name in sys.modules if finder.owns(name)]:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    try:
        module = importlib.import_module(f"{package}.{part}")
    finally:
        sys.meta_path.remove(finder)
    return _named(module, wanted, Path(module.__file__ or ""))


class _Anew(MetaPathFinder):
    """Finds the modules below `roots` as always, and remembers their code: only what they do is done anew."""

    def __init__(self, roots: Sequence[str]) -> None:
        self._roots = roots

    def owns(self, name: str) -> bool:
        return any(name == root or name.startswith(f"{root}.") for root in self._roots)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if self.owns(name) else None
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Remembering(name, spec.loader.path)
        return spec


class _Remembering(SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        return _compiled(self.path)


@cache
def _compiled(path: str) -> CodeType:
    """The code of one file, the same object every time: what was learned of its places stays known."""
    return compile(Path(path).read_bytes(), path, "exec")


def _named(module: ModuleType, wanted: str, path: Path) -> type:
    found = getattr(module, wanted, None)
    if not isinstance(found, type):
        raise EngineInvalid(f"{path} defines no class {wanted}")
    return found


def require_contract(engine: type, package: str) -> None:
    """Raise EngineInvalid unless `engine` has every method of the contract, callable in the same way."""
    contract = importlib.import_module(f"{package}.contract")
    wanted = next(
        (vars(contract)[kind.__name__] for kind in engine.__mro__ if kind.__name__ in vars(contract)), None
    )
    for name, method in vars(wanted).items() if wanted else ():
        if callable(method) and not name.startswith("_"):
            _require_method(engine, name, method)


def _require_method(engine: type, name: str, method: Callable[..., object]) -> None:
    own = getattr(engine, name, None)
    if not callable(own):
        raise EngineInvalid(f"class {engine.__name__} has no method {name}{inspect.signature(method)}")
    asked, given = (list(inspect.signature(one).parameters) for one in (method, own))
    if given[: len(asked)] != asked:
        shown = inspect.signature(own)
        raise EngineInvalid(f"{engine.__name__}.{name}{shown} should be {name}{inspect.signature(method)}")
    if inspect.iscoroutinefunction(own) and not inspect.iscoroutinefunction(method):
        raise EngineInvalid(f"{engine.__name__}.{name} should be a plain `def`: nobody awaits it")
