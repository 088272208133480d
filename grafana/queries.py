"""Every query that Grafana would send: of panels, variables and annotations, and what the rules record.

`python grafana/queries.py` lists them; with `--prometheus URL` it asks each and prints its last value, and fails
naming those that have none. What needs.toml says needs a fault or an engine may be empty, unless `--all`.
"""

import argparse
import json
import math
import re
import sys
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VARIABLES = {"$__rate_interval": "8s", "$engine": ".*"}
"""As Grafana fills them in for the last minutes: four scrapes of 2 s, and all engines."""


@dataclass(frozen=True)
class Query:
    """A query with its variables filled in; `name` is dashboard/panel, annotation/name or rule/name."""

    name: str
    expr: str


def queries() -> list[Query]:
    """Each query once, in the order of the dashboards; then the recording rules."""
    found: dict[Query, None] = {}
    for path in sorted(HERE.glob("dashboards/*.json")):
        dashboard = json.loads(path.read_text())
        found |= dict.fromkeys(_of_dashboard(path.stem, dashboard))
    return [*found, *_rules()]


def _of_dashboard(name: str, dashboard: dict[str, Any]) -> Iterator[Query]:
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield Query(f"{name}/{panel['title']}", filled(target["expr"]))
    for variable in dashboard["templating"]["list"]:
        metric = re.fullmatch(r"label_values\((.+), \w+\)", variable["query"])
        if metric:
            yield Query(f"{name}/${variable['name']}", metric[1])
    for annotation in dashboard["annotations"]["list"]:
        yield Query(f"annotation/{annotation['name']}", filled(annotation["expr"]))


def _rules() -> Iterator[Query]:
    for path in sorted(HERE.glob("../docker/prometheus/rules/*.yml")):
        for name in dict.fromkeys(re.findall(r"- record: (\S+)", path.read_text())):
            yield Query(f"rule/{name}", name)


def filled(expr: str) -> str:
    """The expression with its variables replaced."""
    for variable, value in VARIABLES.items():
        expr = expr.replace(variable, value)
    return expr


def needs() -> Mapping[str, Mapping[str, object]]:
    """What must be switched on, by the name of a query."""
    return tomllib.loads((HERE / "needs.toml").read_text())


def last_values(prometheus: str, expr: str) -> list[float]:
    """The numbers that an instant query finds; NaN is none. Raises ValueError where it cannot be asked."""
    data = urllib.parse.urlencode({"query": expr}).encode()
    try:
        with urllib.request.urlopen(f"{prometheus}/api/v1/query", data, timeout=10) as answer:
            result = json.load(answer)["data"]["result"]
    except urllib.error.HTTPError as error:
        raise ValueError(json.load(error)["error"]) from None
    except OSError as error:
        raise ValueError(f"{prometheus} does not answer: {error}") from None
    values = [float(series["value"][1]) for series in result]
    return [value for value in values if not math.isnan(value)]


def ask_all(prometheus: str, patience: float, optional: Collection[str]) -> dict[Query, list[float]]:
    """Ask each query, the empty ones again for at most `patience` seconds; not for what is `optional`."""
    deadline = time.monotonic() + patience
    answers = {query: last_values(prometheus, query.expr) for query in queries()}
    while missing := missing_from(answers, optional):
        if time.monotonic() > deadline:
            break
        time.sleep(0.5)
        answers |= {query: last_values(prometheus, query.expr) for query in missing}
    return answers


def missing_from(answers: Mapping[Query, list[float]], optional: Collection[str]) -> list[Query]:
    """The queries that have no answer and should."""
    return [query for query, values in answers.items() if not values and query.name not in optional]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prometheus", metavar="URL", help="ask this one, such as http://127.0.0.1:8040")
    parser.add_argument(
        "--wait", type=float, default=0.0, metavar="S", help="ask the empty ones again, for S seconds"
    )
    parser.add_argument("--all", action="store_true", help="also fail for what needs something switched on")
    wanted = parser.parse_args()
    if not wanted.prometheus:
        print("\n".join(f"{query.name:50} {query.expr}" for query in queries()))
        return 0
    optional = {} if wanted.all else needs()
    answers = ask_all(wanted.prometheus.rstrip("/"), wanted.wait, optional)
    for query, values in answers.items():
        print(f"{query.name:50} {_shown(values)}")
    empty = missing_from(answers, optional)
    for query in empty:
        print(f"empty: {query.name}: {query.expr}", file=sys.stderr)
    return 1 if empty else 0


def _shown(values: list[float]) -> str:
    some = ", ".join(f"{value:.4g}" for value in values[:6])
    return f"{len(values):3} series  {some}{', …' if len(values) > 6 else ''}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ValueError as error:
        sys.exit(f"queries.py: {error}")
