"""All senders whose side is a thread, from their start to their end."""

import asyncio

from log_pipeline.adapters.follow import Follower
from log_pipeline.adapters.intake import Intake
from log_pipeline.adapters.receipts import Receipts
from log_pipeline.adapters.sockets import TcpListener, UdpListener
from log_pipeline.config import Settings


class Inputs:
    """The syslog port is taken when this is made, so that a start fails where it cannot work."""

    def __init__(self, settings: Settings, intake: Intake, receipts: Receipts) -> None:
        self._intake, self._started = intake, False
        self.follow, state = settings.follow, settings.lab_data / "followed.json"
        self._tcp = TcpListener(intake, settings.host, settings.syslog_port)
        self.syslog_port = self._tcp.port
        self._udp = UdpListener(intake, settings.host, self.syslog_port)
        self._follower = Follower(intake, receipts, self.follow, state)

    async def run(self) -> None:
        """Begin, and be there until it is cancelled."""
        for source in (self._tcp, self._udp, self._follower):
            source.start()
        self._started = True
        await asyncio.Event().wait()

    def end(self, timeout: float) -> None:
        """Read what has arrived and no more; wait at most `timeout` seconds for all to have submitted it."""
        self._intake.ending.set()
        until = self._intake.clock.monotonic() + timeout
        for source in (
            (self._udp, self._tcp, self._follower) if self._started else ()
        ):  # who waits least first
            source.join(max(0.0, until - self._intake.clock.monotonic()))
