"""Where a page finds the WebSocket."""

from urllib.parse import urlsplit

__all__ = ["websocket_url"]

HERE = "127.0.0.1"


def websocket_url(page: str, listening: int, above: int | None) -> str:
    """For whoever asked at the URL `page`: on the same host, encrypted if that was, at the port `listening`; if it
    is known to be so much `above` the page's, at the port so much above the one that was asked."""
    try:
        asked = urlsplit(page)
        scheme, host, port = asked.scheme, asked.hostname or HERE, asked.port
    except ValueError:  # what a client says of the host is anything
        scheme, host, port = "http", HERE, None
    shown = f"[{host}]" if ":" in host else host
    number = port + above if port and above else listening
    return f"{'wss' if scheme == 'https' else 'ws'}://{shown}:{number}/"
