"""One person and the page: rooms, older messages, links, and the service's bad days."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import pack
from typing import Any

import pytest
from selenium.webdriver.common.keys import Keys
from tests.integration.chat.window import Window, needs_browser, opened

pytestmark = [pytest.mark.timeout(180), needs_browser]


def picture() -> bytes:
    """A PNG of one pixel."""
    parts = [
        (b"IHDR", pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0\0")),
        (b"IEND", b""),
    ]
    chunks = (
        pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    with opened(tmp_path_factory.mktemp("browser"), 1) as (window,):
        yield window


@pytest.fixture
def window(browser: Window, replica: Any) -> Window:
    browser.open(replica.url)
    return browser


def test_a_room_is_made_only_if_one_wants_it(window: Window) -> None:
    window.sign_in("pia")
    window.ask_for("#tae")
    window.until(window.is_asked)
    window.find("#make button:last-child").click()
    window.find("#text").click()
    assert window.texts("#room") == ["#general"]
    window.ask_for("My Room")
    window.until(lambda: window.texts("#notice")[0].startswith("A room's name has"))
    window.enter("cocoa")
    window.go("general")
    window.ask_for("general")  # where one is
    window.ask_for("cocoa")  # where one has been
    window.sees("#room", "#cocoa")
    assert window.errors() == []


def test_a_private_room_lets_in_who_is_invited(window: Window, replica: Any) -> None:
    paul, max_ = replica.guest("paul"), replica.guest("max")
    window.sign_in("petra")
    window.ask_for("snug")
    window.until(window.is_asked)
    window.click("#make-private")
    window.find("#make button[value=make]").click()
    window.sees("#room", "#snug")
    assert paul.answer("join", room="snug")["code"] == "forbidden"
    window.find("#invite-name").send_keys("paul\n")
    paul.until("notice", why="invited", room="snug")
    paul.join("snug")
    window.sees("#people .who", "paul", "petra")
    assert max_.answer("join", room="snug")["code"] == "forbidden"


def test_who_comes_or_goes_while_the_list_of_people_is_on_its_way_is_not_forgotten(window: Window) -> None:
    seen = window.driver.execute_async_script("""
        const done = arguments[0], person = (user) => [user, { user, state: "online", role: "owner" }];
        import("/rooms.js").then(({ Room }) => {
          const room = new Room("snug", "petra");
          room.hear("long gone", "left");
          const asked = performance.now() + 1;
          while (performance.now() < asked) {}
          room.hear("paul", "online");
          room.hear("max", "left");
          room.setPeople(new Map([person("petra"), person("max"), person("long gone")]), asked);
          done([...room.people.keys()].sort());
        }, done);
    """)
    assert seen == ["long gone", "paul", "petra"]


def test_who_is_invited_needs_only_to_click(window: Window, replica: Any) -> None:
    paula = replica.guest("paula")
    paula.ask("create", "created", room="garret", private=True)
    paula.join("garret")
    window.sign_in("pascal")
    paula.ask("command", "done", room="garret", verb="invite", user="pascal")
    window.until(lambda: window.texts("#notice")[0].startswith("paula invites you to #garret."))
    window.click("#notice button")
    window.sees("#room", "#garret")


def test_older_messages_are_those_of_now(window: Window, replica: Any) -> None:
    ann = replica.guest("ann-old", "old")
    gone, first = ann.say("old", "gone"), ann.say("old", "v0")
    ann.ask("delete", "ack", room="old", id=gone)
    for text in ("v1", "v2"):
        ann.ask("edit", "ack", room="old", id=first, text=text)
    for number in range(60):
        ann.say("old", f"m{number}")
    window.sign_in("pete")
    window.enter("old")
    window.until(lambda: window.messages()[-1:] == ["m59"])
    window.click("#older")
    window.until(lambda: window.messages() == ["v2", *(f"m{number}" for number in range(60))])
    window.until(lambda: not window.find("#older").is_displayed())


def test_there_is_nothing_older_than_the_first_that_is_left(window: Window, replica: Any) -> None:
    ann = replica.guest("ann-few", "few")
    ann.ask("delete", "ack", room="few", id=ann.say("few", "gone"))
    ann.say("few", "left")
    window.sign_in("pius")
    window.enter("few")
    window.until(lambda: window.messages() == ["left"])
    assert not window.find("#older").is_displayed()


def test_what_is_selected_stays_so(window: Window, replica: Any) -> None:
    ann = replica.guest("ann-selects", "selects")
    ann.say("selects", "keep me")
    window.sign_in("paco")
    window.enter("selects")
    window.until(lambda: window.messages() == ["keep me"])
    window.driver.execute_script(
        "getSelection().selectAllChildren(document.querySelector('#messages .text'))"
    )
    ann.say("selects", "something new")
    window.until(lambda: window.messages() == ["keep me", "something new"])
    assert window.driver.execute_script("return String(getSelection())") == "keep me"


def test_links_can_be_followed_and_are_only_links(window: Window, replica: Any) -> None:
    ann = replica.guest("ann-links", "links")
    ann.say("links", "see https://example.org/a?b=<c>, (http://example.net) javascript:alert(1)")
    window.sign_in("pola")
    window.enter("links")
    script = (
        "return [...document.querySelectorAll('#messages a')].map((one) => [one.href, one.rel, one.target])"
    )
    links = window.until(lambda: window.driver.execute_script(script))
    safe = ["noopener noreferrer nofollow", "_blank"]
    assert links == [["https://example.org/a?b=", *safe], ["http://example.net/", *safe]]


def test_pictures_are_shown_and_nothing_else(window: Window, tmp_path: Path, replica: Any) -> None:
    window.sign_in("pixie")
    window.enter("pictures")
    for name, data in (("dot.png", picture()), ("page.txt", b"<img src=x>"), ("broken.png", b"<svg/>")):
        (tmp_path / name).write_bytes(data)
        window.find("#file").send_keys(str(tmp_path / name))
        window.until(lambda name=name: any(name in text for text in window.texts("#messages a.file")))
    script = "return [...document.querySelectorAll('#messages img')].map((one) => one.naturalWidth)"
    window.until(lambda: window.driver.execute_script(script) == [1])


def test_the_name_is_remembered_until_one_signs_out(window: Window) -> None:
    window.sign_in("penny")
    window.reload()
    window.sees("#me", "penny")
    window.click("#sign-out")
    window.until(lambda: window.find("#sign-in").is_displayed())
    window.sign_in("penny")  # it is still hers


def test_when_somebody_was_last_seen_is_said(window: Window, replica: Any) -> None:
    guest = replica.guest("ann-gone", "gone")
    window.sign_in("perry")
    window.enter("gone")
    window.sees("#people small", "owner, online", "online")
    guest.leave()
    window.until(lambda: any(text.startswith("owner, last seen ") for text in window.texts("#people small")))


def test_commands_are_explained_here(window: Window, replica: Any) -> None:
    window.sign_in("pam")
    window.say("/ban pam abc")
    window.sees("#notice", "Write /ban NAME SECONDS.")
    window.find("#text").clear()
    window.say("/me waves")
    window.sees("#notice", "There is no /me. /help lists what there is.")


def test_an_outage_of_redis_delays_but_loses_nothing(window: Window, start_replica: Any) -> None:
    alone = start_replica()
    window.open(alone.url)
    window.sign_in("paddy")
    window.say("before")
    window.until(lambda: window.messages() == ["before"])
    alone.server.kill()
    window.say("during")
    window.sees("#state", "connected; messages wait, and are sent again")
    assert window.texts("#notice") == [""]
    alone.server.start()
    window.until(lambda: window.messages() == ["before", "during"])
    window.sees("#state", "connected")


def test_who_comes_back_during_an_outage_keeps_trying(window: Window, start_replica: Any) -> None:
    alone = start_replica()
    window.open(alone.url)
    window.sign_in("poppy")
    alone.server.kill()
    alone.ask("PUT", "/lab/faults", {"faults": {"drop-connection": 1.0}})
    window.until(lambda: window.texts("#state")[0].startswith("reconnecting"))
    alone.ask("PUT", "/lab/faults", {"faults": {"drop-connection": 0}})
    window.say("during")
    window.until(lambda: alone.metric("chat_refused_total", "unavailable") >= 2)
    alone.server.start()
    window.sees("#state", "connected")
    window.until(lambda: window.messages() == ["during"])


def test_who_was_away_for_too_long_is_told_so(window: Window, replica: Any, redis: Any) -> None:
    ann = replica.guest("ann-away", "long-away")
    window.sign_in("polly")
    window.enter("long-away")
    ann.say("long-away", "heard")
    window.until(lambda: window.messages() == ["heard"])
    redis.incrby("chat:{long-away}:seq", 20_000)
    ann.send("say", room="long-away", text="long after")
    window.until(lambda: window.messages() == ["heard", "long after"])
    window.until(lambda: window.texts("#notice")[0].startswith("You were away for long."))
    window.until(lambda: window.texts("#messages .cut .text") == ["long after"])


def test_who_leaves_on_another_device_is_told_so(window: Window, replica: Any) -> None:
    window.sign_in("pamela")
    window.enter("elsewhere")
    token = window.driver.execute_script("return localStorage.getItem('token:pamela')")
    replica.guest("pamela", "elsewhere", token=token).ask("leave", "left", room="elsewhere")
    window.sees("#notice", "You left #elsewhere on another device.")
    window.sees("#room", "#general")


def test_who_is_in_no_room_and_what_is_empty_is_said(window: Window, replica: Any) -> None:
    window.sign_in("pansy")
    window.enter("bare")
    script = "return getComputedStyle(document.querySelector('#messages'), '::before').content"
    assert window.driver.execute_script(script) == '"Nothing has been said here yet."'
    for room in ("bare", "general"):
        window.go(room)
        window.say("/leave")
        window.until(lambda room=room: window.texts("#notice") == [f"You left #{room}."])
    window.sees("#room", "No room")
    window.until(lambda: window.find("#nowhere").is_displayed())
    assert not window.find("#say").is_displayed()
    window.enter("bare")
    assert window.find("#say").is_displayed()


def test_a_name_that_is_taken_is_explained_to_who_has_no_tokens(window: Window, replica: Any) -> None:
    replica.sign_in("pearl")
    window.find("#name").send_keys("pearl", Keys.ENTER)
    window.until(lambda: window.texts("#sign-in-error")[0].startswith("The name pearl is taken."))


def test_what_was_read_is_read_although_one_reloads_at_once(window: Window, replica: Any) -> None:
    ann = replica.guest("ann-quick", "quick")
    window.sign_in("peggy")
    window.enter("quick")
    ann.say("quick", "read at once")
    window.until(lambda: window.messages() == ["read at once"])
    token = window.driver.execute_script("return localStorage.getItem('token:peggy')")
    window.driver.get("about:blank")
    (known,) = [one for one in replica.guest("peggy", token=token).welcome["rooms"] if one["room"] == "quick"]
    assert known["unread"] == 0
