"""Workers of Celery, all on one Valkey of their own: what is killed, and what comes out all the same."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from tests.integration.primes.conftest import Process, Service, Start

HI, COUNT = 5 * 10**8, 26_355_867
TWICE = 50_847_534  # primes below 10^9


def begun(service: "Service", job_id: str) -> bool:
    return service.look(job_id)["done"] > 0


@pytest.fixture(scope="module")
def server(start_redis: Callable[[], Any]) -> Any:
    return start_redis()


@pytest.fixture(scope="module")
def service(start: "Start", server: Any) -> "Service":
    service: Service = start("primes", server.url, primes_crew="celery", primes_lease=2)
    return service


@pytest.fixture(scope="module")
def workers(start: "Start", server: Any) -> "list[Process]":
    return [start("primes.tasks", server.url, primes_workers=1) for _ in range(2)]


def test_both_workers_share_the_tiles(
    service: "Service", workers: "list[Process]", patience: Callable[..., Any]
) -> None:
    patience(lambda: service.ended(service.create(hi=100)) and service.metric("primes_workers") == 2)
    ended = service.ended(service.create(hi=HI))
    assert ended["answer"] == {"count": COUNT}
    assert all(worker.metric("process_resident_memory_bytes") > 2 * 10**7 for worker in workers)
    tiles = [worker.metric("primes_worker_tiles_total", outcome="done") for worker in workers]
    assert min(tiles) > 0
    assert sum(tiles) >= ended["tiles"]


def test_a_killed_child_is_replaced_and_its_order_comes_again(
    service: "Service", workers: "list[Process]", patience: Callable[..., Any]
) -> None:
    job_id = service.create(hi=HI)
    patience(lambda: begun(service, job_id))
    workers[0].children()[-1].kill()
    ended = service.ended(job_id)
    assert ended["answer"] == {"count": COUNT}
    patience(lambda: workers[0].metric("primes_worker_processes_total") == 2)


def test_a_killed_worker_is_noticed_by_its_silence(
    service: "Service", workers: "list[Process]", patience: Callable[..., Any]
) -> None:
    job_id = service.create(hi=2 * HI)
    patience(lambda: begun(service, job_id))
    workers[0].kill()
    assert service.ended(job_id)["answer"] == {"count": TWICE}
    workers[0].start()


def test_a_redis_that_restarts_loses_nothing(
    service: "Service", workers: "list[Process]", server: Any, patience: Callable[..., Any]
) -> None:
    job_id = service.create(hi=2 * HI)
    patience(lambda: begun(service, job_id))
    server.kill()
    server.start()
    assert service.ended(job_id, within=50)["answer"] == {"count": TWICE}


def test_a_killed_service_finds_the_parts_on_the_board(
    service: "Service", workers: "list[Process]", patience: Callable[..., Any]
) -> None:
    job_id = service.create(hi=2 * HI)
    patience(lambda: service.look(job_id)["done"] >= 3)
    before = sum(worker.metric("primes_worker_tiles_total", outcome="done") for worker in workers)
    service.kill()
    service.start()
    ended = service.ended(job_id)
    after = sum(worker.metric("primes_worker_tiles_total", outcome="done") for worker in workers)
    assert ended["answer"] == {"count": TWICE}
    assert after - before < ended["tiles"]


def test_an_order_that_kills_comes_again_by_itself(service: "Service", workers: "list[Process]") -> None:
    assert service.ask("PUT", "/lab/faults", {"faults": {"kill-worker": 1.0}}).status == 200
    ended = service.ended(service.create(hi=1000))
    service.ask("PUT", "/lab/faults", {"faults": {}})
    assert ended["answer"] == {"count": 168}


def test_it_ends_when_asked_and_leaves_no_process(workers: "list[Process]") -> None:
    children = workers[1].children()
    assert workers[1].terminate() == 0
    assert not psutil.wait_procs(children, timeout=10)[1]
