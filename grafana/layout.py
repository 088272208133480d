"""Dashboards as values: rows of panels, laid out on Grafana's grid, with what all of them share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from panels import SOURCE, Json, Panel

WIDTH = 24
TAG = "concurrency-lab"
SOURCE_UID = "lab-prometheus"
SCHEMA = 41
"""Of Grafana 12.0; later versions bring it up to theirs when they load it."""


@dataclass(frozen=True)
class Line:
    """Panels side by side, `height` grid units high; those that name no width share what is left."""

    height: int
    panels: Sequence[Panel]

    def widths(self) -> list[int]:
        """Return the width of each. Raises ValueError unless they fill the line."""
        open_ends = [panel for panel in self.panels if not panel.width]
        rest = WIDTH - sum(panel.width for panel in self.panels)
        widths = [panel.width or rest // len(open_ends) for panel in self.panels]
        if sum(widths) != WIDTH or min(widths) <= 0:
            raise ValueError(f"{[panel.title for panel in self.panels]} are {widths} wide, not {WIDTH}")
        return widths


@dataclass(frozen=True)
class Row:
    """Lines below a heading; without a title, there is none."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Dashboard:
    """A dashboard: `name` is its file, its uid is `lab-name`."""

    name: str
    title: str
    text: str
    rows: Sequence[Row]
    engines: str
    """The instant vector whose label `engine` gives the choices of the variable."""
    links: Sequence[tuple[str, str, str]] = ()
    """Title, address, tooltip."""

    def json(self) -> Json:
        """The dashboard as Grafana's file provisioning reads it."""
        return {
            "uid": f"lab-{self.name}",
            "title": self.title,
            "description": self.text,
            "tags": [TAG],
            "schemaVersion": SCHEMA,
            "editable": True,
            "graphTooltip": 1,
            "time": {"from": "now-5m", "to": "now"},
            "timepicker": {"refresh_intervals": ["2s", "5s", "10s", "1m"]},
            "refresh": "5s",
            "timezone": "browser",
            "templating": {"list": [_source(), _engine(self.engines)]},
            "annotations": {"list": list(_annotations())},
            "links": [_siblings(), *(_link(*link) for link in self.links)],
            "panels": list(self._panels()),
        }

    def _panels(self) -> Iterator[Json]:
        number, y = 1, 0
        for row in self.rows:
            if row.title:
                yield _heading(row.title, number, y)
                number, y = number + 1, y + 1
            for line in row.lines:
                x = 0
                for panel, width in zip(line.panels, line.widths(), strict=True):
                    yield panel.json(number, {"x": x, "y": y, "w": width, "h": line.height})
                    number, x = number + 1, x + width
                y += line.height


def _heading(title: str, number: int, y: int) -> Json:
    place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _source() -> Json:
    return {
        "type": "datasource",
        "name": "datasource",
        "label": "Data source",
        "query": "prometheus",
        "current": {"selected": True, "text": "Prometheus", "value": SOURCE_UID},
        "hide": 2,
    }


def _engine(engines: str) -> Json:
    return {
        "type": "query",
        "name": "engine",
        "label": "Engine",
        "description": "Engines of this time range; choose several to overlay them.",
        "datasource": SOURCE,
        "query": f"label_values({engines}, engine)",
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _annotations() -> Iterator[Json]:
    yield _annotation("Faults", "red", "lab_fault > 0", "{{fault}} of {{service}}")
    yield _annotation(
        "Engines", "blue", "lab_engine_info unless lab_engine_info offset 10s", "{{service}} runs {{engine}}"
    )
    yield _annotation("Alerts", "orange", 'ALERTS{alertstate="firing"}', "{{alertname}} {{service}}")


def _annotation(name: str, colour: str, expr: str, title: str) -> Json:
    return {
        "name": name,
        "enable": True,
        "iconColor": colour,
        "datasource": SOURCE,
        "expr": expr,
        "step": "2s",
        "titleFormat": title,
        "tagKeys": "service",
    }


def _siblings() -> Json:
    return _links("The lab's dashboards", "dashboards", tags=[TAG], keepTime=True)


def _link(title: str, address: str, tooltip: str) -> Json:
    return _links(title, "link", url=address, tooltip=tooltip, targetBlank=True)


def _links(title: str, kind: str, **more: object) -> Json:
    common = {"icon": "external link", "tooltip": "", "tags": [], "asDropdown": False, "targetBlank": False}
    return {"title": title, "type": kind, "includeVars": False, "keepTime": False, **common, **more}
