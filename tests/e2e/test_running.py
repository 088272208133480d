"""A lab that is up: healthy, measured, loaded, and nowhere but here."""

import pytest
from stacks import BASE, CHALLENGES, Stack
from web import eventually, get, query


def test_everything_is_healthy(stack: Stack) -> None:
    health = stack.health()
    assert set(stack.compose) - {"grafana"} <= set(health)
    assert all(health.values()), health


def test_every_component_answers_where_its_port_was_moved_to(stack: Stack) -> None:
    assert all(BASE < port < BASE + 1000 for port in stack.ports.values())
    running = set(stack.health()) & set(stack.ports)
    assert {name for name in running if not stack.ready(name)} == set()


def test_nothing_listens_beyond_this_machine(stack: Stack) -> None:
    assert stack.listeners() == {"127.0.0.1"}


def test_every_scrape_target_is_up(stack: Stack) -> None:
    def health() -> dict[str, str]:
        active = get(stack.url("prometheus") + "/api/v1/targets?state=active")["data"]["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in active}

    eventually(lambda: set(health().values()) == {"up"})
    measured = set(stack.compose) - {"redis", "grafana", "load"}
    assert set(health()) == measured


@pytest.mark.parametrize("service", CHALLENGES)
def test_the_gentle_load_runs(stack: Stack, service: str) -> None:
    def done() -> float:
        tasks = f'lab_tasks_total{{service="{service}",outcome="done"}}'
        requests = f'lab_requests_total{{service="{service}",route=~"/v1/.*",code=~"2.."}}'
        return sum(query(stack.url("prometheus"), f"{tasks} or {requests}"))

    before = eventually(done)
    assert eventually(lambda: done() > before)


def test_memory_stays_within_its_limits(stack: Stack, report: dict[str, str]) -> None:
    shares = stack.memory()
    report["memory, as a share of its limit"] = ", ".join(f"{n} {s:.0%}" for n, s in sorted(shares.items()))
    assert set(shares) == set(stack.health())
    assert {name: share for name, share in shares.items() if share > 0.8} == {}
