"""The committed dashboards: generated, well-formed, readable, and asking for what exists."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
HOME = ROOT / "grafana"
FILES = sorted(HOME.glob("dashboards/*.json"))
SCREEN = 22  # grid units of 38 pixels that fit below the bar of a browser on a 1080-line screen
type Json = dict[str, Any]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def board(request: pytest.FixtureRequest) -> Json:
    return read(request.param)


def read(path: Path) -> Json:
    found: Json = json.loads(path.read_text())
    return found


def panels(board: Json) -> list[Json]:
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def expressions(board: Json) -> Iterator[str]:
    for panel in panels(board):
        yield from (target["expr"] for target in panel["targets"])
    yield from (annotation["expr"] for annotation in board["annotations"]["list"])


def variable(board: Json, name: str) -> Json:
    (found,) = (one for one in board["templating"]["list"] if one["name"] == name)
    return dict(found)


def test_committed_is_what_the_builder_writes(tmp_path: Path) -> None:
    subprocess.run([sys.executable, HOME / "build.py", "--into", tmp_path], check=True, timeout=30)
    written = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text() for path in FILES}


def test_names_are_unique() -> None:
    boards = [read(path) for path in FILES]
    assert len({board["uid"] for board in boards}) == len({board["title"] for board in boards}) == len(FILES)
    for board in boards:
        ids = [panel["id"] for panel in board["panels"]]
        titles = [panel["title"] for panel in board["panels"]]
        assert len(set(ids)) == len(ids)
        assert len(set(titles)) == len(titles)


def test_panels_lie_on_the_grid_side_by_side(board: Json) -> None:
    places = [panel["gridPos"] for panel in board["panels"]]
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= 24 for place in places)
    for a, b in combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a, b)


def test_lines_have_no_holes(board: Json) -> None:
    covered = sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in board["panels"])
    assert covered == 24 * max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])


def test_overview_fits_one_screen() -> None:
    overview = read(HOME / "dashboards/overview.json")
    assert max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in overview["panels"]) <= SCREEN


def test_every_panel_has_a_unit_and_one_sentence(board: Json) -> None:
    for panel in panels(board):
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert re.fullmatch(r"[A-Z][^.]*(\.\d[^.]*)*[.?]", panel["description"]), panel["title"]


def test_series_are_named_and_queries_told_apart(board: Json) -> None:
    for panel in panels(board):
        targets = panel["targets"]
        assert targets, panel["title"]
        assert all(target["legendFormat"] for target in targets), panel["title"]
        assert len({target["refId"] for target in targets}) == len(targets), panel["title"]


def test_source_is_the_provisioned_one(board: Json) -> None:
    (source,) = yaml.safe_load((HOME / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    chosen = variable(board, "datasource")
    assert chosen["query"] == source["type"] == "prometheus"
    assert chosen["current"]["value"] == source["uid"]
    named = {"type": source["type"], "uid": "${datasource}"}
    asked = [*panels(board), *board["annotations"]["list"], variable(board, "engine")]
    asked += [target for panel in panels(board) for target in panel["targets"]]
    assert all(one["datasource"] == named for one in asked)
    assert "__inputs" not in board
    assert "${DS_" not in json.dumps(board)


def test_interval_is_that_of_the_scrapes() -> None:
    (source,) = yaml.safe_load((HOME / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    config = yaml.safe_load((ROOT / "docker/prometheus/prometheus.yml").read_text())["global"]
    assert source["jsonData"]["timeInterval"] == config["scrape_interval"] == config["evaluation_interval"]


def test_every_range_is_the_rate_interval(board: Json) -> None:
    ranges = [found for expr in expressions(board) for found in re.findall(r"\[([^\]]*)\]", expr)]
    assert set(ranges) == {"$__rate_interval"}


def test_engines_can_be_chosen_and_overlaid(board: Json) -> None:
    engine = variable(board, "engine")
    assert engine["multi"]
    assert engine["includeAll"]
    assert engine["allValue"] == ".*"
    asking = [panel for panel in panels(board) if "$engine" in json.dumps(panel["targets"])]
    overlaid = [panel for panel in asking if "{{engine}}" in json.dumps(panel["targets"])]
    assert len(overlaid) > len(panels(board)) / 4


def test_faults_and_engines_are_marked(board: Json) -> None:
    marks = {one["name"]: one["expr"] for one in board["annotations"]["list"] if one["enable"]}
    assert "lab_fault" in marks["Faults"]
    assert "lab_engine_info" in marks["Engines"]


def test_dashboards_link_to_each_other_and_beyond(board: Json) -> None:
    kinds = {link["type"]: link for link in board["links"]}
    assert set(kinds["dashboards"]["tags"]) <= set(board["tags"])
    assert kinds["link"]["url"].startswith("http://127.0.0.1:")


def test_every_metric_asked_for_is_explained(board: Json) -> None:
    explained = (ROOT / "docs/metrics.md").read_text()
    names = {
        name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        for expr in expressions(board)
        for name in re.findall(
            r"\b(?:[a-z_]+:)?(?:lab|process|origin|downloader|log_pipeline|chat|primes|scraper)_[a-z_]+(?::\w+)?",
            expr,
        )
    }
    assert names
    assert {name for name in names if f"`{name}`" not in explained} == set()


def test_what_every_replica_tells_is_not_added_up(board: Json) -> None:
    for expr in expressions(board):
        if re.search("scraper_(frontier_urls|crawls)|lab:logs", expr):
            assert expr.startswith("max"), expr
        if "lab_queue_depth{" in expr:
            assert expr.startswith("max by (engine, queue)") or "lab:logs" in expr, expr


def test_what_needs_a_fault_exists() -> None:
    listed = subprocess.run([sys.executable, HOME / "queries.py"], capture_output=True, text=True, check=True)
    needs = tomllib.loads((HOME / "needs.toml").read_text())
    missing = {name for name in needs if not re.search(rf"^{re.escape(name)} ", listed.stdout, re.MULTILINE)}
    assert needs
    assert not missing
    assert all(need.get("faults") or need.get("engine") for need in needs.values())


def test_dashboards_are_found_where_they_are_mounted() -> None:
    (provider,) = yaml.safe_load((HOME / "provisioning/dashboards/lab.yml").read_text())["providers"]
    grafana = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["grafana"]
    assert f"./grafana/dashboards:{provider['options']['path']}:ro" in grafana["volumes"]
    assert grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].startswith("/dashboards/")
    assert provider["allowUiUpdates"] is False
