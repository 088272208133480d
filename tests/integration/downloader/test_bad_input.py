"""Bad input gets a 4xx with a problem body (RFC 9457), and changes nothing."""

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.downloader.conftest import Answer, Downloader, StartDownloader, Web

GOOD = "http://a.lab.test/files/100/good"
BAD_URLS = [
    "",
    "good",
    "//a.lab.test/files/100/good",
    "ftp://a.lab.test/good",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "http://",
    "http:///files/100/good",
    "http://a.lab.test:99999/good",
    "http://a.lab.test:0/good",
    "http://a.lab.test:port/good",
    "http://[::1/good",
    "http://user:secret@a.lab.test/good",
    "http://a lab.test/good",
    "http://a.lab.test\x00.example/good",
    "http://a.lab.test\\@elsewhere.example/good",
    "http://a.lab.test/" + "a" * 5000,
    "\ud800",
    7,
    None,
    ["http://a.lab.test/good"],
]
BAD_FIELDS = [
    {"destination": "../../etc/passwd"},
    {"id": "mine"},
    {"sha256": "abc"},
    {"sha256": "g" * 64},
    {"sha256": 5},
    {"priority": 101},
    {"priority": "high"},
    {"priority": 0.5},
    {"name": "a" * 256},
    {"name": "line\nbreak"},
    {"name": "nul\0"},
    {"name": 5},
]
BAD_BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "no UTF-8": b'{"url": "\xff\xfe"}',
    "null": b"null",
    "a number": b"5",
    "an empty list": b"[]",
    "an empty object": b"{}",
    "a list of lists": b"[[]]",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "a long list": json.dumps([{"url": GOOD}] * 1001).encode(),
    "a huge string": b'{"url": "' + b"a" * (16 << 20) + b'"}',
}


def state(service: "Downloader") -> object:
    """All that a request could have changed."""
    keys = sorted(service.redis.keys("lab:down*") + service.redis.keys("lab:files*"))
    records = service.redis.hgetall("lab:downloader:records")
    return service.all(), keys, records, service.files(), sorted((service.folder / "data").rglob("*"))


@pytest.fixture
def unchanged(service: "Downloader", patience: Callable[..., Any]) -> Iterator[None]:
    """The state before is the state after."""
    if not service.all():
        service.ended(service.create(GOOD))
        patience(lambda: service.redis.zcard("lab:downloader:finished") == 1 and service.files())
    before = state(service)
    yield
    assert state(service) == before


def is_problem(answer: "Answer", *statuses: int) -> bool:
    assert answer.status in statuses, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == answer.status
    assert answer.body["type"] == "about:blank"
    assert answer.body["title"]
    assert answer.body["detail"]
    assert len(json.dumps(answer.body)) < 20_000, "the answer repeats a large request"
    return True


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("url", BAD_URLS, ids=lambda url: ascii(url)[:40])
def test_a_bad_address(service: "Downloader", url: object) -> None:
    assert is_problem(service.ask("POST", "/v1/downloads", json.dumps({"url": url}).encode()), 422)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("fields", BAD_FIELDS, ids=lambda fields: ascii(fields)[:40])
def test_a_bad_field(service: "Downloader", fields: dict[str, Any]) -> None:
    answer = service.ask("POST", "/v1/downloads", {"url": GOOD, **fields})
    assert is_problem(answer, 422)
    assert next(iter(fields)) in answer.body["detail"], "it does not say which field"


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("body", BAD_BODIES)
def test_a_bad_body(service: "Downloader", body: str) -> None:
    assert is_problem(service.ask("POST", "/v1/downloads", BAD_BODIES[body]), 400, 413, 422)
    assert service.ask("GET", "/ready").status == 200


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("bad", ["ftp://a.lab.test/x", "http://elsewhere.example/x", "http://"])
def test_one_bad_download_of_a_list_refuses_all(service: "Downloader", bad: str) -> None:
    wanted = [{"url": GOOD}] * 5 + [{"url": bad}] + [{"url": GOOD}] * 5
    assert is_problem(service.ask("POST", "/v1/downloads", wanted), 403, 422)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "url",
    [
        "http://elsewhere.example/file",
        "http://127.0.0.1:1/file",
        "http://localhost/file",
        "http://lab.test/file",
        "http://a.lab.test.example/file",
        "http://alab.test/file",
        "http://[::1]/file",
        "http://0x7f000001/file",
        "http://169.254.169.254/latest/meta-data",
    ],
)
def test_a_host_that_is_not_allowed(service: "Downloader", url: str) -> None:
    answer = service.ask("POST", "/v1/downloads", {"url": url})
    assert is_problem(answer, 403)
    assert "LAB_ALLOWED_HOSTS" in answer.body["detail"]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/downloads?limit=0", 422),
        ("/v1/downloads?limit=1001", 422),
        ("/v1/downloads?limit=many", 422),
        ("/v1/downloads?state=lost", 422),
        ("/v1/downloads?after=nobody", 404),
        ("/v1/downloads/nobody", 404),
        ("/v1/downloads/nobody/events", 404),
        ("/v1/files/nobody", 404),
        ("/v1/files/..%2F..%2Flog", 404),
        ("/v1/files/%00", 404),
        ("/v1/nothing", 404),
    ],
)
def test_a_question_without_an_answer(service: "Downloader", path: str, status: int) -> None:
    assert is_problem(service.ask("GET", path), status)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/downloads/nobody/pause", 404),
        ("POST", "/v1/downloads/nobody/resume", 404),
        ("POST", "/v1/downloads/nobody/cancel", 404),
        ("DELETE", "/v1/downloads/nobody", 404),
        ("DELETE", "/v1/downloads", 405),
        ("PUT", "/v1/downloads", 405),
        ("PUT", "/lab/faults", 422),
    ],
)
def test_a_change_of_what_is_not_there(service: "Downloader", method: str, path: str, status: int) -> None:
    assert is_problem(service.ask(method, path), status)


def test_a_list_that_finds_no_room_leaves_nothing(
    start_downloader: "StartDownloader", web: "Web", patience: Callable[..., Any]
) -> None:
    service = start_downloader(downloader_queue=5)
    assert is_problem(service.ask("POST", "/v1/downloads", [{"url": web.file("no-room", 10)}] * 200), 429)
    patience(lambda: service.metric("downloader_downloads") == 0)
    assert service.all() == []
    assert not service.redis.exists("lab:downloader:records", "lab:downloader:finished", "lab:files")
    patience(lambda: not [path for path in (service.folder / "data").rglob("*") if path.is_file()])


def test_a_name_never_becomes_a_path(service: "Downloader", web: "Web") -> None:
    names = ["../../escaped", "/tmp/escaped", "..", "CON", "a/b", 'quo"te', "snow☃man"]
    job_ids = [service.create(web.file("named"), name=name)[0] for name in names]
    service.ended(job_ids)
    for job_id, name in zip(job_ids, names, strict=True):
        answer = service.ask("GET", f"/v1/files/{job_id}")
        disposition = answer.headers["content-disposition"]
        assert (answer.status, len(answer.body), service.look(job_id)["name"]) == (200, 65536, name)
        assert disposition.startswith("attachment; filename")
        assert '"te' not in disposition
        assert (service.folder / "data" / "files" / job_id).is_file()
    assert not list(service.folder.rglob("*escaped*"))
