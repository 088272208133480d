"""Alert rules from a file, and the ones that hold without one."""

import re
import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

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

    @model_validator(mode="after")
    def _has_a_pattern(self) -> Self:
        if self.kind == "pattern":
            if not self.pattern:
                raise ValueError(f"the rule {self.name!r} needs a `pattern` that is not empty")
            try:
                re.compile(self.pattern.encode())
            except re.error as error:
                raise ValueError(f"{self.pattern!r} is no regular expression: {error}") from error
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rule: list[_Given]


def read_rules(path: Path | None) -> list[Rule]:
    """The rules in a TOML file of `[[rule]]` tables. Raises ValueError, which names the file and what is wrong."""
    if path is None:
        return list(DEFAULTS)
    try:
        given = _File.model_validate(tomllib.loads(path.read_text()))
    except (OSError, ValueError) as error:  # no TOML, no text, or no rules
        raise ValueError(f"LOG_PIPELINE_ALERTS={path}: {error}") from error
    return [_rule(one) for one in given.rule]


def _rule(given: _Given) -> Rule:
    fields = given.model_dump() | {
        "priority": Priority[given.priority.upper()],
        "pattern": given.pattern.encode(),
    }
    return Rule(**fields)
