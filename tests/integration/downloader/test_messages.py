"""Jobs that arrive on `lab:downloads`, and what is told on `lab:files`."""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lab_kit.messages import FileRef, Message

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Downloader, Web

type Patience = Callable[..., Any]


def wanted(url: str, **body: Any) -> Message:
    return Message("download.wanted", {"url": url, **body})


def test_a_message_becomes_a_file_that_others_can_fetch(
    service: "Downloader", web: "Web", patience: Patience
) -> None:
    url, size = web.file("arrives", 300_000), 300_000
    service.send(message := wanted(url, name="a name"))
    (told,) = patience(lambda: service.files().get(url))
    reference = FileRef.model_validate(told)
    path = reference.url.removeprefix(service.url)
    assert (told["type"], told["trace"], told["name"]) == ("file.ready", message.trace, "a name")
    assert reference.url.startswith(service.url)
    whole = service.ask("GET", path).body
    assert (len(whole), hashlib.sha256(whole).hexdigest()) == (size, reference.sha256)
    part = service.ask("GET", path, headers={"Range": "bytes=1000-1999"})
    assert (part.status, part.body) == (206, whole[1000:2000])
    patience(lambda: service.pending() == 0)


def test_the_same_message_twice_is_one_file(service: "Downloader", web: "Web", patience: Patience) -> None:
    url, message = web.file("twice"), wanted(web.file("twice"))
    service.send(message)
    service.send(message)
    service.send(wanted(web.file("after-twice")))
    patience(lambda: service.files().get(web.file("after-twice")) and service.pending() == 0)
    assert len(service.files()[url]) == 1
    assert sum(one["url"] == url for one in service.all()) == 1


def test_a_message_that_can_never_succeed_is_buried_with_the_reason(
    service: "Downloader", web: "Web", patience: Patience
) -> None:
    hopeless = {
        "not a message": "{ this is no JSON",
        "url": Message("download.wanted", {"uri": "http://a.lab.test/"}),
        "no http or https URL": wanted("ftp://a.lab.test/files/1/x"),
        "not allowed": wanted("http://elsewhere.example/file"),
        "404": wanted("http://a.lab.test/nothing"),
        "as promised": wanted(web.file("other"), sha256="0" * 64),
    }
    buried = len(service.graves())
    entries = [service.send(message) for message in hopeless.values()]
    patience(lambda: len(service.graves()) == buried + len(hopeless), 40)
    reasons = {grave["entry"]: grave["reason"] for grave in service.graves()}
    for entry, words in zip(entries, hopeless, strict=True):
        assert words in reasons[entry], reasons[entry]
    patience(lambda: service.pending() == 0)
    assert not service.files().get(web.file("other")), "a file with the wrong checksum was announced"


def test_a_cancelled_download_buries_its_message(
    service: "Downloader", web: "Web", patience: Patience
) -> None:
    web.faults(stall=1)
    entry = service.send(wanted(web.file("unwanted")))
    (job_id,) = patience(lambda: [one["id"] for one in service.all() if one["url"] == web.file("unwanted")])
    assert service.ask("POST", f"/v1/downloads/{job_id}/cancel").body["state"] == "cancelled"
    patience(lambda: entry in [grave["entry"] for grave in service.graves()])


def test_a_message_is_acknowledged_after_the_work_also_over_a_kill(
    service: "Downloader", web: "Web", patience: Patience
) -> None:
    patience(lambda: service.pending() == 0)
    url = web.file("killed", 1_500_000)
    web.faults(stall=1)
    service.send(wanted(url))
    patience(lambda: any(one["url"] == url and one["state"] == "active" for one in service.all()))
    assert service.pending() == 1
    service.kill()
    web.faults()
    service.start()
    (told,) = patience(lambda: service.files().get(url))
    patience(lambda: service.pending() == 0)
    assert (told["size"], told["sha256"]) == (1_500_000, service.look(told["id"])["sha256"])
    assert sum(one["url"] == url for one in service.all()) == 1


def test_a_message_that_comes_again_after_its_file_is_told_once(
    service: "Downloader", web: "Web", patience: Patience
) -> None:
    """A consumer that died between the work and the acknowledgement: the message is delivered once more."""
    url, message = web.file("redelivered"), wanted(web.file("redelivered"))
    service.send(message)
    patience(lambda: service.files().get(url) and service.pending() == 0)
    service.kill()
    entry = service.send(message)
    service.redis.xreadgroup("downloader", "downloader", {"lab:downloads": ">"})
    assert service.pending() == 1, entry
    service.start()
    patience(lambda: service.pending() == 0)
    assert len(service.files()[url]) == 1
