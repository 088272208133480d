"""What is killed, and what comes out all the same."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.primes.conftest import Service, Start

HI, COUNT = 5 * 10**8, 26_355_867


def begun(service: "Service", job_id: str) -> bool:
    return service.look(job_id)["done"] > 0


def test_a_killed_worker_process_costs_nothing(local: "Service", patience: Callable[..., Any]) -> None:
    job_id = local.create(hi=HI)
    patience(lambda: begun(local, job_id))
    workers = [one for one in local.children() if "primes.adapters.worker" in " ".join(one.cmdline())]
    workers[0].kill()
    ended = local.ended(job_id)
    assert ended["answer"] == {"count": COUNT}
    assert local.metric("primes_again_total") <= 1


def test_faults_are_survived(local: "Service") -> None:
    faults = {"lost-order": 0.05, "lost-news": 0.05, "double-order": 0.2, "kill-worker": 0.05}
    assert local.ask("PUT", "/lab/faults", {"faults": faults}).status == 200
    ended = local.ended(local.create(hi=HI), within=50)
    fired = local.ask("PUT", "/lab/faults", {"faults": {}}).body
    assert ended["answer"] == {"count": COUNT}
    assert sum(one["fired"] for one in fired.values()) > 0


@pytest.mark.parametrize("engine", ["naive", "reference"])
def test_another_engine_goes_on_with_the_jobs(local: "Service", engine: str) -> None:
    jobs = [local.create(hi=HI), local.create(hi=10**6)]
    assert local.ask("PUT", "/lab/engine", {"engine": engine}).body["engine"] == engine
    answers = [local.ended(job_id)["answer"] for job_id in jobs]
    assert answers == [{"count": COUNT}, {"count": 78_498}]


def test_a_killed_service_goes_on_with_what_it_accepted(
    start: "Start", start_redis: Callable[[], Any], patience: Callable[..., Any]
) -> None:
    service: Service = start("primes", start_redis().url, primes_workers=1, lab_grace=1)
    done, job_id = service.create(hi=1000), service.create(hi=HI)
    service.ended(done)
    patience(lambda: begun(service, job_id))
    service.kill()
    service.start()
    assert service.ended(job_id)["answer"] == {"count": COUNT}
    assert service.look(done)["answer"] == {"count": 168}
    job_id = service.create(hi=10**10)
    assert service.terminate() == 0
