"""Panels as values, and the JSON that Grafana reads. https://grafana.com/docs/grafana/latest/panels-visualizations"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

type Json = dict[str, Any]

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
ENGINES = {"reference": "blue", "naive": "orange", "mine": "green"}
"""An engine has the same colour in every panel whose series are told apart by engine alone."""


@dataclass(frozen=True)
class Query:
    """An expression of PromQL, and how its series are called."""

    expr: str
    legend: str = "{{service}}"


@dataclass(frozen=True)
class Panel:
    """One panel. `text` is the sentence that says what to look for; `width` is in 24ths of the screen.

    `axis` gives single series, chosen by a regular expression on their names, a unit on the right.
    """

    title: str
    text: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    width: int = 0
    maximum: float | None = None
    decimals: int | None = None
    by_engine: bool = False
    stacked: bool = False
    dashed: str = ""
    axis: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[float, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)

    def json(self, number: int, place: Mapping[str, int]) -> Json:
        """The panel with its id, at its place in the grid."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.text,
            "datasource": SOURCE,
            "gridPos": dict(place),
            "fieldConfig": {"defaults": self._defaults(), "overrides": self._overrides()},
            "options": _OPTIONS[self.kind],
            "targets": [
                self._target(letter, query) for letter, query in zip("ABCDEF", self.queries, strict=False)
            ],
        }

    def _target(self, letter: str, query: Query) -> Json:
        instant = self.kind in {"stat", "bargauge"}
        return {
            "refId": letter,
            "datasource": SOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "legendFormat": query.legend,
            "instant": instant,
            "range": not instant,
        }

    def _defaults(self) -> Json:
        levels = [{"color": colour, "value": level} for level, colour in sorted(self.colours.items())]
        steps = [{"color": "text", "value": None}, *levels]
        found: Json = {
            "unit": self.unit,
            "min": 0,
            "color": {"mode": "thresholds" if self.colours else "palette-classic"},
            "thresholds": {"mode": "absolute", "steps": steps},
            "custom": _CUSTOM.get(self.kind, {}),
            "mappings": [_mapping(self.words)] if self.words else [],
        }
        if self.stacked:
            found["custom"] = found["custom"] | {
                "stacking": {"mode": "normal", "group": "A"},
                "fillOpacity": 40,
            }
        if self.maximum is not None:
            found["max"] = self.maximum
        if self.decimals is not None:
            found["decimals"] = self.decimals
        return found

    def _overrides(self) -> list[Json]:
        found = [
            _override(f"^{name}\\b", "color", {"mode": "fixed", "fixedColor": colour})
            for name, colour in (ENGINES if self.by_engine else {}).items()
        ]
        if self.dashed:
            found.append(_override(self.dashed, "custom.lineStyle", {"fill": "dash", "dash": [6, 4]}))
        for names, unit in self.axis.items():
            right = _override(names, "unit", unit)
            right["properties"].append({"id": "custom.axisPlacement", "value": "right"})
            found.append(right)
        return found


def _override(names: str, setting: str, value: object) -> Json:
    return {
        "matcher": {"id": "byRegexp", "options": f"/{names}/"},
        "properties": [{"id": setting, "value": value}],
    }


def _mapping(words: Mapping[str, str]) -> Json:
    return {"type": "value", "options": {value: {"text": text} for value, text in words.items()}}


_LEGEND = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}
_REDUCE = {"values": False, "calcs": ["lastNotNull"], "fields": ""}
_OPTIONS: Mapping[str, Json] = {
    "timeseries": {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "state-timeline": {
        "legend": _LEGEND | {"showLegend": False},
        "tooltip": {"mode": "single", "sort": "none"},
        "mergeValues": True,
        "showValue": "never",
        "rowHeight": 0.8,
    },
    "stat": {
        "reduceOptions": _REDUCE,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "textMode": "auto",
        "wideLayout": True,
        "showPercentChange": False,
        "percentChangeColorMode": "standard",
    },
    "bargauge": {
        "reduceOptions": _REDUCE,
        "displayMode": "basic",
        "orientation": "horizontal",
        "valueMode": "text",
        "namePlacement": "left",
        "showUnfilled": True,
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 24,
        "legend": _LEGEND | {"showLegend": False},
    },
}
_CUSTOM: Mapping[str, Json] = {
    "timeseries": {
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 8,
        "showPoints": "never",
        "spanNulls": False,
        "axisSoftMin": 0,
    },
    "state-timeline": {"lineWidth": 0, "fillOpacity": 70},
}
