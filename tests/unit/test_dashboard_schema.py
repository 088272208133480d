"""The dashboards against Grafana's published schema, as its Foundation SDK has it.

The SDK reads what it knows and drops the rest, so what is lost on the way through it is not in the schema. What it
reads must be of the types that it declares, which it does not check itself.
"""

import enum
import json
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog import encoder, plugins
from grafana_foundation_sdk.models import dashboard

FILES = sorted((Path(__file__).parent.parent.parent / "grafana/dashboards").glob("*.json"))
OF_THE_PROMETHEUS_PLUGIN = {"step", "titleFormat", "tagKeys"}  # of its annotations; later schemas have them


@pytest.fixture(scope="module", autouse=True)
def _panel_types() -> None:
    plugins.register_default_plugins()


def lost(before: Any, after: Any, path: str = "") -> Iterator[str]:
    """Where a value did not come through."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            yield from lost(value, after.get(key, "nothing"), f"{path}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from lost(one, other, f"{path}/{index}")
    elif before != after:
        yield path


def misfits(value: object, path: str = "") -> Iterator[str]:
    """Where a value is not of the type that its class declares."""
    if isinstance(value, list | dict):
        for key, item in enumerate(value) if isinstance(value, list) else value.items():
            yield from misfits(item, f"{path}/{key}")
    elif type(value).__module__.startswith("grafana_foundation_sdk"):
        for name, hint in typing.get_type_hints(type(value)).items():
            if not fits(getattr(value, name), hint):
                yield f"{path}/{name}: {getattr(value, name)!r} is no {hint}"
            yield from misfits(getattr(value, name), f"{path}/{name}")


def fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type; enumerations and literals are read as their values."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object):
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin in (list, dict):
        items = value.values() if isinstance(value, dict) else value
        return isinstance(value, origin) and all(fits(item, arguments[-1]) for item in items)
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return value in [member.value for member in hint]
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return isinstance(value, hint)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_is_outside_the_schema(path: Path) -> None:
    board = json.loads(path.read_text())
    known = json.loads(encoder.JSONEncoder().encode(dashboard.Dashboard.from_json(board)))
    unknown = {where for where in lost(board, known) if where.split("/")[-1] not in OF_THE_PROMETHEUS_PLUGIN}
    assert unknown == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_values_have_the_declared_types(path: Path) -> None:
    assert list(misfits(dashboard.Dashboard.from_json(json.loads(path.read_text())))) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("unit", 1),
        ("unti", "s"),
        ("color", {"mode": "rainbow"}),
        ("max", "1"),
        ("custom", {"drawStyle": "lime"}),
    ],
)
def test_a_mistake_would_be_seen(key: str, value: object) -> None:
    board = json.loads(FILES[0].read_text())
    panel = next(panel for panel in board["panels"] if panel["type"] == "timeseries")
    panel["fieldConfig"]["defaults"][key] = value
    found = dashboard.Dashboard.from_json(board)
    unknown = [
        where for where in lost(board, json.loads(encoder.JSONEncoder().encode(found))) if key in where
    ]
    assert unknown or list(misfits(found))
