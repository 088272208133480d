"""Whoever scrapes a metric gets what is known, whether Redis answers or not."""

import queue

from tests.integration.service import eventually

from primes.adapters.presence import Presence


class Redis:
    """Answers when the test says so."""

    def __init__(self) -> None:
        self.asked, self.answers = 0, queue.Queue[int | None]()

    def ask(self) -> int:
        self.asked += 1
        answer = self.answers.get()
        if answer is None:
            raise ConnectionError("refused")
        return answer


def test_nobody_waits_for_the_answer_and_the_next_one_has_it() -> None:
    redis = Redis()
    presence = Presence(redis.ask, ConnectionError, seconds=60.0)
    assert [presence() for _ in range(3)] == [0, 0, 0]
    redis.answers.put(2)
    eventually(lambda: presence() == 2)
    assert presence() == 2
    redis.answers.put(None)
    redis.answers.put(3)
    eventually(lambda: presence() == 3)
    redis.answers.put(3)


def test_there_is_one_question_at_a_time() -> None:
    redis = Redis()
    presence = Presence(redis.ask, ConnectionError, seconds=60.0)
    for _ in range(5):
        presence()
    redis.answers.put(1)
    eventually(lambda: presence() == 1)
    assert redis.asked <= 2
    redis.answers.put(1)


def test_what_is_old_is_not_known() -> None:
    redis = Redis()
    presence = Presence(redis.ask, ConnectionError, seconds=-1.0)
    redis.answers.put(2)
    presence()
    eventually(redis.answers.empty)
    assert presence() == 0
    redis.answers.put(2)
