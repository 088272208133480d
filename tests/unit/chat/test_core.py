"""The pure parts: frames, limits, names, files, the protocol."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame as Reference
from websockets.frames import Opcode

from chat.adapters import alerts, probe
from chat.core import answers, events, frames, protocol
from chat.core.files import media_type_of, shown_name
from chat.core.limits import Meter, Rate
from chat.core.names import SERVICE, dm_of, is_dm, is_room_name, is_user_name, mentions, peer_in
from chat.core.protocol import Malformed, Say, decode


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 100_000])
def test_a_frame_is_what_the_reference_makes(size: int) -> None:
    payload = b"x" * size
    assert frames.text_frame(payload) == Reference(Opcode.TEXT, payload).serialize(mask=False)


def test_a_batch_is_its_frames_in_a_row_and_as_old_as_the_oldest() -> None:
    one, other = frames.frame(b"1", born=5.0), frames.frame(b"2", born=3.0)
    both = frames.batch([one, other])
    assert (both.data, both.frames, both.born) == (one.data + other.data, 2, 3.0)
    assert frames.batch([one]).data is one.data


def test_a_burst_and_then_the_rate() -> None:
    meter = Meter(Rate(per_second=2.0, burst=3))
    assert [meter.wait("ann", 0.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert meter.wait("ann", 0.0) == pytest.approx(0.5)
    assert meter.wait("bob", 0.0) == 0.0
    assert meter.wait("ann", 0.5) == 0.0
    assert meter.wait("ann", 0.5) > 0.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(1, 5))
def test_no_more_than_the_burst_and_the_rate_get_through(pauses: list[float], burst: int) -> None:
    meter, now, through = Meter(Rate(3.0, burst)), 0.0, 0
    for pause in pauses:
        now += pause
        through += meter.wait("ann", now) == 0.0
    assert through <= burst + 3.0 * now + 1e-6


def test_who_is_quiet_again_is_forgotten() -> None:
    meter = Meter(Rate(1.0, 1), tidy_at=10)
    for number in range(100):
        assert meter.wait(f"user-{number}", number * 10.0) == 0.0
    assert len(meter._full_at) <= 11


def test_private_rooms_have_names_that_nobody_can_make() -> None:
    room = dm_of("bob", "ann")
    assert room == dm_of("ann", "bob") == "ann+bob"
    assert is_dm(room)
    assert not is_room_name(room)
    assert (peer_in(room, "ann"), peer_in(room, "bob"), peer_in(room, "eve")) == ("bob", "ann", None)


@pytest.mark.parametrize("room", ["bob+ann", "ann+bob+cleo", "+ann", "ann+", "+", "ann+Bob", "ann bob"])
def test_what_is_no_private_room_of_two(room: str) -> None:
    assert not is_dm(room)


def test_the_names_of_the_service_are_known() -> None:
    assert {alerts.SPEAKER, probe.NAME} == SERVICE


@pytest.mark.parametrize("name", ["", "Ann", "1st", "a" * 33, "a b", "a+b", "ann\n", "änn", "__proto__"])
def test_what_is_no_name(name: str) -> None:
    assert not is_user_name(name)


def test_mentions() -> None:
    assert mentions("@ann and @bob-1, @ann again, mail to x@cleo.org, @@dan") == ["ann", "bob-1"]
    assert len(mentions(" ".join(f"@u{number}" for number in range(100)))) == 20


@given(st.text())
def test_a_shown_name_is_no_path(given_name: str) -> None:
    name = shown_name(given_name)
    assert name
    assert len(name) <= 100
    assert not set(name) & set("/\\\0\r\n\"'<>")
    assert name not in (".", "..")


def test_nothing_is_served_that_a_browser_would_run() -> None:
    assert not {media_type_of(f"x.{end}") for end in ("html", "svg", "js", "xml", "xhtml", "exe", "")} - {
        None
    }
    assert media_type_of("X.PNG") == "image/png"


@given(st.binary())
def test_whatever_comes_is_a_message_unknown_or_malformed(raw: bytes) -> None:
    with suppress(Malformed):
        assert decode(raw) is None


def test_a_known_message_of_a_newer_client_is_understood() -> None:
    message = decode(b'{"type": "say", "room": "tea", "text": "hi", "colour": "blue"}')
    assert message == Say(room="tea", text="hi")


@pytest.mark.parametrize("side", [protocol, answers])
def test_the_schema_has_every_type_and_says_what_it_is_for(side: Any) -> None:
    found = side.schema()
    assert {kind["$ref"].rpartition("/")[2] for kind in found["oneOf"]} == {
        one.__name__ for one in side.KINDS
    }
    assert found["version"] == protocol.VERSION
    assert json.loads(json.dumps(found))["$defs"].keys() == found["$defs"].keys()
    assert all(definition["description"] for definition in found["$defs"].values())
    for kind in side.KINDS:
        assert found["$defs"][kind.__name__]["properties"]["type"]["enum"] == [kind.__struct_config__.tag]


def test_an_event_has_its_id_first() -> None:
    event = events.message("tea", "ann", "n", 1.0, 'a "quoted"\nline, "id":0, too', mentions=["bob"])
    text = events.complete(7, event.tail)
    assert next(iter(json.loads(text))) == "id"
    assert answers.read(text) == answers.Message(
        room="tea",
        id=7,
        at=1.0,
        user="ann",
        text='a "quoted"\nline, "id":0, too',
        nonce="n",
        mentions=("bob",),
    )
    assert "\n" not in text
    assert events.is_message(text)
    assert not events.is_message(events.complete(8, events.deleted("tea", "ann", "m", 1.0, 7).tail))


def test_an_event_of_a_newer_replica_is_not_understood_and_harmless() -> None:
    assert answers.read('{"id":7,"type":"poll","room":"tea","question":"milk?"}') is None
