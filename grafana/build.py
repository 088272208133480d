"""Writes the dashboards: `python grafana/build.py`. What is committed is what this writes, and a test says so."""

import argparse
import json
from pathlib import Path

from a1_scraper import scraper
from a2_chat import chat
from m2_primes import primes
from overview import overview
from t1_downloader import downloader
from t2_log_pipeline import log_pipeline

HERE = Path(__file__).parent


def build(folder: Path) -> None:
    """Write each dashboard as `<name>.json` into `folder`."""
    for dashboard in (overview(), downloader(), log_pipeline(), chat(), primes(), scraper()):
        text = json.dumps(dashboard.json(), indent=2, ensure_ascii=False)
        (folder / f"{dashboard.name}.json").write_text(text + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, default=HERE / "dashboards", help="the folder to write to")
    build(parser.parse_args().into)
