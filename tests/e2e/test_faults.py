"""A fault that is on shows, and one that is off is over."""

from collections.abc import Iterator

import pytest
from stacks import CHALLENGES, Stack
from web import ask, eventually, query

RETRIES = "sum(rate(downloader_retries_total[8s]))"


@pytest.fixture
def quiet(stack: Stack) -> Iterator[Stack]:
    """A lab without faults, before and after."""
    switch(stack, "origin")
    switch(stack, "downloader")
    yield stack
    switch(stack, "origin")
    switch(stack, "downloader")


def switch(stack: Stack, service: str, **faults: float) -> None:
    stack.wait_ready(service)
    wanted = {name.replace("_", "-"): magnitude for name, magnitude in faults.items()}
    known = ask("GET", stack.url(service) + "/lab/faults")[1]
    all_off = dict.fromkeys(known, 0)
    status, said = ask("PUT", stack.url(service) + "/lab/faults", {"faults": all_off | wanted})
    assert status == 200, said


def magnitude(stack: Stack, service: str, fault: str) -> list[float]:
    return query(stack.url("prometheus"), f'lab_fault{{service="{service}",fault="{fault}"}}')


@pytest.mark.parametrize(
    ("service", "fault", "size"),
    [("origin", "error_rate", 0.5), ("downloader", "lost_connection", 0.02)],
)
def test_a_fault_moves_its_metric_and_passes(quiet: Stack, service: str, fault: str, size: float) -> None:
    name = fault.replace("_", "-")
    switch(quiet, service, **{fault: size})
    eventually(lambda: magnitude(quiet, service, name) == [size])
    assert eventually(lambda: query(quiet.url("prometheus"), RETRIES + " > 0"))
    switch(quiet, service)
    eventually(lambda: magnitude(quiet, service, name) == [0])


@pytest.mark.parametrize("service", ["origin", *CHALLENGES])
def test_bad_faults_change_nothing(stack: Stack, service: str) -> None:
    stack.wait_ready(service)
    url = stack.url(service) + "/lab/faults"
    before = ask("GET", url)
    status, said = ask("PUT", url, {"faults": {"no-such-fault": 1}})
    assert (status, said["status"]) == (422, 422)
    assert ask("GET", url) == before
