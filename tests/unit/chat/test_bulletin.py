"""What a room is told of who comes and goes."""

import asyncio

from chat.adapters.bulletin import SECONDS, Bulletin
from chat.contract import Frame, Kind
from lab.grader.virtual import virtual_loop


def test_the_last_word_on_each_is_told_at_once_and_in_order() -> None:
    told: list[tuple[str, Frame]] = []
    bulletin = Bulletin(lambda room, frame: told.append((room, frame)))

    async def come_and_go() -> int:
        for user, message in (("ann", b"online"), ("bob", b"online"), ("ann", b"offline")):
            bulletin.tell("tea", user, message)
        await asyncio.sleep(SECONDS / 2)
        before = len(told)
        await asyncio.sleep(SECONDS)
        bulletin.tell("tea", "ann", b"online")
        await asyncio.sleep(2 * SECONDS)
        return before

    with asyncio.Runner(loop_factory=virtual_loop) as runner:
        assert runner.run(come_and_go()) == 0
    assert [(room, frame.data[2:], frame.key) for room, frame in told] == [
        ("tea", b"online", "presence/tea/bob"),
        ("tea", b"offline", "presence/tea/ann"),
        ("tea", b"online", "presence/tea/ann"),
    ]
    assert {frame.kind for _, frame in told} == {Kind.PRESENCE}
