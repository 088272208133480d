"""Composition root: settings, logs, service."""

import gc
from contextlib import closing

from lab_kit.log import configure
from lab_kit.shell import serve
from scraper.app import build
from scraper.config import Settings


def main() -> None:
    gc.set_threshold(20_000)  # a burst of answers makes thousands of objects that are gone a moment later
    settings = Settings()
    with closing(configure("scraper", settings.log_level, settings.redis_url)):
        serve(build(settings))


if __name__ == "__main__":
    main()
