"""A room keeps its last events: who was away for longer is told that something is gone, and nobody else."""

import asyncio
from typing import Any

import pytest

from chat.adapters.log import KEPT, RedisLog, append
from chat.core import events
from lab_kit.streams import connect

MANY = KEPT + 400


def fill(url: str, room: str) -> None:
    """So many messages that the oldest are not kept."""

    def nothing(*_: object) -> None: ...

    async def work() -> None:
        async with connect(url) as client:
            log = RedisLog(client, "elsewhere", nothing, nothing)
            writing = asyncio.create_task(log.run())
            said = [events.message(room, "ann-fills", str(number), 0.0, "said") for number in range(MANY)]
            await asyncio.gather(*(append(log, one) for one in said))
            writing.cancel()
            await asyncio.wait([writing])

    asyncio.run(work())


@pytest.fixture(scope="module")
def long(shared: Any) -> str:
    """A room that has lost its oldest events."""
    fill(shared.server.url, "ann-long+bob-long")
    return "ann-long+bob-long"


def test_who_was_away_for_too_long_is_told_from_where_on_the_room_is_whole(replica: Any, long: str) -> None:
    for after in (0, 1):
        bob = replica.guest("bob-long", token=replica.sign_in("bob-long", admin=True))
        caught_up = bob.join(long, after=after)
        ids = [event["id"] for event in bob.events(long)]
        assert caught_up["kept_from"] == ids[0] > after + 1
        assert ids == list(range(ids[0], MANY + 1))


def test_who_missed_nothing_that_is_gone_is_told_nothing(replica: Any, long: str) -> None:
    ann = replica.guest("ann-long")
    for after in (None, MANY, MANY - 600):
        assert "kept_from" not in ann.join(long, after=after)
        ann.ask("leave", "left", room=long)


def test_what_was_deleted_is_no_hole(replica: Any) -> None:
    ann, bob = replica.guest("ann-holes", "holes"), replica.guest("bob-holes")
    for _ in range(3):
        ann.ask("delete", "ack", room="holes", id=ann.say("holes", "taken back"))
    assert "kept_from" not in bob.join("holes", after=0)


def test_who_is_there_is_sent_to_come_back_if_the_replica_itself_missed_too_much(
    replica: Any, redis: Any
) -> None:
    ann, bob = replica.guest("ann-behind", "behind"), replica.guest("bob-behind", "behind")
    last = ann.say("behind", "heard")
    bob.until("message", id=last)
    redis.incrby("chat:{behind}:seq", 2 * KEPT)
    ann.send("say", room="behind", text="long after")
    assert [ann.closed_with(), bob.closed_with()] == [1012, 1012]
    again = replica.guest("bob-behind", token=bob.token)
    assert again.join("behind", after=last)["kept_from"] == last + 2 * KEPT + 1
    assert [event["text"] for event in again.events("behind")] == ["long after"]
