"""For all tests."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadFileScheduling

# A shell's background job ignores Ctrl-C, and so would all that tests start, and send one to.
signal.signal(signal.SIGINT, signal.default_int_handler)

# An example may take as long as a busy machine makes it.
settings.register_profile("lab", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lab")


def pytest_xdist_auto_num_workers() -> int:
    """Two for each processor: what starts real components waits most of the time."""
    return 2 * (os.cpu_count() or 1)


class ByFileAndChallenge(LoadFileScheduling):
    """A file is one worker's; of the matrix of engines and checks, the rows of one challenge are."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        _, _, parameter = test.partition("[")
        return (
            f"{file} {parameter.rstrip(']').partition('-')[0]}"
            if file.endswith("grader/test_matrix.py")
            else file
        )


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByFileAndChallenge:
    return ByFileAndChallenge(config, log)
