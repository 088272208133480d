"""One browser, with somebody in front of it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

__all__ = ["Window", "needs_browser", "opened"]

SECONDS = 20.0
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="no Chromium here, so nobody opened the chat's page: apt-get install chromium chromium-driver",
)
HIDE = """
Object.defineProperty(document, "hidden", { configurable: true, get: () => arguments[0] });
document.dispatchEvent(new Event("visibilitychange"));
"""
NO_LONG_WAIT = "const later = setTimeout; window.setTimeout = (act, ms) => later(act, ms > 60000 ? 0 : ms);"


class Window:
    """What somebody does on the page, and sees there."""

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
        self.driver.get("about:blank")
        kept = {"origin": url, "storageTypes": "local_storage"}
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", kept)
        self.driver.get(url)

    def reload(self) -> None:
        self.driver.refresh()
        self.until(lambda: self.texts("#state") == ["connected"])

    def find(self, selector: str) -> Any:
        return self.until(lambda: self.driver.find_element(By.CSS_SELECTOR, selector))

    def click(self, selector: str) -> None:
        """As somebody does who finds it, wherever it is."""
        self.driver.execute_script("arguments[0].click()", self.find(selector))

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
        return list(self.driver.execute_script(script, selector))

    def until[T](self, ask: Callable[[], T]) -> T:
        return WebDriverWait(self.driver, SECONDS, 0.05).until(lambda driver: ask())

    def sees(self, selector: str, *texts: str) -> None:
        """Wait until these are the texts of what `selector` finds."""
        self.until(lambda: self.texts(selector) == list(texts))

    def sign_in(self, name: str) -> None:
        self.find("#name").send_keys(name, Keys.ENTER)
        self.sees("#state", "connected")
        self.sees("#room", "#general")

    def enter(self, room: str) -> None:
        """Join it; make it if there is none."""
        self.ask_for(room)
        self.until(lambda: self.is_asked() or self.texts("#room") == [f"#{room}"])
        if self.is_asked():
            self.find("#make button[value=make]").click()
        self.sees("#room", f"#{room}")

    def ask_for(self, room: str) -> None:
        self.find("#enter-name").send_keys(room, Keys.ENTER)

    def is_asked(self) -> bool:
        return bool(self.driver.execute_script("return document.querySelector('#make').open"))

    def go(self, room: str) -> None:
        """Choose it in the list."""
        self.click(f"#rooms [data-room='{room}']")
        self.until(lambda: self.texts("#rooms [aria-current=true] > span:first-child") == self.texts("#room"))

    def say(self, text: str) -> None:
        self.find("#text").send_keys(text, Keys.ENTER)

    def messages(self) -> list[str]:
        return self.texts("#messages .text")

    def badge(self, room: str) -> list[str]:
        """What is unread in it, in numbers."""
        return [text.split()[0] for text in self.texts(f"#rooms [data-room='{room}'] .badge")]

    def hide(self, hidden: bool) -> None:
        """Look at something else, or here again."""
        self.driver.execute_script(HIDE, hidden)

    def skip_long_waits(self) -> None:
        """On pages opened from now on, what would come in a minute or more comes now."""
        self.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NO_LONG_WAIT})

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]


@contextmanager
def opened(folder: Path, number: int) -> Iterator[list[Window]]:
    """So many browsers."""
    with ExitStack() as ends:
        windows: list[Window] = []
        for index in range(number):
            windows.append(Window(folder / str(index)))
            ends.callback(windows[-1].driver.quit)
        yield windows
