"""Whatever answers where a service should be, what is said is a sentence."""

import socket
import threading
from collections.abc import Iterator

import pytest

from lab import LabError
from lab.learner.live import Live

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"


@pytest.fixture
def stranger(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that answers one request with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            line, _ = server.accept()
            with line:
                line.recv(65536)
                line.sendall(request.param)

        answering = threading.Thread(target=answer)
        answering.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        answering.join()


@pytest.mark.parametrize(
    "stranger",
    [b"SSH-2.0-OpenSSH\r\n", HEAD + b"[]", HEAD + b"[1, 2, 3]", HEAD + b"<html/>  "],
    indirect=True,
)
def test_who_is_no_service_is_said_not_to_answer(stranger: str) -> None:
    with pytest.raises(LabError, match="tally does not answer at"):
        Live("tally", stranger).engine()
