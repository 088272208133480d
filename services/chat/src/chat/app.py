"""The shell of A2: HTTP on one port, WebSockets on another, in one process and one loop."""

import asyncio
import secrets
import time
from collections.abc import Sequence
from functools import partial
from typing import cast

from chat.adapters.alerts import ALERTS, GROUP, ROOM, Alerts
from chat.adapters.audiences import Audiences
from chat.adapters.blobs import Blobs
from chat.adapters.feed import Feed
from chat.adapters.listener import FAULTS, Listener
from chat.adapters.log import RedisLog, RoomLog, Unavailable
from chat.adapters.memory import MemoryLog
from chat.adapters.people import People
from chat.adapters.probe import Probe
from chat.adapters.reception import Reception
from chat.adapters.relay import Relay
from chat.adapters.rooms import RoomStore
from chat.adapters.roster import Roster
from chat.adapters.session import Session
from chat.adapters.talk import Talk
from chat.adapters.visits import Visits
from chat.config import Settings
from chat.contract import ChatError, Connection, Frame, Hub, Ports, Seat
from chat.metrics import EngineStats, WireMetrics
from chat.routes import STATUSES, Routes
from lab_kit.coroutines import measured
from lab_kit.engines import EngineHost, engine_class
from lab_kit.faults import Faults
from lab_kit.metrics import Metrics, Unbroken
from lab_kit.shell import Service
from lab_kit.streams import Consumer, connect
from lab_kit.timeline import Timeline

NAME, LOBBY = "chat", "general"
REDIS_CONNECTIONS = 32  # however many clients come back at the same moment


def build(settings: Settings) -> Service:
    """Put the parts together; nothing runs yet."""
    return House(settings).service()


class House:
    """All parts of one replica."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.replica = settings, secrets.token_hex(4)
        self.timeline, self.faults, self.metrics = Timeline(), Faults(*FAULTS), Metrics(NAME)
        self.redis = connect(settings.redis_url, most=REDIS_CONNECTIONS)
        self._held: list[tuple[str, Frame]] = []
        self.host: EngineHost[Hub] = EngineHost(self._build_engine, unfinished=self._seats)
        self.wire = WireMetrics(self.metrics, lambda: self.host.name)
        self.audiences = Audiences(self.wire)
        self.people = People(self.redis, settings.chat_admin_token, time.time)
        self.rooms = RoomStore(self.redis, time.time)
        self.roster = Roster(self.redis, self.replica, time.time, settings.chat_vouch)
        self.blobs = Blobs(self.redis, settings.lab_data, time.time, largest=settings.chat_file_size,
                           quota=settings.chat_file_quota, seconds=settings.chat_file_seconds)  # fmt: skip
        self._wire_up()

    def _wire_up(self) -> None:
        settings = self.settings
        self.visits = Visits(self._hub, self.redis, self.rooms, self.roster, time.time)
        self.feed = Feed(self.redis, self.replica, lambda room, frame: self._hub().publish(room, frame),
                         self.visits.noticed, self.visits.told, self.visits.began_anew)  # fmt: skip
        self.log = self._log()
        self.feed.log = self.visits.log = self.log
        self.visits.feed = self.feed
        self.talk = Talk(self._hub, self.log, self.rooms, self.blobs, self._refuse, self.visits, self.wire,
                         time.time, settings.user_rate, settings.room_rate)  # fmt: skip
        self.reception = Reception(self._hub, self.people, self.talk, self.visits, self.wire, settings.limits,
                                   self.replica)  # fmt: skip
        self.listener = Listener(self.reception, self.wire, self.audiences, self.faults,
                                 settings.origins, settings.chat_connections, self._everybody)  # fmt: skip

    def service(self) -> Service:
        metrics, redis, alerts = self.metrics, self.redis, Alerts(self.log, time.time)
        metrics.registry.register(
            Unbroken(
                EngineStats(NAME, lambda: self.host.name, lambda: self._hub().stats(), self.wire, self._facts)
            )
        )
        consumer = Consumer(redis, ALERTS, GROUP, alerts.handle, name=self.replica)
        parts = (self.log, self.feed, self.roster, self.blobs, self.listener, consumer)
        tasks = [
            self._open,
            *(part.run for part in parts),
            lambda: metrics.watch_stream(redis, ALERTS, GROUP),
        ]
        if self.settings.chat_probe:
            tasks.append(Probe(self.wire, self._url, self.people.token).run)
        return Service(
            name=NAME,
            settings=self.settings,
            metrics=metrics,
            host=self.host,
            faults=self.faults,
            timeline=self.timeline,
            routes=Routes(self).routers(),
            statuses=STATUSES,
            dependencies={"redis": redis.ping, "the rooms' feed": self._feed_is_there},
            tasks=tasks,
        )

    def _hub(self) -> Hub:
        return self.host.engine

    def _build_engine(self, name: str) -> Hub:
        tasks = self.metrics.of(name, self.timeline)
        common = measured(tasks, 1, self.timeline)  # the loop
        self.wire.begin(name, tasks)
        ports = Ports(clock=common.clock, spawn=common.spawn, semaphore=common.semaphore, tracer=common.tracer,
                      presence=self.roster.present, broadcast=self.audiences.broadcast,
                      congested=self.audiences.congested)  # fmt: skip
        hub: Hub = engine_class(NAME, name, self.settings.lab_workspace)(ports, self.settings.limits)
        return cast(Hub, Relay(hub, self.reception.sessions, self._held))

    async def _seats(self) -> Sequence[Seat]:
        """Who is here, for a hub that cannot be asked."""
        sessions = self.reception.sessions.values()
        return [Seat(session.connection, frozenset(session.rooms)) for session in sessions]

    def _log(self) -> RoomLog:
        if self.settings.chat_durable:
            delay = partial(self.faults.magnitude, "slow-redis")
            return RedisLog(self.redis, self.replica, self.feed.appended, self.feed.unsure, delay)
        return MemoryLog(self.feed.appended)

    def _facts(self) -> tuple[bool, float]:
        log = self.log
        return self.feed.connected, log.seconds if isinstance(log, RedisLog) else 0.0

    def _refuse(self, session: Session, error: ChatError, ref: str | None) -> None:
        self.reception.refuse(session, error, ref)

    def _everybody(self) -> Sequence[Connection]:
        return [*self.reception.sessions, *self.reception.unsigned]

    def _url(self) -> str:
        return f"ws://127.0.0.1:{self.listener.port}/"

    async def _feed_is_there(self) -> None:
        if not (self.feed.connected and self.listener.port):
            raise Unavailable("Redis does not tell of the rooms")

    async def _open(self) -> None:
        """Listen until the service ends; then send everybody away, to come back to another replica."""
        await self._found()
        await self.listener.open(self.settings.host, self.settings.ws_port)
        try:
            await asyncio.Event().wait()
        finally:
            await self.listener.dismiss(self.settings.lab_grace)
            await self.roster.leave()

    async def _found(self) -> None:
        while True:
            try:
                return await self.rooms.found(LOBBY, ROOM)
            except Unavailable:
                await asyncio.sleep(0.5)
