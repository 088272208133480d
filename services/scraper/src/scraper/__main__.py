"""Composition root: settings, logs, service."""

from contextlib import closing

from lab_kit.log import configure
from lab_kit.shell import serve
from scraper.app import build
from scraper.config import Settings


def main() -> None:
    settings = Settings()
    with closing(configure("scraper", settings.log_level, settings.redis_url)):
        serve(build(settings))


if __name__ == "__main__":
    main()
