"""The queue of one slow client: bounded, in order, and poor in what nobody misses."""

from hypothesis import given
from hypothesis import strategies as st

from chat.contract import Frame, Kind
from chat.engine.outbox import Outbox, Tally

LIMIT = 100
FRAMES = st.lists(
    st.builds(
        lambda size, kind, key: Frame(b"x" * size, kind, f"u{key}" if kind is Kind.PRESENCE else ""),
        st.integers(1, 40),
        st.sampled_from(Kind),
        st.integers(0, 2),
    ),
    max_size=30,
)


@given(FRAMES)
def test_it_is_bounded_and_keeps_every_message_in_order(frames: list[Frame]) -> None:
    tally = Tally()
    box, accepted = Outbox(LIMIT, tally), []
    for frame in frames:
        if not box.put(frame):
            assert frame.kind is not Kind.TYPING
            return  # who has no room even so is ended, and what waited is nobody's
        accepted.append(frame)
        assert box.size <= LIMIT
        assert (tally.frames, tally.bytes) == (len(box), box.size)
    left = box.empty()
    assert [frame for frame in left if frame.kind is Kind.MESSAGE] == [
        frame for frame in accepted if frame.kind is Kind.MESSAGE
    ]
    last = {frame.key: frame for frame in accepted if frame.key}
    assert {frame.key: frame for frame in left if frame.key} == last
    assert tally.dropped + tally.coalesced == len(accepted) - len(left)
    assert (tally.frames, tally.bytes, box.size) == (0, 0, 0)


@given(FRAMES, st.integers(1, 120))
def test_it_is_taken_in_pieces(frames: list[Frame], most: int) -> None:
    box = Outbox(10_000, Tally())
    for frame in frames:
        assert box.put(frame)
    pieces = []
    while len(box):
        before = len(box)
        piece = box.take(most)
        assert len(piece.data) <= most or piece.frames == 1
        assert before - len(box) == piece.frames
        pieces.append(piece.data)
    assert b"".join(pieces) == b"".join(frame.data for frame in frames)
