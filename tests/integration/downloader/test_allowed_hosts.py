"""Only allowed hosts are fetched from: also after a redirect, and by every address that a name has."""

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, StartDownloader, Web

SIZE = 3 * 1024 * 1024
PRIVATE = [
    "localhost",
    "127.0.0.1",
    "2130706433",
    "0x7f000001",
    "127.1",
    "0.0.0.0",
    "[::1]",
    "[::ffff:127.0.0.1]",
]


@pytest.fixture(scope="module")
def service(start_downloader: "StartDownloader") -> "Downloader":
    """A service that may fetch from any public host."""
    return start_downloader(lab_allowed_hosts="*", downloader_retry_total=1)


@pytest.fixture
def bystander() -> Iterator[socket.socket]:
    """A server on this machine that nobody must connect to."""
    with socket.socket(socket.AF_INET6) as listener:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", 0))
        listener.listen()
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


def refusal(service: "Downloader", url: str) -> str:
    """Why the service did not fetch it."""
    answer = service.ask("POST", "/v1/downloads", {"url": url})
    if answer.status != 202:
        assert answer.status == 403
        return str(answer.body["detail"])
    (end,) = service.ended([answer.body["id"]])
    assert (end["state"], end["received"], end["retries"]) == ("failed", 0, 0), end
    return str(end["error"])


@pytest.mark.parametrize("host", PRIVATE)
def test_an_address_that_is_not_public_is_refused_however_it_is_written(
    service: "Downloader", bystander: socket.socket, host: str
) -> None:
    port = bystander.getsockname()[1]
    assert "not a public address" in refusal(service, f"http://{host}:{port}/secret")


@pytest.mark.parametrize("host", PRIVATE)
def test_a_redirect_to_an_address_that_is_not_public_is_refused(
    service: "Downloader", web: "Web", bystander: socket.socket, host: str
) -> None:
    port, fired = bystander.getsockname()[1], web.fired("redirect-host")
    url = web.file(f"leads-{host.strip('[]')}", query=f"redirect-host=1&to={host}:{port}")
    assert "not a public address" in refusal(service, url)
    assert web.fired("redirect-host") == fired + 1


def test_a_redirect_to_another_host_that_is_allowed_is_followed(service: "Downloader", web: "Web") -> None:
    url = web.file("moved", SIZE, query="redirect-host=1&to=b.lab.test")
    (end,) = service.ended(service.create(url))
    assert (end["state"], end["url"]) == ("done", url)
    assert service.is_right({**end, "url": web.file("moved", SIZE, domain="b")})


def test_a_redirect_to_a_host_that_is_not_allowed_is_refused(
    start_downloader: "StartDownloader", web: "Web"
) -> None:
    strict = start_downloader(lab_allowed_hosts="a.lab.test", downloader_retry_total=1)
    assert "LAB_ALLOWED_HOSTS" in refusal(strict, web.file("strict", query="redirect-host=1&to=b.lab.test"))
    assert "LAB_ALLOWED_HOSTS" in refusal(strict, web.file("strict", domain="b"))
    (end,) = strict.ended(strict.create(web.file("strict", query="redirect=3")))
    assert strict.is_right(end)


def test_a_redirect_without_end_is_refused(service: "Downloader", web: "Web") -> None:
    assert "redirects" in refusal(service, web.file("loop", query="redirect-loop=3"))
    assert "redirects" in refusal(service, web.file("far", query="redirect=6"))
