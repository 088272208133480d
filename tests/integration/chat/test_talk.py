"""What two people can do in one room, and what the service answers to whom."""

import json
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.sync.client import connect


def test_what_one_says_both_hear_once_and_it_is_acknowledged(replica: Any) -> None:
    ann, bob = replica.guest("ann-a", "tea"), replica.guest("bob-a", "tea")
    ids = [ann.say("tea", f"number {number}", nonce=f"n{number}") for number in range(5)]
    bob.until("message", id=ids[-1])
    heard = [(event["id"], event["text"]) for event in bob.events("tea") if event["id"] >= ids[0]]
    assert heard == [(id, f"number {number}") for number, id in enumerate(ids)]
    assert ids == list(range(ids[0], ids[0] + 5))


def test_the_same_nonce_is_the_same_message(replica: Any) -> None:
    ann, bob = replica.guest("ann-b", "nonces"), replica.guest("bob-b", "nonces")
    first = ann.say("nonces", "once", nonce="same")
    assert ann.say("nonces", "once", nonce="same") == first
    last = ann.say("nonces", "other", nonce="other")
    bob.until("message", id=last)
    assert [event["id"] for event in bob.events("nonces")] == [first, last]


def test_who_comes_back_gets_what_was_missed_once(replica: Any) -> None:
    ann, bob = replica.guest("ann-c", "back"), replica.guest("bob-c", "back")
    last = ann.say("back", "before")
    bob.until("message", id=last)
    bob.leave()
    missed = [ann.say("back", f"missed {number}") for number in range(700)]
    again = replica.guest("bob-c", token=bob.token)
    again.join("back", after=last)
    following = ann.say("back", "after")
    again.until("message", id=following)
    assert [event["id"] for event in again.events("back")] == [*missed, following]


def test_an_edit_and_a_deletion_are_events_and_the_deleted_text_is_gone(replica: Any, redis: Any) -> None:
    ann, bob = replica.guest("ann-d", "edits"), replica.guest("bob-d", "edits")
    kept, gone = ann.say("edits", "a typo"), ann.say("edits", "a secret")
    ann.ask("edit", "ack", room="edits", id=kept, text="no typo")
    deleted = ann.ask("delete", "ack", room="edits", id=gone)["id"]
    bob.until("deleted", id=deleted, target=gone)
    assert [event["type"] for event in bob.events("edits")] == ["message", "message", "edited", "deleted"]
    late = replica.guest("late-d")
    late.join("edits", after=0)
    assert [event["id"] for event in late.events("edits")] == [kept, kept + 2, deleted]
    assert "a secret" not in json.dumps(redis.xrange("chat:{edits}:log"))


def test_a_deletion_erases_all_that_was_ever_written_there(replica: Any, redis: Any) -> None:
    """From Redis, and from what the replica remembers for who comes back."""
    ann = replica.guest("ann-erase", "erased")
    other, gone = ann.say("erased", "other"), ann.say("erased", "v1 password")
    kept = ann.ask("edit", "ack", room="erased", id=other, text="other, edited")["id"]
    for version in (2, 3):
        ann.ask("edit", "ack", room="erased", id=gone, text=f"v{version} password")
    deleted = ann.ask("delete", "ack", room="erased", id=gone)["id"]
    following = ann.say("erased", "in its place in the order")
    assert following == deleted + 1
    assert "password" not in str(
        [redis.xrange("chat:{erased}:log"), redis.zrange("chat:{erased}:edits", 0, -1)]
    )
    late = replica.guest("late-erase")
    late.join("erased", after=0)
    assert [event["id"] for event in late.events("erased")] == [other, kept, deleted, following]
    assert "password" not in str(late.seen)
    assert ann.answer("edit", room="erased", id=gone, text="v4 password")["code"] == "unknown"
    assert ann.answer("delete", room="erased", id=gone)["code"] == "unknown"


def test_nobody_changes_what_somebody_else_said(replica: Any) -> None:
    ann, bob = replica.guest("ann-e", "own"), replica.guest("bob-e", "own")
    id = ann.say("own", "mine")
    bob.send("edit", room="own", id=id, text="yours")
    assert bob.until("error", code="forbidden")["detail"] == "that was said by somebody else"
    ann.ask("command", "done", room="own", verb="role", user="bob-e", text="moderator")
    bob.ask("delete", "ack", room="own", id=id)


def test_a_private_message_reaches_whoever_is_offline_and_nobody_else(replica: Any) -> None:
    ann = replica.guest("ann-f")
    room = ann.join("@bob-f")["room"]
    id = ann.say(room, "for you alone")
    bob = replica.guest("bob-f")
    (known,) = [one for one in bob.welcome["rooms"] if one["room"] == room]
    assert (known["unread"], known["with"]) == (1, "ann-f")
    bob.join("@ann-f", after=0)
    assert [event["id"] for event in bob.events(room)] == [id]
    eve = replica.guest("eve-f")
    eve.send("join", room=room)
    assert eve.until("error", code="forbidden")["detail"] == "that is a private conversation of two others"


def test_who_gets_a_private_message_is_told_and_may_open_the_conversation(replica: Any) -> None:
    ann, bob = replica.guest("ann-g"), replica.guest("bob-g")
    room = ann.join("@bob-g")["room"]
    id = ann.say(room, "psst")
    notice = bob.until("notice", room=room)
    assert (notice["why"], notice["from"], notice["id"]) == ("message", "ann-g", id)
    joined = bob.ask("join", "joined", room=room, after=id - 1)
    assert joined["with"] == "ann-g"
    assert bob.until("message", room=room)["text"] == "psst"
    assert ann.say(room, "again") == bob.until("message", text="again")["id"]
    assert [event["text"] for event in bob.events(room)] == ["psst", "again"]


def test_a_private_message_while_one_comes_back_hides_none_before_it(replica: Any) -> None:
    ann, bob = replica.guest("ann-n"), replica.guest("bob-n")
    room = ann.join("@bob-n")["room"]
    last = ann.say(room, "heard")
    bob.leave()
    missed = [ann.say(room, f"missed {number}") for number in range(3)]
    again = replica.guest("bob-n", token=bob.token)
    newest = ann.say(room, "after the welcome")
    again.until("notice", why="message", id=newest)
    again.join(room, after=last)
    assert [event["id"] for event in again.events(room)] == [*missed, newest]


def test_who_left_a_private_conversation_is_in_it_again_when_something_is_said(
    replica: Any, patience: Any
) -> None:
    ann, bob = replica.guest("ann-back"), replica.guest("bob-back")
    room = ann.join("@bob-back")["room"]
    bob.join("@ann-back")
    bob.ask("leave", "left", room=room)
    bob.leave()
    ann.say(room, "are you there?")

    def unread() -> list[Any]:
        bob = replica.guest("bob-back", token=replica.sign_in("bob-back", token=ann_token))
        bob.leave()
        return [one["unread"] for one in bob.welcome["rooms"] if one["room"] == room]

    ann_token = bob.token
    assert patience(unread) == [1]


def test_a_mention_tells_only_who_may_be_there(replica: Any) -> None:
    ann, bob, cleo = (replica.guest(f"{name}-hush") for name in ("ann", "bob", "cleo"))
    ann.ask("create", "created", room="hush", private=True)
    ann.join("hush")
    ann.ask("command", "done", room="hush", verb="invite", user="cleo-hush")
    talk = ann.join("@cleo-hush")["room"]
    ann.say("hush", "not a word to @bob-hush, @cleo-hush")
    ann.say(talk, "nor of @bob-hush here")
    cleo.until("notice", why="mention", room="hush")
    cleo.until("notice", why="message", room=talk)
    ann.ask("create", "created", room="loud-hush")
    ann.join("loud-hush")
    ann.say("loud-hush", "this is for @bob-hush")
    bob.until("notice", why="mention")
    assert [one["room"] for one in bob.seen if one["type"] == "notice"] == ["loud-hush"]


def test_mentions_and_unread_counts(replica: Any) -> None:
    ann, bob = replica.guest("ann-h", "counts"), replica.guest("bob-h", "counts")
    read = ann.say("counts", "one")
    ann.say("counts", "two, @bob-h and @bob-h")
    notice = bob.until("notice", why="mention")
    assert (notice["room"], notice["from"]) == ("counts", "ann-h")
    bob.send("read", room="counts", id=read)
    (known,) = [one for one in bob.ask("rooms", "rooms")["rooms"] if one["room"] == "counts"]
    assert (known["read"], known["unread"], known["mentions"]) == (read, 1, 1)


def test_what_was_asked_for_before_one_closes_is_done(start_replica: Any, patience: Any) -> None:
    """However long Redis takes for what was asked before it."""
    replica = start_replica()
    ann, bob = replica.guest("ann", "read"), replica.guest("bob", "read")
    ids = [ann.say("read", str(number)) for number in range(3)]
    replica.server.hold()
    for body in ({"type": "rooms"}, {"type": "history", "room": "read", "before": 9}):
        bob.send(**body)
    bob.send("read", room="read", id=ids[1])
    bob.send("say", room="read", text="goodbye")
    bob.leave()
    patience(lambda: replica.metric("chat_connections") == 1)
    replica.server.go_on()
    ann.until("message", user="bob", text="goodbye")
    again = replica.guest("bob", token=bob.token)
    (known,) = [one for one in again.welcome["rooms"] if one["room"] == "read"]
    assert known["read"] == ids[1]


def test_typing_is_throttled_for_each_user(replica: Any) -> None:
    ann, bob, cleo = (replica.guest(f"{name}-i", "typing") for name in ("ann", "bob", "cleo"))
    for _ in range(10):
        ann.send("typing", room="typing")
    ann.say("typing", "all of that was heard")
    bob.until("typing", user="ann-i")
    cleo.send("typing", room="typing")
    bob.until("typing", user="cleo-i")
    assert [one["user"] for one in bob.seen if one["type"] == "typing"] == ["ann-i", "cleo-i"]


def test_history_comes_in_pages(replica: Any) -> None:
    ann = replica.guest("ann-j", "pages")
    ids = [ann.say("pages", str(number)) for number in range(7)]
    newest = ann.ask("history", "history", room="pages", before=ids[-1] + 1, limit=3)
    assert [event["id"] for event in newest["items"]] == ids[-3:]
    assert newest["more"]
    oldest = ann.ask("history", "history", room="pages", before=ids[2], limit=3)
    assert [event["id"] for event in oldest["items"]] == ids[:2]
    assert not oldest["more"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("{nope", "JSON"),
        ('{"type": "say", "room": "tea"}', "text"),
        ('{"type": "say", "room": "tea", "text": 7}', "str"),
        ('{"type": "join", "room": "tea", "after": -1}', "after"),
        ('{"room": "tea"}', "type"),
        ("[1, 2]", "object"),
    ],
)
def test_what_is_malformed_is_answered(replica: Any, text: str, word: str) -> None:
    guest = replica.guest("ann-k", token=replica.sign_in("ann-k", admin=True))
    guest.socket.send(text)
    assert word in guest.until("error", code="malformed")["detail"]
    guest.leave()


def test_what_is_unknown_is_ignored(replica: Any) -> None:
    guest = replica.guest("ann-l", "unknown")
    guest.send("levitate", height=2)
    assert guest.say("unknown", "still here") == 1
    assert [one for one in guest.seen if one["type"] == "error"][1:] == []


@pytest.mark.parametrize("token", ["", "x.y", "e30.00"])
def test_no_token_no_entry(replica: Any, token: str) -> None:
    with connect(replica.websocket) as socket:
        socket.send(json.dumps({"type": "hello", "token": token}))
        assert json.loads(socket.recv(5))["code"] == "not_signed_in"
        with pytest.raises(Exception, match="1008"):
            socket.recv(5)


def test_a_name_belongs_to_who_was_first(replica: Any) -> None:
    token = replica.sign_in("first")
    status, body = replica.ask("POST", "/v1/sign-in", {"name": "first"})
    assert (status, "taken" in body["detail"]) == (409, True)
    assert replica.sign_in("first", token=token)


def test_one_need_not_wait_for_the_welcome(replica: Any) -> None:
    with connect(replica.websocket) as socket:
        socket.send(json.dumps({"type": "hello", "token": replica.sign_in("eager")}))
        socket.send(json.dumps({"type": "join", "room": "general"}))
        types = [json.loads(socket.recv(5))["type"] for _ in range(3)]
    assert types == ["welcome", "joined", "caught_up"]


def test_a_storm_of_clients_is_let_in_one_after_the_other_and_nobody_is_refused(replica: Any) -> None:
    """More than the client library of Redis has connections for."""
    tokens = [replica.sign_in(f"storm-{number}") for number in range(120)]
    with ExitStack() as ends:
        options: dict[str, Any] = {"compression": None, "max_queue": None, "close_timeout": 1}
        sockets = [ends.enter_context(connect(replica.websocket, **options)) for _ in tokens]
        for socket, token in zip(sockets, tokens, strict=True):
            socket.send(json.dumps({"type": "hello", "token": token}))
            socket.send(json.dumps({"type": "join", "room": "general"}))
        for socket in sockets:
            types = []
            while "caught_up" not in types:
                types.append(json.loads(socket.recv(20))["type"])
            assert "error" not in types


def test_the_service_measures_itself_from_outside(start_replica: Any, patience: Any) -> None:
    replica = start_replica(chat_probe=True)
    patience(lambda: replica.metric("chat_client_seconds_count") >= 1)
    assert replica.metric("chat_fan_out_seconds_count") >= 1
    assert replica.metric("chat_fan_out_seconds_sum") < 60
    assert "probe" not in str(replica.guest("ann").welcome["rooms"])


def test_the_protocol_of_both_sides_is_served_as_schemas(replica: Any) -> None:
    status, protocol = replica.ask("GET", "/v1/protocol")
    assert (status, protocol["version"]) == (200, 1)
    assert protocol["client"]["$defs"]["Say"]["properties"]["text"]["maxLength"] == 4000
    wanted = {"type", "room", "id", "at", "user", "text"}
    assert set(protocol["server"]["$defs"]["Message"]["required"]) == wanted
