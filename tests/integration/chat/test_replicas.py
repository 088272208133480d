"""Several replicas over one Redis: one order, and nothing that was acknowledged is lost."""

import threading
from typing import Any

import pytest
from redis import Redis

from chat.adapters.log import DURABLE


def collect(guest: Any, room: str, last: int) -> list[tuple[int, str]]:
    if not any(event["id"] == last for event in guest.events(room)):
        guest.until("message", id=last, within=20.0)
    return [(event["id"], event["text"]) for event in guest.events(room)]


@pytest.fixture(scope="module")
def two(start_replica: Any) -> tuple[Any, Any]:
    """Replicas that nobody ends."""
    one = start_replica()
    return one, start_replica(beside=one)


def test_all_hear_the_same_in_the_same_order(two: tuple[Any, Any]) -> None:
    one, other = two
    places = {"ann": one, "bob": other, "cleo": one, "dan": other}
    guests = [replica.guest(name, "order") for name, replica in places.items()]
    talkers = guests[:2]

    def talk(guest: Any) -> None:
        for number in range(100):
            guest.say("order", f"{guest.name} {number}")

    threads = [threading.Thread(target=talk, args=(guest,)) for guest in talkers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = [collect(guest, "order", 200) for guest in guests]
    assert heard[0] == heard[1] == heard[2] == heard[3]
    assert [id for id, _ in heard[0]] == list(range(1, 201))


def test_slow_mode_is_one_for_all_replicas(two: tuple[Any, Any]) -> None:
    one, other = two
    ann = one.guest("ann-slow", "slow")
    devices = [one.guest("bob-slow", "slow")]
    devices.append(other.guest("bob-slow", "slow", token=devices[0].token))
    ann.ask("command", "done", room="slow", verb="slow", seconds=3600)
    for device in devices:
        device.until("change", verb="slow")
    devices[0].say("slow", "here")
    refusal = devices[1].answer("say", room="slow", text="and there")
    assert (refusal["type"], refusal["code"]) == ("error", "too_often")


def test_presence_is_known_everywhere_and_outlives_no_replica(start_replica: Any, patience: Any) -> None:
    one = start_replica(chat_vouch=1)
    other = start_replica(beside=one, chat_vouch=1)
    ann, bob = one.guest("ann", "here"), other.guest("bob", "here")

    def state() -> str:
        people = bob.ask("people", "people", room="here")["people"]
        return next(person["state"] for person in people if person["user"] == "ann")

    assert patience(lambda: state() == "online")
    ann.send("away", away=True)
    assert bob.until("presence", user="ann")["state"] == "away"
    second = other.guest("ann", token=ann.token)
    ann.leave()
    patience(lambda: one.metric("chat_users") == 0)
    assert state() in ("away", "online")
    second.leave()
    gone = bob.until("presence", user="ann", state="offline")
    people = bob.ask("people", "people", room="here")["people"]
    assert [one["seen"] for one in people if one["user"] == "ann"] == [pytest.approx(gone["at"], abs=0.01)]
    third = one.guest("ann", token=ann.token)
    bob.until("presence", user="ann", state="online")
    one.kill()
    bob.until("presence", user="ann", state="offline", within=20.0)
    assert third.closed_with() == 1006


def test_what_was_acknowledged_survives_a_kill_and_comes_once(start_replica: Any) -> None:
    one = start_replica()
    other = start_replica(beside=one)
    ann, bob = one.guest("ann", "kills"), other.guest("bob", "kills")
    acknowledged = [ann.say("kills", str(number)) for number in range(50)]
    ann.send("say", room="kills", text="perhaps", nonce="perhaps")
    one.kill()
    again = other.guest("ann", token=ann.token)
    again.join("kills", after=acknowledged[24])
    last = again.say("kills", "perhaps", nonce="perhaps")
    heard = collect(bob, "kills", last)
    assert [id for id, _ in heard] == list(range(1, 52))
    assert [text for _, text in heard].count("perhaps") == 1
    assert [event["id"] for event in again.events("kills")][:25] == acknowledged[25:]


def test_redis_goes_and_comes_back(start_replica: Any, patience: Any) -> None:
    one = start_replica()
    other = start_replica(beside=one)
    ann, bob = one.guest("ann", "outage"), other.guest("bob", "outage")
    before = ann.say("outage", "before")
    bob.until("message", id=before)
    one.server.kill()
    patience(lambda: one.ask("GET", "/ready")[0] == 503)
    assert one.ask("GET", "/health")[0] == 200
    ann.send("say", room="outage", text="lost?", nonce="again")
    assert ann.until("error", code="unavailable")["ref"] == "again"
    one.server.start()
    for replica in (one, other):
        patience(lambda replica=replica: replica.ask("GET", "/ready")[0] == 200)
    kept = ann.say("outage", "lost?", nonce="again")
    assert kept == before + 1
    bob.until("message", id=kept)
    assert [event["id"] for event in bob.events("outage")] == [before, kept]


def test_an_answer_that_got_lost_hides_no_message(start_replica: Any, patience: Any) -> None:
    """Redis holds still for longer than it is waited for, and then does what it was asked."""
    one = start_replica()
    ann, bob = one.guest("ann", "lost"), one.guest("bob", "lost")
    before = ann.say("lost", "before")
    one.server.hold()
    ann.send("say", room="lost", text="really?", nonce="lost")
    ann.until("error", code="unavailable")
    one.server.go_on()
    assert bob.until("message", text="really?")["id"] == before + 1
    patience(lambda: one.ask("GET", "/ready")[0] == 200)
    assert ann.say("lost", "really?", nonce="lost") == before + 1
    last = ann.say("lost", "after")
    bob.until("message", id=last)
    assert [event["id"] for event in bob.events("lost")] == [before, before + 1, last]


def test_what_a_replica_says_to_itself_is_not_told_by_redis(two: tuple[Any, Any]) -> None:
    one, other = two
    with Redis.from_url(one.server.url, decode_responses=True) as redis, redis.pubsub() as ear:
        ann = one.guest("ann-alone", "echo")
        first = ann.say("echo", "to nobody else")
        ear.psubscribe("chat:{echo}:live*")
        assert ear.get_message(timeout=5)["type"] == "psubscribe"
        ann.say("echo", "to nobody else")
        bob = other.guest("bob-alone", "echo")
        last = ann.say("echo", "to both")
        bob.until("message", id=last)
        told = next(said["data"] for said in ear.listen() if str(said["data"]).startswith(DURABLE))
        assert (last, told.partition("\n")[2].partition(",")[0]) == (first + 2, f'{{"id":{last}')


def test_what_redis_does_not_tell_is_read_from_the_log(two: tuple[Any, Any]) -> None:
    one, other = two
    ann, bob = one.guest("ann-gaps", "gaps"), other.guest("bob-gaps", "gaps")
    first = ann.say("gaps", "heard")
    bob.until("message", id=first)
    with Redis.from_url(one.server.url, decode_responses=True) as redis:
        for _ in range(5):
            redis.client_kill_filter(_type="pubsub")
            last = ann.say("gaps", "while nobody listened")
    heard = collect(bob, "gaps", last)
    assert [id for id, _ in heard] == list(range(first, last + 1))


def test_a_drain_tells_when_to_return(start_replica: Any) -> None:
    one = start_replica()
    other = start_replica(beside=one)
    guests = [one.guest(f"guest-{number}", "drain") for number in range(5)]
    last = guests[0].say("drain", "last words")
    for guest in guests[1:]:
        guest.until("message", id=last)
    assert one.terminate() == 0
    waits = [guest.until("closing")["retry_after"] for guest in guests]
    assert all(0.1 <= wait <= 10.0 for wait in waits)
    assert len(set(waits)) > 1
    assert [guest.closed_with() for guest in guests] == [1012] * 5
    again = other.guest("guest-1", token=guests[1].token)
    again.join("drain", after=last - 1)
    assert [event["text"] for event in again.events("drain")] == ["last words"]
