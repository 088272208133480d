"""The background load's visitor: whatever a service answers, that is a visit which failed, and no more."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from random import Random

import pytest

from lab.load.gentle import GentleVisitor
from lab_kit.visits import VisitFailed


class Garbled(BaseHTTPRequestHandler):
    """Says that it sends JSON, and does not."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "3")
        self.end_headers()
        self.wfile.write(b"{{{")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Garbled) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_answer_that_is_no_json_is_a_visit_that_failed() -> None:
    with (
        served() as url,
        closing(GentleVisitor(url, url, threading.Event(), Random(1))) as visitor,
        pytest.raises(VisitFailed, match="GET /ready: 200, no JSON"),
    ):
        visitor.ask("GET", "/ready")
