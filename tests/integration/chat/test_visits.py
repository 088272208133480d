"""Coming and going: on other replicas, while Redis is slow, and at the moment that somebody else does."""

from typing import Any

import pytest
from redis import Redis
from websockets.sync.client import connect


def refused(guest: Any, type: str, **body: object) -> str:
    answer = guest.answer(type, **body)
    assert answer["type"] == "error", answer
    return str(answer["detail"])


@pytest.fixture(scope="module")
def two(start_replica: Any) -> tuple[Any, Any]:
    one = start_replica()
    return one, start_replica(beside=one)


def test_a_ban_given_elsewhere_holds_here_however_early_one_asked(two: tuple[Any, Any]) -> None:
    one, other = two
    ann, mal = one.guest("ann-a", "public"), other.guest("mal-a")
    mal.ask("people", "people", room="public")
    ann.ask("command", "done", room="public", verb="ban", user="mal-a", seconds=3600)
    assert "banned" in refused(mal, "join", room="public")


def test_an_invitation_given_elsewhere_opens_the_room_here(two: tuple[Any, Any]) -> None:
    one, other = two
    ann, bob = one.guest("ann-b"), other.guest("bob-b")
    ann.ask("create", "created", room="private", private=True)
    ann.join("private")
    assert "private" in refused(bob, "join", room="private")
    ann.ask("command", "done", room="private", verb="invite", user="bob-b")
    bob.join("private")
    ann.ask("command", "done", room="private", verb="ban", user="bob-b", seconds=3600)
    assert bob.until("left")["why"] == "ban"
    assert "banned" in refused(bob, "join", room="private")


def test_an_invitation_holds_before_this_replica_hears_of_it(two: tuple[Any, Any]) -> None:
    one, other = two
    ann, cleo, bob = one.guest("ann-c"), other.guest("cleo-c"), other.guest("bob-c")
    ann.ask("create", "created", room="unheard", private=True)
    ann.join("unheard")
    ann.ask("command", "done", room="unheard", verb="invite", user="cleo-c")
    cleo.join("unheard")
    with Redis.from_url(one.server.url) as redis:
        redis.client_kill_filter(_type="pubsub")
    ann.ask("command", "done", room="unheard", verb="invite", user="bob-c")
    bob.join("unheard")


def test_a_client_that_ends_while_it_comes_in_leaves_nothing_behind(
    start_replica: Any, patience: Any
) -> None:
    replica = start_replica()
    server, ann, bob = replica.server, replica.guest("ann"), replica.guest("bob")
    late = replica.sign_in("late")
    ann.ask("create", "created", room="left")
    server.hold()
    ann.send("join", room="left")
    ann.leave()
    with connect(replica.websocket, close_timeout=1) as socket:
        socket.send(f'{{"type": "hello", "token": "{late}"}}')
    patience(lambda: replica.metric("chat_connections") == 1)
    server.go_on()
    for number in range(5):  # longer than the other took
        bob.ask("create", "created", room=f"other-{number}")
        bob.join(f"other-{number}")
    with Redis.from_url(server.url, decode_responses=True) as redis:
        patience(lambda: not redis.pubsub_channels("chat:{left}:*"))
        patience(lambda: redis.pubsub_channels("chat:inbox:*") == ["chat:inbox:bob"])


def test_who_leaves_a_room_without_being_there_throws_nobody_out(replica: Any) -> None:
    ann, eve = replica.guest("ann-vd"), replica.guest("eve-vd")
    for number in range(5):
        room = f"joining-{number}"
        ann.ask("create", "created", room=room)
        for _ in range(6):
            eve.send("leave", room=room)
        ann.send("join", room=room)
        for _ in range(30):
            eve.send("leave", room=room)
        ann.until("caught_up", room=room)
        assert ann.say(room, "still here") == 1


def test_who_leaves_is_no_member_any_more_and_the_others_hear_of_it(replica: Any) -> None:
    ann, bob = replica.guest("ann-ve", "leaving"), replica.guest("bob-ve", "leaving")
    ann.until("presence", user="bob-ve", state="online")
    bob.ask("leave", "left", room="leaving")
    ann.until("presence", user="bob-ve", state="left")
    people = ann.ask("people", "people", room="leaving")["people"]
    assert [person["user"] for person in people] == ["ann-ve"]
    bob.join("leaving")
    ann.ask("command", "done", room="leaving", verb="kick", user="bob-ve")
    ann.until("presence", user="bob-ve", state="left")


def test_who_leaves_on_one_device_leaves_on_all(two: tuple[Any, Any]) -> None:
    one, other = two
    ann = one.guest("ann-vl", "devices", "kept")
    others = [replica.guest("ann-vl", "devices", "kept", token=ann.token) for replica in two]
    ann.ask("leave", "left", room="devices")
    for device in others:
        assert device.until("left", room="devices") | {"why": "leave", "by": "ann-vl"} == device.seen[-1]
        assert "join it first" in refused(device, "say", room="devices", text="still here?")
        device.say("kept", "here I am")
    bob = other.guest("bob-vl", "devices")
    people = bob.ask("people", "people", room="devices")["people"]
    assert [person["user"] for person in people] == ["bob-vl"]


def test_who_leaves_and_is_back_at_once_stays(two: tuple[Any, Any]) -> None:
    one, other = two
    ann = one.guest("ann-vm", "revolving")
    for _ in range(20):
        ann.send("leave", room="revolving")
        ann.join("revolving")
    bob = other.guest("bob-vm")
    ann.until("notice", why="message", id=bob.say(bob.join("@ann-vm")["room"], "the inbox was heard"))
    ann.say("revolving", "still here")


def test_what_redis_has_lost_begins_anew_for_everybody(start_replica: Any) -> None:
    one = start_replica()
    other = start_replica(beside=one)
    guests = [one.guest("ann"), other.guest("bob")]
    for guest in guests:
        guest.join("general")
    ann = guests[0]
    last = [ann.say("general", f"before {number}") for number in range(5)][-1]
    guests[1].until("message", id=last)
    with Redis.from_url(one.server.url) as redis:
        redis.flushall()
    assert ann.say("general", "after") == 1
    assert [guest.closed_with() for guest in guests] == [1012, 1012]
    for replica, guest in zip((one, other), guests, strict=True):
        again = replica.guest(guest.name, token=guest.token)
        joined = again.ask("join", "joined", room="general", after=last)
        assert (joined["last"], joined["after"]) == (1, 0)
        again.until("caught_up")
        assert [event["text"] for event in again.events("general")] == ["after"]
    assert again.say("general", "on we go") == 2
    one.sign_in("cleo")  # this puts the key that it knows back
    third = start_replica(beside=one)
    assert third.guest("ann", token=ann.token).welcome["user"] == "ann"


def test_who_only_comes_and_goes_has_to_wait(start_replica: Any) -> None:
    guest = start_replica().guest("restless")
    seen = {guest.answer("leave", room="general")["type"] for _ in range(400)}
    assert seen == {"left"}
    while (answer := guest.answer("leave", room="general"))["type"] == "left":
        pass
    assert answer["code"] == "too_often"
