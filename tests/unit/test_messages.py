"""The envelope: what goes in comes out, and what is not a message says why."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from lab_kit.messages import BadMessage, FileRef, Message, read_body

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = {"v", "id", "trace", "type", "time"}
GOOD = {"v": 1, "id": "i", "trace": "t", "type": "job", "time": 1.5}


class Stored(BaseModel):
    file: FileRef


@given(st.dictionaries(st.text().filter(lambda name: name not in NAMES), JSON, max_size=4))
def test_what_is_encoded_is_decoded(body: dict[str, object]) -> None:
    message = Message("job", body)
    assert Message.decode(message.encode()) == message


def test_the_body_lies_flat_beside_the_envelope() -> None:
    message = Message("job", {"url": "u"}, trace="t", id="i", time=1.5)
    assert json.loads(message.encode()) == GOOD | {"url": "u"}


def test_messages_have_their_own_ids_and_a_reply_keeps_the_trace() -> None:
    cause = Message("job")
    answer = cause.reply("done", {"n": 1})
    assert answer.trace == cause.trace
    assert len({cause.id, answer.id, Message("job").id}) == 3
    assert (answer.type, answer.body) == ("done", {"n": 1})


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        (b"\xff", "JSON"),
        ("[]", "object"),
        ("{}", "v: Field required"),
        (json.dumps(GOOD | {"v": 2}), "v: Input should be 1"),
        (json.dumps(GOOD | {"id": ""}), "id: "),
        (json.dumps(GOOD | {"trace": None}), "trace: "),
        (json.dumps(GOOD | {"type": 7}), "type: "),
        (json.dumps(GOOD | {"time": "now"}), "time: "),
        (json.dumps(GOOD | {"time": float("inf")}), "time: "),
    ],
)
def test_what_is_not_a_message_says_why(raw: str | bytes, why: str) -> None:
    with pytest.raises(BadMessage, match=f"^not a message: .*{why}"):
        Message.decode(raw)


@pytest.mark.parametrize("body", [{"id": "mine"}, {"n": float("nan")}, {"n": object()}])
def test_a_body_that_no_message_can_carry_is_refused(body: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        Message("job", body).encode()


def test_a_body_is_read_as_a_model() -> None:
    file = {"url": "http://origin/f", "size": 3, "sha256": "a" * 64}
    assert read_body(Message("stored", {"file": file}), Stored).file == FileRef(**file)


@pytest.mark.parametrize(
    "wrong", [{"size": -1}, {"sha256": "A" * 64}, {"sha256": "a" * 63}, {"url": ""}, {"url": None}]
)
def test_a_body_that_does_not_fit_names_the_field(wrong: dict[str, object]) -> None:
    file = {"url": "http://origin/f", "size": 3, "sha256": "a" * 64} | wrong
    with pytest.raises(BadMessage, match=f"bad 'stored' message .*: file.{next(iter(wrong))}: "):
        read_body(Message("stored", {"file": file}), Stored)
