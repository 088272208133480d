"""An engine in a simulated world: nothing is dialled, slept on, or written to a disk."""

import pytest
from tests.unit.downloader.bench import Bench


@pytest.fixture
def bench() -> type[Bench]:
    return Bench
