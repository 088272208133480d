"""Two people in two real browsers: a message, typing, a file, and a kick."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

SECONDS = 20.0
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        not (BROWSER and DRIVER),
        reason="no Chromium here, so nobody opened the chat's page: apt-get install chromium chromium-driver",
    ),
]


class Window:
    """One browser, with somebody in front of it."""

    def __init__(self, folder: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = str(BROWSER)
        for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                         "--window-size=1200,800", f"--user-data-dir={folder}"):  # fmt: skip
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, Service(str(DRIVER)))

    def open(self, url: str) -> None:
        """The page, as somebody sees it who was never here."""
        self.driver.get(url)
        self.driver.execute_script("localStorage.clear()")
        self.driver.get(url)

    def find(self, selector: str) -> Any:
        return self.until(lambda: self.driver.find_element(By.CSS_SELECTOR, selector))

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
        return list(self.driver.execute_script(script, selector))

    def until[T](self, ask: Callable[[], T]) -> T:
        return WebDriverWait(self.driver, SECONDS, 0.05).until(lambda driver: ask())

    def sign_in(self, name: str) -> None:
        self.find("#name").send_keys(name, Keys.ENTER)
        self.until(lambda: self.texts("#state") == ["connected"])
        self.until(lambda: self.texts("#room") == ["#general"])

    def enter(self, room: str) -> None:
        self.find("#enter-name").send_keys(room, Keys.ENTER)
        self.until(lambda: self.texts("#room") == [f"#{room}"])

    def say(self, text: str) -> None:
        self.find("#text").send_keys(text, Keys.ENTER)

    def messages(self) -> list[str]:
        return self.texts("#messages .text")

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@pytest.fixture(scope="module")
def browsers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Window, Window]]:
    with ExitStack() as ends:
        opened = [Window(tmp_path_factory.mktemp(name)) for name in ("one", "other")]
        for window in opened:
            ends.callback(window.driver.quit)
        yield opened[0], opened[1]


@pytest.fixture
def windows(browsers: tuple[Window, Window], replica: Any) -> tuple[Window, Window]:
    for window in browsers:
        window.open(replica.url)
    return browsers


def test_two_people_in_two_browsers(windows: tuple[Window, Window], tmp_path: Path, replica: Any) -> None:
    ann, bob = windows
    ann.sign_in("ann")
    bob.sign_in("bob")
    ann.enter("two-browsers")
    bob.enter("two-browsers")
    bob.until(lambda: ann.texts("#people li > span:first-child") == ["ann", "bob"])

    ann.find("#text").send_keys("hel")
    bob.until(lambda: bob.texts("#typing") == ["ann is typing…"])
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

    ann.say("/kick bob")
    bob.until(lambda: bob.texts("#notice") == ["You are no longer in two-browsers: kick by ann."])
    ann.until(lambda: ann.texts("#messages .event") == ["ann kicked bob"])
    assert ann.errors() == bob.errors() == []


def test_the_page_resumes_where_it_was(windows: tuple[Window, Window], replica: Any) -> None:
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
    replica.start()
    for window in windows:
        window.until(lambda window=window: window.texts("#state") == ["connected"])
        window.until(lambda window=window: window.messages() == ["before the tunnel", "in the tunnel"])
