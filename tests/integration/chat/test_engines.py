"""Another engine while people talk: nobody is sent away, nothing is lost, nothing comes twice."""

import threading
from typing import Any

import pytest

MINE = "from chat.engine import Hub as Reference\nclass Hub(Reference):\n    pass\n"


def switch(replica: Any, engine: str) -> tuple[int, Any]:
    status, body = replica.ask("PUT", "/lab/engine", {"engine": engine})
    return status, body


@pytest.mark.parametrize("engine", ["naive", "mine"])
def test_an_engine_is_exchanged_under_those_who_talk(start_replica: Any, engine: str) -> None:
    replica = start_replica()
    (replica.workspace / "chat.py").write_text(MINE)
    ann, bob, cleo = (replica.guest(name, "talk") for name in ("ann", "bob", "cleo"))
    over = threading.Event()
    said: list[int] = []

    def talk() -> None:
        while not over.is_set() or len(said) < 50:
            said.append(ann.say("talk", str(len(said))))

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        for chosen in (engine, "reference", engine, "reference"):
            assert switch(replica, chosen)[0] == 200
    finally:
        over.set()
        talking.join()
    last = bob.say("talk", "the end")
    wanted = [*said, last]
    for guest in (ann, bob, cleo):
        if wanted[-1] not in [event["id"] for event in guest.events("talk")]:
            guest.until("message", id=last)
        assert [event["id"] for event in guest.events("talk")] == wanted == list(range(1, last + 1))
    assert replica.metric("chat_connections") == 3


def test_an_engine_that_cannot_be_imported_changes_nothing(start_replica: Any) -> None:
    replica = start_replica()
    (replica.workspace / "chat.py").write_text("import no_such_module\n")
    ann, bob = replica.guest("ann", "talk"), replica.guest("bob", "talk")
    status, problem = switch(replica, "mine")
    assert (status, "No module named 'no_such_module'" in problem["detail"]) == (422, True)
    bob.until("message", id=ann.say("talk", "still here"))
