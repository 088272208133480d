"""Runs the origin: `python -m lab.origin`."""

import asyncio
import signal

import structlog
from aiohttp import web

from lab.origin.app import Origin
from lab.origin.config import Settings
from lab.origin.log import configure


def _loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then end within two seconds, whatever is being sent."""
    origin, log, ending = Origin(settings), structlog.get_logger(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    runner = origin.runner()
    await runner.setup()
    await web.TCPSite(runner, settings.host, settings.port, backlog=1024).start()
    log.info("serving", addresses=[f"http://{host}:{port}" for host, port, *_ in runner.addresses])
    await ending.wait()
    await runner.cleanup()
    log.info("ended")


def main() -> None:
    configure()
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(run(Settings()))


if __name__ == "__main__":
    main()
