"""Faults of the origin set for all requests: `GET|PUT /lab/faults`."""

import json
import re
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from lab.origin.testing import RunningOrigin, running

FILE = "/files/1500/x"


class Client:
    """One connection to the origin."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    def get(self, path: str) -> tuple[int, bytes]:
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        return response.status, response.read()

    def put(self, wanted: object) -> tuple[int, dict[str, dict[str, float]]]:
        self._connection.request("PUT", "/lab/faults", json.dumps(wanted))
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def magnitudes(self) -> dict[str, float]:
        described = json.loads(self.get("/lab/faults")[1])
        return {name: facts["magnitude"] for name, facts in described.items() if facts["magnitude"]}

    def metric(self, name: str) -> float:
        (value,) = re.findall(rf"^{re.escape(name)} (\S+)$", self.get("/metrics")[1].decode(), re.MULTILINE)
        return float(value)


@pytest.fixture(scope="module")
def origin() -> Iterator[RunningOrigin]:
    with running() as started:
        yield started


@pytest.fixture
def client(origin: RunningOrigin) -> Iterator[Client]:
    connection = HTTPConnection(*origin.address, timeout=10)
    client = Client(connection)
    yield client
    assert client.put({"faults": {}})[0] == 200
    connection.close()


def test_for_all_requests_until_cleared(client: Client) -> None:
    status, described = client.put({"faults": {"status": 500, "latency-fixed": 0.001}})
    assert (status, described["status"]["magnitude"]) == (200, 500)
    for path, code in ((FILE, 500), ("/page/1", 500), ("/robots.txt", 500)):
        assert client.get(path)[0] == code
    for path in (f"{FILE}?status=0", "/health", "/ready", "/sha256/1/x", "/metrics"):
        assert client.get(path)[0] == 200
    assert client.put({"faults": {}})[0] == 200
    assert client.get(FILE)[0] == 200


def test_magnitude_and_count_are_metrics(client: Client) -> None:
    labels = '{engine="",fault="status",service="origin"}'
    before = client.metric(f"lab_fault_fired_total{labels}")
    client.put({"faults": {"status": 404}})
    client.get(FILE)
    assert client.metric(f"lab_fault{labels}") == 404
    assert client.metric(f"lab_fault_fired_total{labels}") == before + 1


def test_a_seed_replays(client: Client) -> None:
    runs = []
    for seed in (7, 7, 8):
        client.put({"faults": {"error-rate": 0.5}, "seed": seed})
        runs.append([client.get(FILE)[0] for _ in range(20)])
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"faults": {"stall": 1, "drop-aftr": 1}}, 422, "did you mean 'drop-after'?"),
        ({"faults": {"error-rate": 2}}, 422, "error-rate cannot be 2"),
        ({"faults": {"error-rate": "x"}}, 422, "cannot be 'x'"),
        ({"faults": [1]}, 400, "send JSON like"),
        ({"seed": 1}, 400, "send JSON like"),
        ({"faults": {}, "seed": "x"}, 400, "send JSON like"),
        ("text", 400, "send JSON like"),
        ({"faults": {}, "padding": "x" * 70_000}, 413, "65536"),
    ],
)
def test_bad_input_changes_nothing(client: Client, body: object, status: int, said: str) -> None:
    client.put({"faults": {"latency-fixed": 0.001}})
    found, answer = client.put(body)
    assert found == status
    assert said in str(answer["detail"])
    assert client.magnitudes() == {"latency-fixed": 0.001}
