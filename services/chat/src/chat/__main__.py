"""Composition root: settings, logs, service."""

from contextlib import closing

from chat.app import build
from chat.config import Settings
from lab_kit.log import configure
from lab_kit.shell import serve


def main() -> None:
    settings = Settings()
    with closing(configure("chat", settings.log_level, settings.redis_url)):
        serve(build(settings))


if __name__ == "__main__":
    main()
