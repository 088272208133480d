"""No list is too long for its client, and none grows without a bound."""

import json
from typing import Any

import pytest
from redis import Redis

TOPIC = "\u0001" * 200  # as long as JSON can make it
SMALLEST_QUEUE = 128 * 1024


@pytest.fixture(scope="module")
def crowded(start_replica: Any) -> Any:
    """A replica with more rooms than fit into one answer."""
    replica = start_replica(chat_queue=SMALLEST_QUEUE)
    for name in ("maker-1", "maker-2", "maker-3"):
        maker = replica.guest(name)
        for number in range(50):
            maker.ask("create", "created", room=f"{name}-{number:02}", topic=TOPIC)
    return replica


def pages(guest: Any, request: str, of: str, key: str, **body: object) -> list[list[Any]]:
    """All of a list, and each page of it less than half of what a client's queue takes."""
    found = []
    while True:
        answer = guest.ask(request, request, after=found[-1][-1][key] if found else "", **body)
        assert len(json.dumps(answer)) < SMALLEST_QUEUE * 3 / 4
        found.append(answer[of])
        if not answer.get("more"):
            return found


def test_the_rooms_come_in_pages_and_one_s_own_come_first(crowded: Any) -> None:
    guest = crowded.guest("guest")
    for room in ("maker-3-07", "maker-1-30"):
        guest.join(room)
    guest.join("@maker-2")
    found = pages(guest, "rooms", "rooms", "room")
    assert [len(page) for page in found] == [50, 50, 50, 3]
    names = [known["room"] for page in found for known in page]
    own = ["maker-1-30", "maker-3-07", "guest+maker-2"]
    assert names == [*own, *sorted({*names} - {*own})]
    assert {"general", "ops", "maker-2-49"} < {*names}
    again = crowded.guest("guest", token=guest.token)
    assert [known["room"] for known in again.welcome["rooms"]] == names[:50]


def test_one_user_makes_fifty_rooms_and_another_when_one_is_closed(crowded: Any) -> None:
    maker = crowded.guest("maker-1", token=crowded.sign_in("maker-1", admin=True))
    refused = maker.answer("create", room="one-more")
    assert (refused["code"], "close one first" in refused["detail"]) == ("forbidden", True)
    maker.ask("command", "done", room="maker-1-49", verb="close")
    maker.ask("create", "created", room="one-more")


def test_the_members_come_in_pages(replica: Any, redis: Redis) -> None:
    ann = replica.guest("ann-la", "full")
    redis.sadd("chat:{full}:members", *(f"{'m' * 27}-{number:04}" for number in range(1100)))
    found = pages(ann, "people", "people", "user", room="full")
    assert [len(page) for page in found] == [500, 500, 101]
    users = [person["user"] for page in found for person in page]
    assert (users[0], users) == ("ann-la", sorted(users))


def test_nobody_is_a_member_of_more_than_two_hundred_rooms(replica: Any, redis: Redis) -> None:
    ann = replica.guest("ann-lb", "first")
    redis.sadd("chat:user:ann-lb:rooms", *(f"room-{number}" for number in range(199)))
    replica.guest("bob-lb", "second")
    assert "leave one first" in ann.answer("join", room="second")["detail"]
    ann.join("@bob-lb")
    ann.ask("leave", "left", room="room-7")
    ann.join("second")


def test_a_conversation_is_of_two(replica: Any) -> None:
    ann, bob = replica.guest("ann-lc"), replica.guest("bob-lc")
    for room in ("ann-lc+bob-lc+cleo", "bob-lc+ann-lc", "ann-lc+", "ann-lc+Bob"):
        assert ann.answer("join", room=room)["code"] == "unknown"
    assert not [known for known in bob.ask("rooms", "rooms")["rooms"] if "+" in known["room"]]


def test_more_than_a_hundred_unread_are_said_to_be_more(replica: Any) -> None:
    ann, bob = replica.guest("ann-ld", "unread"), replica.guest("bob-ld", "unread")
    ids = [ann.say("unread", str(number)) for number in range(150)]
    ann.say("unread", "and now you, @bob-ld")

    def counted() -> tuple[int, int, bool]:
        (known,) = [one for one in bob.ask("rooms", "rooms")["rooms"] if one["room"] == "unread"]
        return known["unread"], known["mentions"], known.get("more", False)

    assert counted() == (100, 1, True)
    bob.send("read", room="unread", id=ids[50])
    assert counted() == (100, 1, False)


@pytest.mark.parametrize(("name", "status"), [("log-pipeline", 409), ("probe", 409), ("Ann", 422), ("", 422)])
def test_what_nobody_is_called(replica: Any, name: str, status: int) -> None:
    assert replica.ask("POST", "/v1/sign-in", {"name": name})[0] == status
