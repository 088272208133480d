"""How much one client may ask for, and what it is told when that is too much."""

from typing import Any

import pytest


@pytest.fixture(scope="module")
def named(start_replica: Any) -> Any:
    """People to whom it happens that their messages are refused, by why."""
    replica, strict = start_replica(), start_replica(chat_rate=0.001)
    ann, bob = replica.guest("ann", "named"), replica.guest("bob", "named")
    ann.ask("command", "done", room="named", verb="mute", user="bob", seconds=600)
    eager = strict.guest("eager", "named")
    eager.say("named", "the only one")
    return {"muted": bob, "elsewhere": ann, "file": ann, "malformed": ann, "too_often": eager}


@pytest.fixture(scope="module")
def strict(start_replica: Any) -> Any:
    """Where one may do one thing, and then has to wait for long."""
    return start_replica(chat_rate=0.01, chat_room_rate=0.01)


def test_who_says_too_much_has_to_wait_and_so_has_a_room(start_replica: Any) -> None:
    replica = start_replica(chat_rate=0.01, chat_room_rate=0.01)
    ann, bob, cleo = replica.guest("ann", "one"), replica.guest("bob", "two"), replica.guest("cleo")
    for guest, room in ((ann, "two"), (bob, "one"), (cleo, "two")):
        guest.join(room)
    ann.say("one", "the only one for a while")
    ann.send("say", room="two", text="and another", ref="x")
    assert "you say too much at once" in ann.until("error", ref="x", code="too_often")["detail"]
    bob.send("say", room="one", text="me, too", ref="y")
    assert "too much is said in one at once" in bob.until("error", ref="y", code="too_often")["detail"]
    cleo.say("two", "elsewhere one may")


@pytest.mark.parametrize("kind", ["edit", "delete", "command", "create", "read", "away"])
def test_whatever_others_hear_of_or_redis_keeps_has_a_rate(strict: Any, kind: str) -> None:
    guest = strict.guest(f"ann-{kind}")
    bodies: dict[str, dict[str, object]] = {
        "edit": {"room": "ann-edit+bob-edit", "id": 1, "text": "x"},
        "delete": {"room": "ann-delete+bob-delete", "id": 1},
        "command": {"room": "ann-command+bob-command", "verb": "announce", "text": "x"},
        "create": {"room": "general"},
        "read": {"room": "general", "id": 1},
        "away": {"away": True},
    }
    guest.join("general")
    guest.join(f"@bob-{kind}")
    for number in range(5):
        guest.send(kind, ref=str(number), **bodies[kind])
    guest.send("people", room="general", ref="after")
    while guest.next()["type"] != "people":
        pass
    refused = [one for one in guest.seen if one["type"] == "error" and one["code"] == "too_often"]
    assert len(refused) == 4
    assert all("wait" in one["detail"] for one in refused)


def test_who_is_not_in_a_room_uses_up_nothing_of_what_it_may_say(start_replica: Any) -> None:
    replica = start_replica(chat_rate=100.0, chat_room_rate=0.01)
    ann, eve = replica.guest("ann", "ours"), replica.guest("eve")
    for kind, body in (
        ("edit", {"id": 1, "text": "x"}),
        ("delete", {"id": 1}),
        ("command", {"verb": "close"}),
    ):
        assert eve.answer(kind, room="ours", **body)["code"] == "forbidden"
    ann.say("ours", "the only one for a while")


@pytest.mark.parametrize("body", [{"ref": "r"}, {"nonce": "r"}, {"ref": "r", "nonce": "n"}])
@pytest.mark.parametrize("why", ["muted", "elsewhere", "file", "malformed", "too_often"])
def test_a_refused_message_is_named(named: Any, why: str, body: dict[str, str]) -> None:
    """By its `ref`, or else by its nonce: so its client does not say it again."""
    said: dict[str, object] = {"room": "named", "text": "rude words", **body}
    said |= {"elsewhere": {"room": "nowhere"}, "file": {"file": "none"}, "malformed": {"text": ""}}.get(
        why, {}
    )
    guest = named[why]
    guest.send("say", **said)
    assert guest.until("error")["ref"] == "r"


def test_who_goes_on_in_spite_of_refusals_gets_1008(strict: Any) -> None:
    guest = strict.guest("ann-stubborn")
    guest.join("general")
    guest.insist(*['{"type": "edit", "room": "general", "id": 1, "text": "x"}'] * 300)
    assert guest.closed_with() == 1008


def test_who_only_makes_mistakes_gets_1008(replica: Any) -> None:
    guest = replica.guest("ann-m")
    guest.insist(*["{"] * 21)
    assert guest.closed_with() == 1008


def test_a_page_of_history_is_bounded_in_bytes_and_asking_for_more_ends_nobody(start_replica: Any) -> None:
    replica = start_replica(chat_queue=131_072)
    ann = replica.guest("ann", "long")
    ids = [ann.say("long", "\N{GRINNING FACE}" * 4000) for _ in range(40)]
    for number in range(10):
        ann.send("history", room="long", before=ids[-1] + 1, limit=50, ref=f"h{number}")
    for number in range(10):
        assert ann.until("history", ref=f"h{number}")["more"]
    found, more = [ids[-1] + 1], True
    while more:
        page = ann.ask("history", "history", room="long", before=found[0], limit=50)
        assert 1 <= len(page["items"]) < 5
        found, more = [event["id"] for event in page["items"]] + found, page["more"]
    assert found[:-1] == ids
