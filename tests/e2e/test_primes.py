"""The calculator of a running lab loses its workers, and itself: the answer is right all the same."""

import signal
from typing import Any

import pytest
from stacks import Stack
from web import ask, eventually, get

LIMIT, COUNT = 3 * 10**10, 1_300_005_926


@pytest.mark.timeout(180)
@pytest.mark.parametrize("victim", ["primes-worker", "primes"])
def test_who_is_killed_costs_no_tile(stack: Stack, victim: str) -> None:
    stack.wait_ready("primes")
    jobs = stack.url("primes") + "/v1/jobs"
    status, accepted = ask("POST", jobs, {"hi": LIMIT})
    assert status == 202, accepted
    job = f"{jobs}/{accepted['id']}"
    eventually(lambda: get(job)["done"] > 0)
    stack.signal(victim, signal.SIGKILL)
    ended: dict[str, Any] = eventually(lambda: _ended(job), 120, lambda: str(get(job)))
    assert (ended["state"], ended["answer"]) == ("done", {"count": COUNT}), ended["error"]
    ask("DELETE", job)
    eventually(lambda: stack.health().get(victim), 60)


def _ended(job: str) -> dict[str, Any] | None:
    status, found = ask("GET", job)
    return found if status == 200 and found["finished"] else None
