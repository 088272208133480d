"""Composition root: settings, logs, service."""

from contextlib import closing

from lab_kit.log import configure
from lab_kit.shell import serve
from log_pipeline.app import build
from log_pipeline.config import Settings


def main() -> None:
    settings = Settings()
    with closing(configure("log-pipeline", settings.log_level)):  # its own lines go nowhere else: no circle
        serve(build(settings))


if __name__ == "__main__":
    main()
