"""What the log pipeline raises is said in #ops, once."""

from typing import Any

from redis import Redis

from lab_kit.messages import Message


def test_an_alert_is_said_once_and_what_is_none_is_buried(replica: Any, redis: Redis, patience: Any) -> None:
    guest = replica.guest("ann-ops")
    guest.join("ops")
    alert = {"rule": "errors", "text": "12 errors in 10 s", "time": 1.0}
    message = Message("alert.raised", {"alert": alert})
    for text in (message.encode(), message.encode(), Message("alert.raised", {"alert": {}}).encode()):
        redis.xadd("lab:alerts", {"message": text})
    heard = guest.until("message", room="ops")
    assert (heard["user"], heard["text"]) == ("log-pipeline", "errors: 12 errors in 10 s")
    patience(lambda: redis.xlen("lab:alerts:dead") == 1)
    assert guest.say("ops", "seen") == heard["id"] + 1
