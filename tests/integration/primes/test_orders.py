"""How orders travel to Celery's workers: none is at work here, so the test takes them itself."""

from primes.config import Settings
from primes.contract import Kind, Order, Tile
from primes.core.wire import encode_order
from primes.tasks import QUEUE, make_app, sender


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
