"""Roles and what they may do to a room, and to somebody in it."""

import asyncio
from typing import Any

import pytest

from chat.adapters.rooms import RoomStore
from lab_kit.streams import connect


def command(guest: Any, room: str, verb: str, **body: object) -> Any:
    return guest.ask("command", "done", room=room, verb=verb, **body)


def refused(guest: Any, type: str, **body: object) -> str:
    guest.send(type, ref="refused", **body)
    return str(guest.until("error", ref="refused")["detail"])


@pytest.fixture
def room(request: pytest.FixtureRequest) -> str:
    return request.node.name.replace("_", "-")[5:60]


def test_kick_is_for_now_and_ban_for_a_while(replica: Any, room: str) -> None:
    ann, bob = replica.guest("ann-1", room), replica.guest("bob-1", room)
    command(ann, room, "kick", user="bob-1")
    assert bob.until("left")["why"] == "kick"
    assert "join it first" in refused(bob, "say", room=room, text="hello?")
    bob.join(room)
    command(ann, room, "ban", user="bob-1", seconds=3600)
    bob.until("left", why="ban")
    assert "you are banned" in refused(bob, "join", room=room)
    command(ann, room, "unban", user="bob-1")
    bob.join(room)


@pytest.mark.parametrize("verb", ["ban", "mute"])
def test_what_is_for_a_while_needs_to_say_for_how_long(replica: Any, verb: str) -> None:
    ann = replica.guest(f"ann-{verb}", f"room-{verb}")
    assert "for how many seconds" in refused(ann, "command", room=f"room-{verb}", verb=verb, user="bob")


def test_an_announcement_is_heard_by_all_and_stays(replica: Any, room: str) -> None:
    ann, bob = replica.guest("ann-9", room), replica.guest("bob-9", room)
    done = command(ann, room, "announce", text="tea is ready")
    heard = bob.until("change", verb="announce")
    assert (heard["text"], heard["by"], heard["id"]) == ("tea is ready", "ann-9", done["id"])
    assert "takes the role moderator" in refused(bob, "command", room=room, verb="announce", text="no")
    late = replica.guest("late-9")
    late.join(room)
    assert [event["text"] for event in late.events(room)] == ["tea is ready"]


def test_who_is_muted_hears_and_does_not_speak(replica: Any, room: str) -> None:
    ann, bob = replica.guest("ann-2", room), replica.guest("bob-2", room)
    command(ann, room, "mute", user="bob-2", seconds=3600)
    bob.until("change", verb="mute")
    assert "you are muted" in refused(bob, "say", room=room, text="mmm")
    id = ann.say(room, "quiet")
    bob.until("message", id=id)


def test_slow_mode_is_for_members(replica: Any, room: str) -> None:
    ann, bob = replica.guest("ann-3", room), replica.guest("bob-3", room)
    command(ann, room, "slow", seconds=60)
    bob.until("change", verb="slow")
    bob.say(room, "one")
    assert "slow mode" in refused(bob, "say", room=room, text="two")
    ann.say(room, "one")
    ann.say(room, "two")


@pytest.mark.parametrize("durable", [True, False])
def test_slow_mode_counts_what_has_its_place_and_nothing_twice(start_replica: Any, durable: bool) -> None:
    replica = start_replica(chat_durable=durable)
    ann, bob, cleo = (replica.guest(name, "slow") for name in ("ann", "bob", "cleo"))
    command(ann, "slow", "slow", seconds=3600)
    bob.until("change", verb="slow")
    cleo.until("change", verb="slow")
    id = bob.say("slow", "one", nonce="one")
    if durable:
        assert bob.say("slow", "one", nonce="one") == id
    assert "wait 3600 s" in refused(bob, "say", room="slow", text="two")
    assert "wait 3600 s" in refused(bob, "say", room="slow", text="two")
    cleo.say("slow", "so may others")
    command(ann, "slow", "slow", seconds=0.001)
    bob.until("change", verb="slow")
    bob.say("slow", "two")


def test_a_private_room_takes_an_invitation(replica: Any, room: str) -> None:
    ann, bob = replica.guest("ann-4"), replica.guest("bob-4")
    ann.ask("create", "created", room=room, private=True)
    ann.join(room)
    assert "private" in refused(bob, "join", room=room)
    assert room not in [known["room"] for known in bob.ask("rooms", "rooms")["rooms"]]
    command(ann, room, "invite", user="bob-4")
    assert bob.until("notice")["why"] == "invited"
    bob.join(room)


def test_nobody_invites_themselves_or_a_friend_into_a_private_room(replica: Any, room: str) -> None:
    ann, eve = replica.guest("ann-10"), replica.guest("eve-10")
    ann.ask("create", "created", room=room, private=True)
    assert "you are not in" in refused(eve, "command", room=room, verb="invite", user="eve-10")
    assert "private" in refused(eve, "join", room=room)
    root = replica.guest("root-10", admin=True)
    command(root, room, "invite", user="eve-10")
    eve.join(room)


def test_no_moderator_is_above_an_administrator_of_the_service(replica: Any, room: str) -> None:
    ann, root = replica.guest("ann-12", room), replica.guest("root-12", admin=True)
    root.join(room)
    for verb in ("kick", "ban", "mute"):
        detail = refused(ann, "command", room=room, verb=verb, user="root-12", seconds=60)
        assert "as high a role" in detail
    assert root.say(room, "order")


def test_an_owner_reads_what_was_done_in_the_room_and_nobody_else_of_it(replica: Any, room: str) -> None:
    ann, bob = replica.guest("ann-13", room), replica.guest("bob-13", room)
    command(ann, room, "topic", text="mine")

    def audit(guest: Any, of: str) -> Any:
        return replica.ask("GET", f"/v1/audit?room={of}", headers={"authorization": f"Bearer {guest.token}"})

    status, entries = audit(ann, room)
    assert (status, [entry["text"] for entry in entries]) == (200, ["mine"])
    assert [audit(bob, room)[0], audit(ann, "")[0], audit(ann, "general")[0]] == [403] * 3


def test_what_a_moderator_does_without_a_command_is_written_down_too(replica: Any, room: str) -> None:
    ann = replica.guest("ann-14", room)

    async def note() -> None:
        redis = connect(replica.server.url)
        await RoomStore(redis, lambda: 7.0).note("mod", room, "delete", user="bob", text="12")
        await redis.aclose(close_connection_pool=True)

    asyncio.run(note())
    head = {"authorization": f"Bearer {ann.token}"}
    assert replica.ask("GET", f"/v1/audit?room={room}", headers=head)[1] == [
        {"at": 7.0, "by": "mod", "room": room, "verb": "delete", "user": "bob", "text": "12", "seconds": 0.0}
    ]


def test_a_closed_room_is_left_by_all(replica: Any, room: str) -> None:
    ann, bob = replica.guest("ann-5", room), replica.guest("bob-5", room)
    command(ann, room, "close")
    bob.until("left", why="close")
    assert room not in [known["room"] for known in bob.ask("rooms", "rooms")["rooms"]]
    assert "is closed" in refused(bob, "join", room=room)


def test_members_command_nobody_and_nobody_commands_an_equal(replica: Any, room: str) -> None:
    ann, bob, cleo = (replica.guest(f"{name}-6", room) for name in ("ann", "bob", "cleo"))
    assert "takes the role moderator" in refused(bob, "command", room=room, verb="kick", user="cleo-6")
    for name in ("bob-6", "cleo-6"):
        command(ann, room, "role", user=name, text="moderator")
    cleo.until("change", verb="role", user="cleo-6")
    assert "as high a role" in refused(bob, "command", room=room, verb="ban", user="cleo-6", seconds=60)
    assert "takes the role owner" in refused(bob, "command", room=room, verb="close")


def test_an_administrator_of_the_service_rules_everywhere_and_it_is_written_down(
    replica: Any, room: str
) -> None:
    ann, root = replica.guest("ann-7", room), replica.guest("root-7", admin=True)
    root.join(room)
    command(root, room, "topic", text="order")
    assert ann.until("change", verb="topic")["text"] == "order"
    head = {"authorization": f"Bearer {root.token}"}
    status, entries = replica.ask("GET", f"/v1/audit?room={room}", headers=head)
    assert status == 200
    assert [(entry["by"], entry["verb"], entry["text"]) for entry in entries] == [
        ("root-7", "topic", "order")
    ]
    assert replica.ask("GET", "/v1/audit", headers={"authorization": f"Bearer {ann.token}"})[0] == 403
    assert replica.ask("GET", "/v1/audit")[0] == 401


def test_two_who_command_at_once_both_succeed(replica: Any, room: str) -> None:
    ann, root = replica.guest("ann-8", room), replica.guest("root-8", admin=True)
    root.join(room)
    for number in range(10):
        ann.send("command", room=room, verb="mute", user=f"x{number}", seconds=60, ref=f"a{number}")
        root.send("command", room=room, verb="mute", user=f"y{number}", seconds=60, ref=f"r{number}")
    for number in range(10):
        ann.until("done", ref=f"a{number}")
        root.until("done", ref=f"r{number}")
