"""Alert rules from a file, and the ones that hold without one."""

import tomllib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from log_pipeline.contract import Priority
from log_pipeline.core.alerts import Rule

DEFAULTS = (
    Rule("critical", "rate", Priority.CRITICAL, count=1, window=1.0),
    Rule("errors", "rate", Priority.ERROR, count=100, window=60.0),
)


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1)
    kind: Literal["rate", "pattern", "absence"]
    priority: Literal["critical", "error", "rest"] = "error"
    count: int = Field(default=1, ge=1)
    window: float = Field(default=60.0, gt=0)
    pattern: str = ""
    source: str | None = None
    quiet: float = Field(default=300.0, ge=0)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rule: list[_Given]


def read_rules(path: Path | None) -> list[Rule]:
    """The rules in a TOML file of `[[rule]]` tables. Raises ValueError, which names the file and what is wrong."""
    if path is None:
        return list(DEFAULTS)
    try:
        given = _File.model_validate(tomllib.loads(path.read_text()))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ValueError(f"LOG_PIPELINE_ALERTS={path}: {error}") from error
    return [_rule(one) for one in given.rule]


def _rule(given: _Given) -> Rule:
    fields = given.model_dump() | {
        "priority": Priority[given.priority.upper()],
        "pattern": given.pattern.encode(),
    }
    return Rule(**fields)
