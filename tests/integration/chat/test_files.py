"""Files that people share: taken within limits, kept once, given back as bytes to save."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import pytest
from redis import Redis

from chat.adapters.blobs import Blobs, TooLarge
from lab_kit.streams import connect


async def pieces(*some: bytes) -> AsyncIterator[bytes]:
    for piece in some:
        yield piece


def upload(replica: Any, token: str, name: str, body: bytes) -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {token}", "x-filename": quote(name)}
    status, answer = replica.ask("POST", "/v1/files", body, headers)
    return status, answer


@pytest.fixture(scope="module")
def small(start_replica: Any) -> Any:
    return start_replica(chat_file_size=1000, chat_file_quota=2500)


def test_a_file_comes_back_whole_in_parts_and_never_as_a_page(replica: Any) -> None:
    token = replica.sign_in("ann-file")
    status, kept = upload(replica, token, "a page.txt", b"<script>0123456789")
    assert status == 201
    where = f"/v1/files/{kept['id']}"
    assert replica.ask("GET", where) == (200, b"<script>0123456789")
    assert replica.headers["content-disposition"] == "attachment; filename*=UTF-8''a%20page.txt"
    assert replica.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in replica.headers["content-security-policy"]
    assert replica.headers["content-type"].startswith("text/plain")
    assert replica.ask("GET", where, headers={"range": "bytes=8-11"}) == (206, b"0123")
    assert replica.headers["content-range"] == "bytes 8-11/18"


def test_the_same_file_is_kept_once(replica: Any) -> None:
    token = replica.sign_in("ann-once")
    ids = {upload(replica, token, f"{number}.png", b"the same")[1]["id"] for number in range(3)}
    shas = {upload(replica, token, "x.png", b"the same")[1]["sha256"]}
    assert (len(ids), len(shas)) == (3, 1)
    assert len(list((replica.folder / "data/files").glob(f"*/{shas.pop()}"))) == 1


@pytest.mark.parametrize(
    ("name", "kept"),
    [("../../etc/passwd.txt", "passwd.txt"), ("a\r\nb: c.txt", "a_b_ c.txt"), ("C:\\x\\y.png", "y.png")],
)
def test_a_name_never_becomes_a_path(replica: Any, name: str, kept: str) -> None:
    status, blob = upload(replica, replica.sign_in("ann-path", admin=True), name, b"x")
    assert (status, blob["name"]) == (201, kept)


@pytest.mark.parametrize("name", ["page.html", "code.js", "image.svg", "program.exe", "nothing"])
def test_what_a_browser_might_run_is_not_taken(replica: Any, name: str) -> None:
    status, answer = upload(replica, replica.sign_in("ann-type", admin=True), name, b"x")
    assert (status, "not shared here" in answer["detail"]) == (415, True)


def test_size_and_quota_are_bounded_and_what_is_refused_leaves_nothing(small: Any) -> None:
    token = small.sign_in("ann")
    assert upload(small, token, "large.bin.zip", b"x" * 1001)[0] == 413
    assert [upload(small, token, f"{number}.zip", bytes([number]) * 1000)[0] for number in range(3)] == [
        201,
        201,
        413,
    ]
    assert len(list((small.folder / "data/files").glob("*/*"))) == 2
    assert list((small.folder / "data/files").glob("part-*")) == []
    assert upload(small, token, "little.zip", b"x" * 400)[0] == 201


def test_what_is_refused_is_not_even_read(replica: Any, redis: Redis, tmp_path: Path) -> None:
    """So those who upload at the same time have no more on the disk than the quota, together."""
    read = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal read
        for _ in range(100):
            read += 1
            yield b"12345"

    async def share() -> None:
        async with connect(replica.server.url) as client:
            blobs = Blobs(client, tmp_path, time.time, largest=1000, quota=12, seconds=60.0)
            await blobs.take("ann-quota", "first.txt", pieces(b"123"))
            with pytest.raises(TooLarge, match="may share 12 bytes, and have shared 3"):
                await blobs.take("ann-quota", "x.txt", body())
            await blobs.take("ann-quota", "last.txt", pieces(b"123456789"))

    asyncio.run(share())
    assert read == 2
    assert redis.get("chat:quota:ann-quota") == "12"


def test_a_quota_always_ends(replica: Any, redis: Redis) -> None:
    redis.set("chat:quota:ann-ends", 5)  # as a kill between two commands would leave it
    assert upload(replica, replica.sign_in("ann-ends"), "x.txt", b"x")[0] == 201
    assert 0 < cast(int, redis.ttl("chat:quota:ann-ends")) <= 7 * 86_400


def test_a_head_says_how_long_a_file_is(replica: Any) -> None:
    _, kept = upload(replica, replica.sign_in("ann-head"), "x.txt", b"hello")
    assert replica.ask("HEAD", f"/v1/files/{kept['id']}") == (200, b"")
    assert (replica.headers["content-length"], replica.headers["accept-ranges"]) == ("5", "bytes")


def test_only_who_has_signed_in_shares(replica: Any) -> None:
    assert upload(replica, "", "x.txt", b"x")[0] == 401
    assert replica.ask("GET", "/v1/files/nothing")[0] == 404


def test_a_file_expires(start_replica: Any, patience: Any) -> None:
    replica = start_replica(chat_file_seconds=1)
    status, blob = upload(replica, replica.sign_in("ann"), "brief.txt", b"x")
    assert (status, replica.ask("GET", f"/v1/files/{blob['id']}")) == (201, (200, b"x"))
    patience(lambda: replica.ask("GET", f"/v1/files/{blob['id']}")[0] == 404)


def test_the_file_of_a_deleted_message_goes_with_the_last_that_refers_to_it(
    replica: Any, patience: Any
) -> None:
    ann = replica.guest("ann-drop", "drop")
    _, blob = upload(replica, ann.token, "secret.txt", b"a secret")
    where = f"/v1/files/{blob['id']}"
    first = ann.say("drop", "look", file=blob["id"], nonce="same")
    assert ann.say("drop", "look", file=blob["id"], nonce="same") == first
    second = ann.say("drop", "look again", file=blob["id"])
    refused = ann.answer("say", room="elsewhere", text="look", file=blob["id"])
    assert refused["code"] == "forbidden"
    ann.ask("delete", "ack", room="drop", id=first)
    assert replica.ask("GET", where) == (200, b"a secret")
    ann.ask("delete", "ack", room="drop", id=second)
    patience(lambda: replica.ask("GET", where)[0] == 404)


def test_a_message_can_carry_a_file(replica: Any) -> None:
    ann, bob = replica.guest("ann-mail", "mail"), replica.guest("bob-mail", "mail")
    _, blob = upload(replica, ann.token, "notes.txt", b"hello")
    id = ann.say("mail", "look", file=blob["id"])
    heard = bob.until("message", id=id)["file"]
    assert heard == {"id": blob["id"], "name": "notes.txt", "type": "text/plain", "size": 5}
    ann.send("say", room="mail", text="look", file="nothing", ref="x")
    assert ann.until("error", ref="x")["code"] == "unknown"
