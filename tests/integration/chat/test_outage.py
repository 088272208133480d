"""What a client that comes while Redis is away is told."""

import json
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


def test_who_says_hello_while_redis_is_away_is_told_to_come_back(start_replica: Any) -> None:
    replica = start_replica()
    token = replica.sign_in("ann")
    replica.server.kill()
    with connect(replica.websocket) as socket:
        socket.send(json.dumps({"type": "hello", "token": token, "ref": "h"}))
        error = json.loads(socket.recv(10))
        assert (error["type"], error["code"], error["ref"]) == ("error", "unavailable", "h")
        with pytest.raises(ConnectionClosed) as ended:
            socket.recv(10)
    assert ended.value.rcvd is not None
    assert ended.value.rcvd.code == 1013
    replica.server.start()
    replica.guest("ann", token=token).join("general")
