"""Two people in two real browsers: a message, typing, a file, what is unread, an edit, and a kick."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from tests.integration.chat.window import Window, needs_browser, opened

pytestmark = [pytest.mark.timeout(180), needs_browser]


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Window]]:
    with opened(tmp_path_factory.mktemp("browsers"), 2) as windows:
        yield windows


@pytest.fixture
def windows(browsers: list[Window], replica: Any) -> list[Window]:
    for window in browsers:
        window.open(replica.url)
    return browsers


def test_two_people_in_two_browsers(windows: list[Window], tmp_path: Path, replica: Any) -> None:
    ann, bob = windows
    ann.sign_in("ann-here")
    bob.sign_in("bob-here")
    ann.enter("two-browsers")
    bob.enter("two-browsers")
    ann.sees("#people .who", "ann-here", "bob-here")

    ann.find("#text").send_keys("hel")
    bob.sees("#typing", "ann-here is typing…")
    ann.say("lo <b>bob</b>")
    bob.until(lambda: bob.messages() == ["hello <b>bob</b>"])
    ann.until(lambda: ann.messages() == ["hello <b>bob</b>"])
    assert bob.texts("#typing") == [""]

    shared = tmp_path / "notes.txt"
    shared.write_text("<script>alert(1)</script>")
    bob.find("#file").send_keys(str(shared))
    link = ann.until(lambda: ann.driver.find_elements(By.CSS_SELECTOR, "a.file"))[0]
    assert "notes.txt" in link.text
    status, body = replica.ask("GET", link.get_attribute("href").removeprefix(replica.url))
    assert (status, body) == (200, b"<script>alert(1)</script>")

    ann.say("/kick bob-here")
    bob.sees("#notice", "ann-here put you out of #two-browsers.")
    ann.sees("#messages .event", "ann-here kicked bob-here")
    assert ann.errors() == bob.errors() == []


def test_who_stops_typing_is_not_shown_as_typing(windows: list[Window]) -> None:
    ann, bob = windows
    ann.sign_in("ann-types")
    bob.sign_in("bob-types")
    ann.enter("hands")
    bob.enter("hands")
    ann.find("#text").send_keys("hm")
    bob.sees("#typing", "ann-types is typing…")
    bob.sees("#typing", "")


def test_what_is_unread_is_counted_until_it_is_read(windows: list[Window], redis: Any) -> None:
    ann, bob = windows
    ann.sign_in("ann-counts")
    bob.sign_in("bob-counts")
    ann.enter("badges")
    ann.say("read by bob")
    bob.enter("badges")
    bob.until(lambda: bob.messages() == ["read by bob"])
    bob.go("general")
    ann.say("one")
    ann.say("two, @bob-counts")
    bob.until(lambda: bob.badge("badges") == ["2"])
    assert bob.driver.title.startswith("(2) ")
    bob.reload()
    bob.until(lambda: bob.badge("badges") == ["2"])
    bob.go("badges")
    bob.until(lambda: bob.messages() == ["read by bob", "one", "two, @bob-counts"])
    assert bob.badge("badges") == []
    bob.go("general")  # which tells the service what was read
    bob.until(lambda: redis.hget("chat:user:bob-counts:read", "badges") == "3")
    bob.reload()
    bob.sees("#room", "#general")
    ann.say("three")
    bob.until(lambda: bob.badge("badges") == ["1"])


def test_what_came_while_one_was_away_is_counted_once(windows: list[Window], replica: Any) -> None:
    ann, bob = replica.guest("ann-tunnel", "tunnel"), windows[0]
    ann.say("tunnel", "before")
    bob.sign_in("bob-tunnel")
    bob.enter("tunnel")
    bob.go("general")
    replica.kill()
    bob.until(lambda: bob.texts("#state")[0].startswith(("reconnecting", "connecting")))
    replica.start()
    ann = replica.guest("ann-tunnel", "tunnel", token=ann.token)
    bob.sees("#state", "connected")
    for number in range(3):
        ann.say("tunnel", f"missed {number}")
    bob.until(lambda: bob.badge("tunnel") == ["3"])


def test_who_does_not_look_has_not_read(windows: list[Window], replica: Any) -> None:
    ann, bob = replica.guest("ann-looks", "looks"), windows[0]
    bob.skip_long_waits()
    bob.open(replica.url)
    bob.sign_in("bob-looks")
    bob.enter("looks")
    bob.hide(True)
    ann.until("presence", user="bob-looks", state="away")
    ann.say("looks", "are you there?")
    bob.until(lambda: bob.badge("looks") == ["1"])
    bob.hide(False)
    ann.until("presence", user="bob-looks", state="online")
    assert bob.badge("looks") == []


def test_what_one_said_can_be_said_otherwise(windows: list[Window]) -> None:
    ann, bob = windows
    ann.sign_in("ann-edits")
    bob.sign_in("bob-edits")
    ann.enter("rewording")
    bob.enter("rewording")
    ann.say("helo")
    bob.until(lambda: bob.messages() == ["helo"])
    ann.click("#messages .tools button:first-child")
    ann.find("#text").send_keys("!", Keys.BACKSPACE, Keys.BACKSPACE, "lo", Keys.ENTER)
    for window in windows:
        window.until(lambda window=window: window.messages() == ["hello"])
        assert window.texts("#messages .edited") == ["edited"]
    ann.click("#messages .tools button:last-child")
    bob.sees("#messages .gone", "taken back")


def test_the_page_resumes_where_it_was(windows: list[Window], replica: Any) -> None:
    ann, bob = windows
    ann.sign_in("ann-again")
    bob.sign_in("bob-again")
    ann.enter("trains")
    bob.enter("trains")
    ann.say("before the tunnel")
    bob.until(lambda: bob.messages() == ["before the tunnel"])
    replica.kill()
    bob.until(lambda: bob.texts("#state")[0].startswith(("reconnecting", "connecting")))
    ann.say("in the tunnel")
    ann.say("/kick bob-again")
    ann.sees("#notice", "Not connected: that was not sent.")
    replica.start()
    for window in windows:
        window.sees("#state", "connected")
        window.until(lambda window=window: window.messages() == ["before the tunnel", "in the tunnel"])
    assert ann.texts("#pending li") == []


def test_a_refused_message_is_not_said_later(windows: list[Window], replica: Any) -> None:
    ann, bob = replica.guest("ann-mutes", "manners"), windows[0]
    bob.sign_in("bob-muted")
    bob.enter("manners")
    ann.ask("command", "done", room="manners", verb="mute", user="bob-muted", seconds=600)
    bob.say("rude words")
    bob.until(lambda: any("you are muted" in text for text in bob.texts("#pending .refused .error")))
    ann.ask("command", "done", room="manners", verb="unmute", user="bob-muted")
    replica.kill()
    bob.until(lambda: bob.texts("#state")[0].startswith(("reconnecting", "connecting")))
    replica.start()
    bob.sees("#state", "connected")
    bob.say("kind words")
    bob.until(lambda: bob.messages() == ["kind words"])
    bob.click("#pending .tools button:last-child")
    assert bob.texts("#pending li") == []


def test_who_writes_in_private_is_heard(windows: list[Window], replica: Any) -> None:
    ann, bob = replica.guest("ann-psst"), windows[0]
    bob.sign_in("bob-psst")
    room = ann.join("@bob-psst")["room"]
    for text in ("one", "two"):
        ann.say(room, text)
    bob.until(lambda: bob.badge(room) == ["2"])
    assert bob.texts("#room") == ["#general"]
    bob.go(room)
    bob.sees("#room", "@ann-psst")
    assert bob.messages() == ["one", "two"]
