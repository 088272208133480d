"""How orders travel to Celery's workers: none is at work here, so the test takes them itself."""

import time

import pytest

from primes.adapters.remote import CeleryCrew, Telegraph, redis_client
from primes.config import Settings
from primes.contract import Job, Kind, Limits, Order, Tile
from primes.core.plan import cost, plan
from primes.core.wire import encode_order
from primes.tasks import QUEUE, VISIBILITY, make_app, sender

CROSSINGS = 5e8  # a second, of half a slow core with the only kernel that goes so far


def test_what_is_given_again_overtakes_what_waits(fresh_redis: str) -> None:
    settings, tile = Settings(redis_url=fresh_redis), Tile(0, 0, 1000, Kind.COUNT)
    send = sender(settings)
    for attempt in (1, 1, 2):
        send(encode_order(Order("job", tile, attempt, "board")), False)
    with make_app(settings).connection_for_read() as connection, connection.SimpleQueue(QUEUE) as queue:
        taken = [queue.get(timeout=5.0) for _ in range(3)]
        for message in taken:
            message.ack()
    assert [message.payload[0][0]["attempt"] for message in taken] == [2, 1, 1]


def test_no_order_comes_again_while_its_tile_is_computed() -> None:
    """The longest tile is one near 2^63. Begun by one worker after the other it would be taken for poison."""
    tiles = plan(Job(2**63 - 10**13, 2**63), Limits(largest=2**63))
    assert max(cost(tile.lo, tile.hi) for tile in tiles) / CROSSINGS < VISIBILITY
    assert make_app(Settings()).conf.broker_transport_options["visibility_timeout"] == VISIBILITY


def test_a_worker_whose_clock_is_wrong_is_counted_on(
    fresh_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Machines do not agree on the time: that of Redis is the same for all."""
    client, now = redis_client(fresh_redis), time.time()
    with client, monkeypatch.context() as elsewhere:
        elsewhere.setattr(time, "time", lambda: now - 60.0)
        Telegraph(client).report("late", 2, "numpy")
        elsewhere.setattr(time, "time", lambda: now)
        crew = CeleryCrew(client, lambda order, deadly: None)
        assert crew.size() == 2
        Telegraph(client).leave("late", 2, "numpy")
        assert CeleryCrew(client, lambda order, deadly: None).size() == 0
