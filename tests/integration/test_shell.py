"""The routes that every service has, on a service that does nothing else, asked over HTTP."""

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Executor, wait
from dataclasses import dataclass, field
from typing import Any

import pytest
import urllib3
import uvicorn
from fastapi import APIRouter
from redis.exceptions import ConnectionError as RedisAway

from lab_kit.engines import EngineHost, EngineUnavailable
from lab_kit.faults import Fault, Faults
from lab_kit.metrics import Metrics
from lab_kit.settings import ServiceSettings
from lab_kit.shell import Service, create_app
from lab_kit.timeline import Timeline

COMMON = {
    *("lab_requests_total", "lab_request_seconds"),
    *("lab_tasks_total", "lab_task_seconds", "lab_tasks_in_flight", "lab_queue_depth"),
    *("lab_workers", "lab_threads", "lab_context_switches_total"),
    *("lab_lock_wait_seconds", "lab_loop_lag_seconds"),
    *("lab_fault", "lab_engine_info"),
}


class Refusal(Exception):
    """A domain error of the sample service."""


@dataclass
class Engine:
    """Keeps the jobs that it is given; works on a pool of the measured port."""

    pool: Executor
    jobs: list[str] = field(default_factory=list)

    def start(self, jobs: Sequence[str]) -> None:
        self.jobs = list(jobs)

    def stop(self, deadline: float) -> Sequence[str]:
        self.pool.shutdown()
        return self.jobs


class Moody(Engine):
    """An engine that does not start."""

    def start(self, jobs: Sequence[str]) -> None:
        raise RuntimeError("I will not start today")


class Sample:
    """A service with two faults and a dependency, served on a port the system chose."""

    def __init__(self) -> None:
        self.metrics, self.timeline = Metrics("sample"), Timeline()
        self.faults = Faults(Fault("rain", "mm", "wet"), Fault("wind", "m/s", "noisy", 40))
        self.host = EngineHost(self._build, unfinished=self._unfinished)
        self.dependency: Callable[[], Awaitable[object]] = self._unfinished
        self.fatal: asyncio.Event | None = None
        self.built: list[str] = []
        service = Service(
            name="sample",
            settings=ServiceSettings(port=0, lab_grace=0.1),
            metrics=self.metrics,
            host=self.host,
            faults=self.faults,
            timeline=self.timeline,
            routes=[self._routes()],
            statuses={Refusal: 409},
            dependencies={"oracle": lambda: self.dependency()},
            tasks=[self._mortal],
        )
        self._server = uvicorn.Server(uvicorn.Config(create_app(service), port=0, log_config=None))
        self._thread = threading.Thread(target=self._server.run)
        self._pool = urllib3.PoolManager(retries=False, timeout=10)

    def __enter__(self) -> "Sample":
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *error: object) -> None:
        self._server.should_exit = True
        self._pool.clear()
        self._thread.join()

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        given = {} if body is None else {"json": body}
        got = self._pool.request(method, self.url + path, **given)
        if got.status >= 400:
            assert got.headers["content-type"] == "application/problem+json"
            assert json.loads(got.data)["status"] == got.status
        is_json = "json" in got.headers["content-type"]
        return got.status, json.loads(got.data) if is_json else got.data.decode()

    def stays_ready(self) -> bool:
        """Whether it is ready, asked a few times: it may take a turn of the loop to notice something."""
        try:
            return all(self.ask("GET", "/ready")[0] == 200 for _ in range(20))
        except urllib3.exceptions.HTTPError:
            return False

    def _build(self, name: str) -> Engine:
        engines = {"reference": Engine, "naive": Engine, "moody": Moody}
        if name not in engines:
            raise EngineUnavailable(f"no engine {name!r}")
        self.built.append(name)
        return engines[name](self.metrics.of(name, self.timeline).executor("hands", 2))

    async def _unfinished(self) -> Sequence[str]:
        return ["from an earlier life"]

    async def _mortal(self) -> None:
        self.fatal = asyncio.Event()
        await self.fatal.wait()
        raise RuntimeError("a background task is dead")

    def _routes(self) -> APIRouter:
        api = APIRouter(prefix="/v1")

        @api.get("/things/{number}")
        async def thing(number: int) -> dict[str, int]:
            return {"number": number}

        @api.get("/refuse")
        async def refuse() -> None:
            raise Refusal("not on a Sunday")

        @api.post("/die")
        async def die() -> None:
            assert self.fatal
            self.fatal.set()

        @api.get("/redis")
        async def redis() -> None:
            raise RedisAway("gone")

        return api


@pytest.fixture
def sample() -> Iterator[Sample]:
    with Sample() as sample:
        yield sample


def test_health_and_readiness_are_two_things(sample: Sample) -> None:
    async def away() -> None:
        raise OSError("nobody at home")

    async def silent() -> None:
        await asyncio.Event().wait()

    assert sample.ask("GET", "/ready") == (200, {"status": "ready"})
    for sample.dependency in (away, silent):
        status, problem = sample.ask("GET", "/ready")
        assert (status, "oracle" in problem["detail"]) == (503, True)
        assert sample.ask("GET", "/health") == (200, {"service": "sample", "status": "alive"})
    sample.dependency = sample._unfinished
    assert sample.ask("GET", "/ready")[0] == 200


def test_draining_is_not_being_ready(sample: Sample) -> None:
    sample.host.draining = True
    assert sample.ask("GET", "/ready")[0] == 503
    assert sample.ask("GET", "/health")[0] == 200
    assert sample.ask("PUT", "/lab/engine", {"engine": "naive"})[0] == 422
    assert sample.built == ["reference"], "an engine that is built and never stopped may hold something"
    sample.host.draining = False


def test_a_service_whose_background_task_died_is_no_longer_ready(sample: Sample) -> None:
    assert sample.ask("GET", "/ready")[0] == 200
    assert sample.ask("POST", "/v1/die")[0] == 200
    assert not sample.stays_ready()


def test_every_common_metric_is_there_from_the_start(sample: Sample) -> None:
    status, text = sample.ask("GET", "/metrics")
    families = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert (status, COMMON - families) == (200, set())
    for series in (
        'lab_tasks_total{engine="reference",outcome="done",service="sample"} 0.0',
        'lab_tasks_total{engine="reference",outcome="failed",service="sample"} 0.0',
        'lab_workers{engine="reference",service="sample",state="busy"} 0.0',
        'lab_workers{engine="reference",service="sample",state="idle"} 2.0',
        'lab_engine_info{engine="reference",service="sample"} 1.0',
        'lab_fault{engine="reference",fault="wind",service="sample"} 0.0',
    ):
        assert series in text.splitlines(), series


def test_requests_are_counted_by_route_template_and_code(sample: Sample) -> None:
    for path in ("/v1/things/1", "/v1/things/2", "/v1/things/many", "/nowhere/1", "/nowhere/2"):
        sample.ask("GET", path)
    _, text = sample.ask("GET", "/metrics")
    counted = [
        line.partition(",route=")[2] for line in text.splitlines() if line.startswith("lab_requests_total")
    ]
    assert '"/v1/things/{number}",service="sample"} 2.0' in counted
    assert '"/v1/things/{number}",service="sample"} 1.0' in counted, "the 422"
    assert '"unmatched",service="sample"} 2.0' in counted
    assert not [line for line in counted if "nowhere" in line or "things/1" in line], "a label without bounds"


def test_engines_are_switched_with_their_jobs(sample: Sample) -> None:
    assert sample.ask("GET", "/lab/engine")[1]["engine"] == "reference"
    status, switched = sample.ask("PUT", "/lab/engine", {"engine": "naive"})
    assert (status, switched["engine"], switched["handed_over"]) == (200, "naive", 1)
    assert sample.host.engine.jobs == ["from an earlier life"]
    assert 'lab_engine_info{engine="naive",service="sample"} 1.0' in sample.ask("GET", "/metrics")[1]


@pytest.mark.parametrize("body", [{"engine": "best"}, {"engine": None}, {}, [], {"engine": "naive", "x": 1}])
def test_a_bad_switch_changes_nothing(sample: Sample, body: Any) -> None:
    before = sample.host.engine
    assert sample.ask("PUT", "/lab/engine", body)[0] == 422
    assert sample.host.engine is before


def test_an_engine_that_does_not_start_gives_way_to_the_one_before(sample: Sample) -> None:
    status, problem = sample.ask("PUT", "/lab/engine", {"engine": "moody"})
    assert (status, "I will not start today" in problem["detail"]) == (422, True)
    assert sample.ask("GET", "/lab/engine")[1]["engine"] == "reference"
    assert sample.host.engine.jobs == ["from an earlier life"]


def test_faults_are_described_and_set_all_at_once(sample: Sample) -> None:
    _, described = sample.ask("GET", "/lab/faults")
    facts = {"magnitude": 0.0, "unit": "m/s", "maximum": 40, "description": "noisy", "fired": 0}
    assert described["wind"] == facts
    assert sample.ask("PUT", "/lab/faults", {"faults": {"wind": 12, "rain": 0.5}})[0] == 200
    assert sample.faults.fired("wind")
    _, described = sample.ask("GET", "/lab/faults")
    assert {name: facts["magnitude"] for name, facts in described.items()} == {"rain": 0.5, "wind": 12}
    assert described["wind"]["fired"] == 1
    assert 'fault="wind",service="sample"} 12.0' in sample.ask("GET", "/metrics")[1]
    _, replaced = sample.ask("PUT", "/lab/faults", {"faults": {"rain": 1}})
    assert replaced["wind"]["magnitude"] == 0


@pytest.mark.parametrize(
    "faults",
    [{"rain": 0.1, "wind": 41}, {"wind": -1}, {"rian": 0.1}, {"rain": "heavy"}, {"rain": None}, 5, None],
)
def test_a_bad_fault_changes_none(sample: Sample, faults: Any) -> None:
    sample.ask("PUT", "/lab/faults", {"faults": {"rain": 0.25}})
    status, problem = sample.ask("PUT", "/lab/faults", {"faults": faults})
    assert status == 422
    assert "rian" not in str(faults) or "'rain'" in problem["detail"], "no suggestion"
    magnitudes = {name: facts["magnitude"] for name, facts in sample.ask("GET", "/lab/faults")[1].items()}
    assert magnitudes == {"rain": 0.25, "wind": 0.0}


def test_a_fault_that_is_no_number_of_json_is_refused(sample: Sample) -> None:
    answer = urllib3.request("PUT", f"{sample.url}/lab/faults", body=b'{"faults": {"rain": NaN}}')
    assert answer.status == 422
    assert sample.faults.magnitude("rain") == 0


def test_the_timeline_has_what_the_workers_did(sample: Sample) -> None:
    pool = sample.host.engine.pool
    wait([pool.submit(sum, [number]) for number in range(5)])
    status, spans = sample.ask("GET", "/lab/timeline")
    assert (status, len([span for span in spans if span["phase"] == "run"])) == (200, 5)
    assert all(span["name"] == "hands" and span["start"] <= span["end"] for span in spans)
    assert sample.ask("GET", f"/lab/timeline?since={max(span['end'] for span in spans)}") == (200, [])
    assert sample.ask("GET", "/lab/timeline?since=yesterday")[0] == 422


def test_every_error_is_a_problem(sample: Sample) -> None:
    for method, path, status in (
        ("GET", "/v1/nowhere", 404),
        ("POST", "/health", 405),
        ("GET", "/v1/things/many", 422),
        ("GET", "/v1/refuse", 409),
        ("GET", "/v1/redis", 503),
    ):
        got, problem = sample.ask(method, path)
        assert (got, problem["status"], bool(problem["title"])) == (status, status, True)
    assert sample.ask("GET", "/v1/refuse")[1]["detail"] == "not on a Sunday"
    assert urllib3.request("POST", f"{sample.url}/health").headers["allow"] == "GET"


def test_the_api_describes_itself(sample: Sample) -> None:
    assert sample.ask("GET", "/docs")[0] == 200
    paths = set(sample.ask("GET", "/openapi.json")[1]["paths"])
    assert {"/health", "/ready", "/lab/engine", "/lab/faults", "/v1/things/{number}"} <= paths
