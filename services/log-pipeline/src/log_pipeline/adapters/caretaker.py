"""What somebody has to look after while the engine works: the number of consumers, and the alerts."""

import asyncio
from dataclasses import asdict

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from lab_kit.engines import EngineHost
from lab_kit.messages import Message
from lab_kit.streams import StreamFull, publish
from log_pipeline.adapters.intake import Intake
from log_pipeline.contract import LogPipeline
from log_pipeline.core.scaling import Scaling

ALERTS, PERIOD = "lab:alerts", 1.0  # seconds
log = structlog.get_logger(__name__)


class Caretaker:
    """Both tasks run until they are cancelled."""

    def __init__(self, host: EngineHost[LogPipeline], intake: Intake, redis: Redis, scaling: Scaling) -> None:
        self._host, self._intake, self._redis, self._scaling = host, intake, redis, scaling

    async def scale(self) -> None:
        """More consumers when records wait too long, fewer when they do not."""
        told = ""
        while True:
            await asyncio.sleep(min(PERIOD, self._scaling.high))
            try:
                self._decide()
            except Exception as error:  # of the engine, which may be a learner's, and not finished
                if told != repr(error):
                    log.warning("the engine does not scale", engine=self._host.name, exc_info=error)
                told = repr(error)

    def _decide(self) -> None:
        stats = self._host.engine.stats()
        wanted = self._scaling.decide(stats.consumers, stats.age)
        if wanted != stats.consumers:
            self._host.engine.scale(wanted)

    async def tell_alerts(self) -> None:
        """Publish what the rules say. Alerts are for people: one that cannot be sent stands in the log."""
        while True:
            await asyncio.sleep(PERIOD)
            for alert in self._intake.alerts():
                log.warning("alert", **asdict(alert))
                try:
                    await publish(self._redis, ALERTS, Message("alert.raised", {"alert": asdict(alert)}))
                except (RedisError, StreamFull) as error:
                    log.warning("an alert was not sent", rule=alert.rule, error=str(error))
