"""What is decided about a room is carried out on this replica, whatever Redis does meanwhile."""

import asyncio
from typing import Any

import pytest

from chat.adapters.commands import Commands
from chat.adapters.log import Receipt, Unavailable
from chat.adapters.session import Session
from chat.adapters.visits import Visits
from chat.core.answers import Change
from chat.core.protocol import Command
from chat.core.rooms import Room
from lab.grader.virtual import virtual_loop

NAME = "tea"


class Redis:
    """All that is behind a replica, which is away for the first `failures` requests."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.done: list[str] = []

    def ask(self, what: str) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("away")
        self.done.append(what)

    async def refresh(self, name: str) -> Room:
        self.ask(f"refresh {name}")
        return Room(name)

    async def leave(self, name: str, user: str) -> bool:
        self.ask(f"leave {name}")
        return False

    async def members(self, name: str) -> list[str]:
        return ["bob"]

    async def change(self, name: str, by: str, wanted: Any, *, admin: bool) -> Room:
        self.done.append(f"change {name}")
        return Room(name)

    def offer(self, event: Any, done: Any) -> None:
        try:
            self.ask(f"append {event.nonce}")
        except Unavailable as error:
            return done(error)
        return done(Receipt(7, True))

    def followed(self, name: str) -> bool:
        return True


class Nothing:
    """Takes whatever it is told."""

    def __getattr__(self, name: str) -> Any:
        return lambda *_: None


def session(user: str) -> Session:
    connection: Any = Nothing()
    return Session(connection, user=user, rooms={NAME})


@pytest.mark.parametrize(("verb", "left"), [("kick", {"ann"}), ("ban", {"ann"}), ("close", {"ann", "bob"})])
def test_who_is_thrown_out_is_out_while_redis_is_away_and_the_rest_follows(verb: str, left: set[str]) -> None:
    redis: Any = Redis(failures=3)
    nothing: Any = Nothing()
    visits = Visits(lambda: nothing, nothing, redis, nothing, lambda: 0.0)
    visits.feed = redis
    redis.forget = nothing.anything
    here = [session("ann"), session("bob")]
    visits._here[NAME] = set(here)

    async def happen() -> None:
        visits.noticed(Change(room=NAME, id=1, at=0.0, verb=verb, by="root", user="ann"))
        assert {one.user for one in here if not one.rooms} == left
        assert redis.done == []
        await asyncio.sleep(60)

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(happen())
    assert redis.done == [f"refresh {NAME}"]


def test_what_was_decided_is_done_and_told_when_redis_is_back_once() -> None:
    redis: Any = Redis(failures=3)
    nothing: Any = Nothing()
    told: list[Any] = []
    nothing.begin = lambda work: told.append(asyncio.ensure_future(work))
    commands = Commands(redis, nothing, lambda: 0.0, lambda: redis)

    async def happen() -> None:
        with pytest.raises(Unavailable):
            await commands.do(session("ann"), Command(room=NAME, verb="kick", user="bob"))
        await asyncio.gather(*told)

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        runner.run(happen())
    assert redis.done[:2] == [f"change {NAME}", f"leave {NAME}"]
    assert [one.partition(" ")[0] for one in redis.done[2:]] == ["append"]
