"""Two people at two terminals: `lab chat`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import Any

import pytest


class Terminal:
    """One process of the command, and somebody who types."""

    def __init__(self, url: str, name: str, state: Path) -> None:
        self.state = state
        command = [str(Path(sys.executable).with_name("lab")), "chat", "--name", name, "--url", url]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env=os.environ | {"XDG_STATE_HOME": str(state)},
        )  # fmt: skip
        self._lines: Queue[str] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def type(self, line: str) -> None:
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def until(self, start: str) -> list[str]:
        """What was printed, up to the line that starts so."""
        printed: list[str] = []
        while not printed or not printed[-1].startswith(start):
            printed.append(self._lines.get(timeout=20))
        return printed

    def ask(self, line: str, start: str) -> str:
        """Type it; the first line that then starts so."""
        self.type(line)
        return self.until(start)[-1]

    def end(self) -> None:
        self.process.kill()
        self._reader.join()  # before anybody else touches what it reads
        self.process.communicate()


@pytest.fixture
def sit_down(tmp_path: Path) -> Iterator[Any]:
    """A function that opens a terminal at a replica, for a name that is nobody's yet."""
    with ExitStack() as ends:

        def opened(replica: Any, name: str) -> Terminal:
            terminal = Terminal(replica.url, name, tmp_path / name)
            ends.callback(terminal.end)
            terminal.until("-- you are in general")
            return terminal

        yield opened


def test_two_people_at_two_terminals(sit_down: Any, replica: Any) -> None:
    tina, tom = (sit_down(replica, name) for name in ("tina", "tom"))
    tina.ask("/create den", "-- you are in den")
    tom.ask("/join den", "-- you are in den")
    tina.type("hello \x1b[2J tom")
    assert tom.until("tina: hello")[-1] == "tina: hello  [2J tom"
    tom.ask("/people", "-- tina (online), tom (online)")

    replica.kill()
    tom.until("-- not connected")
    tom.type("said in the tunnel")
    tom.ask("/kick tina", "-- not connected: that was not sent")
    replica.start()
    tina.until("tom: said in the tunnel")
    tom.until("tom: said in the tunnel")

    tina.type("/ban tom 60")
    tom.until("-- you are no longer in den")
    tom.ask("am I?", "-- you are in no room")
    tina.type("/quit")
    assert tina.process.wait(20) == 0


def test_what_administrators_do_is_said_in_words(sit_down: Any, replica: Any) -> None:
    ann, tyra = replica.guest("ann-tyra", "board"), sit_down(replica, "tyra")
    tyra.ask("/join board", "-- you are in board")
    for verb, about, said in (
        ("topic", {"text": "wood"}, "set the topic: wood"),
        ("slow", {"seconds": 60}, "allows one message in 60 s"),
        ("mute", {"user": "nobody", "seconds": 2.5}, "muted nobody for 2.5 s"),
        ("role", {"user": "tyra", "text": "moderator"}, "made tyra moderator"),
        ("announce", {"text": "hear, hear"}, "announces: hear, hear"),
    ):
        ann.ask("command", "done", room="board", verb=verb, **about)
        tyra.until(f"-- ann-tyra {said}")
    assert "board" in tyra.ask("/rooms", "-- you are in: ").partition(" · you could join: ")[0]


def test_a_private_message_moves_nobody(sit_down: Any, replica: Any) -> None:
    tim, ann = sit_down(replica, "tim"), replica.guest("ann-tim", "general")
    room = ann.join("@tim")["room"]
    ann.say(room, "psst")
    tim.until("[@ann-tim] ann-tim: psst")
    tim.type("this is for all")
    ann.until("message", room="general", text="this is for all")
    tim.ask("/join @ann-tim", "-- you are in @ann-tim")
    tim.type("this is for you")
    ann.until("message", room=room, text="this is for you")
    tim.ask("/join general", "-- you are in general")
    tim.ask("/join general", "-- you are in general")  # where one is


def test_every_room_is_resumed(sit_down: Any, replica: Any) -> None:
    tess, ann = sit_down(replica, "tess"), replica.guest("ann-tess", "attic", "cellar")
    room = ann.join("@tess")["room"]
    ann.say(room, "zero")
    tess.until("[@ann-tess] ann-tess: zero")
    tess.ask("/join attic", "-- you are in attic")
    tess.ask("/join cellar", "-- you are in cellar")
    replica.kill()
    tess.until("-- not connected")
    replica.start()
    ann = replica.guest("ann-tess", "attic", "cellar", token=ann.token)
    ann.join(room)
    for prefix, place in (("[attic] ", "attic"), ("", "cellar"), ("[@ann-tess] ", room)):
        for number in range(3):
            ann.say(place, f"{number}")
        said = tess.until(f"{prefix}ann-tess: 2")
        assert [line for line in said if "ann-tess: " in line] == [f"{prefix}ann-tess: {n}" for n in range(3)]
    tess.type("still here")
    ann.until("message", room="cellar", text="still here")


def test_a_refused_message_is_not_said_later(sit_down: Any, replica: Any) -> None:
    ann, tam = replica.guest("ann-tam", "court"), sit_down(replica, "tam")
    tam.ask("/join court", "-- you are in court")
    ann.ask("command", "done", room="court", verb="mute", user="tam", seconds=600)
    assert "you are muted" in tam.ask("rude words", "-- not said: 'rude words': ")
    ann.ask("command", "done", room="court", verb="unmute", user="tam")
    tam.ask("/join general", "-- you are in general")
    tam.ask("/join court", "-- you are in court")
    tam.type("kind words")
    ann.until("message", room="court")
    assert [event["text"] for event in ann.events("court") if event["type"] == "message"] == ["kind words"]


def test_what_one_said_can_be_said_otherwise(sit_down: Any, replica: Any) -> None:
    ann, ted = replica.guest("ann-ted", "desk"), sit_down(replica, "ted")
    ted.ask("/join desk", "-- you are in desk")
    ted.ask("/edit nothing", "-- you have said nothing in desk")
    ted.ask("one", "ted: one")
    ted.ask("two", "ted: two")
    ted.ask("/edit three", "ted meant: three")
    ted.ask("/delete", "ted took a message back")
    ted.ask("/edit won", "ted meant: won")
    while len(ann.events("desk")) < 5:
        ann.next()
    one, two, edited, deleted, again = ann.events("desk")
    assert (edited["target"], deleted["target"], again["target"]) == (two["id"], two["id"], one["id"])


def test_older_messages_and_files_are_shown(sit_down: Any, replica: Any) -> None:
    ann, tia = replica.guest("ann-tia", "shelf"), sit_down(replica, "tia")
    for number in range(75):
        ann.say("shelf", f"m{number}")
    tia.ask("/join shelf", "-- you are in shelf")
    tia.type("/history")
    older = tia.until("-- /history goes on")
    assert [line.rpartition(" ")[2] for line in older[:-1]] == [f"m{number}" for number in range(5, 25)]
    tia.type("/history")
    oldest = tia.until("-- there is nothing older")
    assert [line.rpartition(" ")[2] for line in oldest[:-1]] == [f"m{number}" for number in range(5)]
    headers = {"authorization": f"Bearer {ann.token}", "x-filename": "notes.txt"}
    file = replica.ask("POST", "/v1/files", b"text", headers)[1]["id"]
    ann.say("shelf", "read this", file=file)
    link = tia.until("ann-tia: read this")[-1].partition("notes.txt: ")[2].rstrip(">")
    assert replica.ask("GET", link.removeprefix(replica.url)) == (200, b"text")


def test_what_is_for_one_is_shown_discreetly(sit_down: Any, replica: Any) -> None:
    ann, tori = replica.guest("ann-tori", "general", "loft"), sit_down(replica, "tori")
    ann.send("typing", room="general")
    tori.until("-- ann-tori is typing")
    ann.say("general", "hello @tori")
    tori.until("* ann-tori: hello @tori")
    ann.say("loft", "and @tori")
    tori.until("-- ann-tori mentions you: /join loft")
    ann.ask("create", "created", room="tower", private=True)
    ann.join("tower")
    ann.ask("command", "done", room="tower", verb="invite", user="tori")
    tori.until("-- ann-tori invites you: /join tower")
    tori.ask("/join tower", "-- you are in tower")
    tori.ask("/leave", "-- you are no longer in tower")
    ann.say("loft", "unread, until it is shown")
    tori.ask("/join loft", "-- you are in loft")
    tori.type("/rooms")
    while "general" not in (listed := tori.until("-- ")[-1]):
        pass
    assert "loft" in listed
    assert "loft (" not in listed


def test_what_is_gone_and_what_was_left_elsewhere_is_said(sit_down: Any, replica: Any, redis: Any) -> None:
    ann, tex = replica.guest("ann-tex", "wide"), sit_down(replica, "tex")
    tex.ask("/join wide", "-- you are in wide")
    ann.say("wide", "heard")
    tex.until("ann-tex: heard")
    redis.incrby("chat:{wide}:seq", 20_000)
    ann.send("say", room="wide", text="long after")
    tex.until("ann-tex: long after")
    tex.until("-- you were away for long: the oldest messages of wide that you missed are not kept any more")
    token = (tex.state / "concurrency-lab" / "chat-tex.token").read_text()
    replica.guest("tex", "wide", token=token).ask("leave", "left", room="wide")
    tex.until("-- you are no longer in wide: you left it on another device")


def test_help_is_shown_once_and_mistakes_are_explained(sit_down: Any, replica: Any) -> None:
    tod = sit_down(replica, "tod")
    while not tod.until("-- ")[-1].endswith("/quit"):
        pass
    tod.type("/join general")
    tod.type("/ban tod abc")
    assert tod.until("-- type /ban NAME SECONDS") == ["-- you are in general", "-- type /ban NAME SECONDS"]
    tod.ask("/me waves", "-- there is no /me: /help lists what there is")
    tod.ask("/join nowhere", "-- there is no room 'nowhere'")
    tod.type("still in general")
    tod.until("tod: still in general")
    tod.ask("/help", "-- /join ROOM or @NAME · ")


def test_an_outage_of_redis_ends_nobody_and_loses_nothing(
    sit_down: Any, start_replica: Any, patience: Any
) -> None:
    alone = start_replica()
    tara = sit_down(alone, "tara")
    alone.server.kill()
    tara.ask("during", "-- the service is not well: what you say waits")
    alone.ask("PUT", "/lab/faults", {"faults": {"drop-connection": 1.0}})
    tara.until("-- not connected")
    alone.ask("PUT", "/lab/faults", {"faults": {"drop-connection": 0}})
    patience(lambda: alone.metric("chat_refused_total", "unavailable") >= 4)  # it says hello in vain
    alone.server.start()
    tara.until("-- connected again")
    tara.until("tara: during")
    assert tara.process.poll() is None


def run(arguments: list[str], state: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lab")), "chat", *arguments]
    nobody = os.environ | {"XDG_STATE_HOME": str(state)}
    return subprocess.run(command, env=nobody, input=typed, capture_output=True, text=True, timeout=30)


def test_who_has_another_s_name_is_told_so(replica: Any, tmp_path: Path) -> None:
    replica.sign_in("tamara")
    ended = run(["--name", "tamara", "--url", replica.url], tmp_path)
    assert ended.returncode == 1
    assert ended.stderr == "'tamara' is taken: choose another, or come back with your token\n"


def test_what_is_piped_in_is_said(replica: Any, tmp_path: Path) -> None:
    ann = replica.guest("ann-pipes", "general")
    assert run(["--name", "tilda", "--url", replica.url], tmp_path, "from a pipe\n").returncode == 0
    ann.until("message", user="tilda", text="from a pipe")


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:1", "http://[", "{redis}"])
def test_a_wrong_address_is_one_sentence(url: str, replica: Any, tmp_path: Path) -> None:
    address = url.format(redis=replica.server.url.replace("redis", "http").removesuffix("/0"))
    ended = run(["--name", "tony", "--url", address], tmp_path)
    assert ended.returncode == 1
    assert ended.stderr.count("\n") == 1
    assert "--url" in ended.stderr
