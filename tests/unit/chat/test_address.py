"""Where a page finds the WebSocket, whatever is between them."""

import pytest
from pydantic import ValidationError

from chat.config import Settings
from chat.core.address import websocket_url


@pytest.mark.parametrize(
    ("page", "above", "found"),
    [
        ("http://127.0.0.1:8006/v1/where", 100, "ws://127.0.0.1:8106/"),
        ("http://chat.lab:18006/v1/where", 100, "ws://chat.lab:18106/"),
        ("http://chat.lab:8006/v1/where", None, "ws://chat.lab:9000/"),
        ("http://[::1]:8006/v1/where", 100, "ws://[::1]:8106/"),
        ("https://chat.example.org/v1/where", 100, "wss://chat.example.org:9000/"),
        ("https://chat.example.org:8443/v1/where", 100, "wss://chat.example.org:8543/"),
        ("http://a:b:c/v1/where", 100, "ws://127.0.0.1:9000/"),
        ("http://[/v1/where", 100, "ws://127.0.0.1:9000/"),
        ("http:///v1/where", 100, "ws://127.0.0.1:9000/"),
    ],
)
def test_it_is_on_the_same_host_and_as_safe(page: str, above: int | None, found: str) -> None:
    assert websocket_url(page, 9000, above) == found


@pytest.mark.parametrize("url", ["https://chat.example.org", "chat.example.org", "wss://"])
def test_a_public_address_is_that_of_a_websocket(url: str) -> None:
    with pytest.raises(ValidationError, match="chat_public_url"):
        Settings(chat_public_url=url)
