"""Up and down again: a second time changes nothing, an end leaves nothing, a new start knows everything."""

import pytest
from jobs import submit
from stacks import Stack
from web import eventually, query


@pytest.mark.timeout(240)
def test_down_leaves_nothing_and_up_knows_everything(stack: Stack) -> None:
    stack.wait_ready("downloader")
    downloads = submit(stack, count=4)
    eventually(downloads.under_way)
    stack.down()
    assert stack.left() == []
    stack.up()
    assert all(stack.health().values())
    assert downloads.wrong() == {}
    downloads.delete()
    history = "count_over_time(up{job='downloader'}[10m])"
    assert eventually(lambda: query(stack.url("prometheus"), history))


@pytest.mark.timeout(120)
def test_up_a_second_time_is_no_mistake(stack: Stack) -> None:
    stack.wait_ready("downloader")
    before = stack.started("downloader")
    stack.up()
    assert all(stack.health().values())
    assert stack.started("downloader") == before
