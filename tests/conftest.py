"""For all tests."""

import os
import signal

from hypothesis import settings

# A shell's background job ignores Ctrl-C, and so would all that tests start, and send one to.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("lab", deadline=None)  # an example may take as long as a busy machine makes it
settings.load_profile("lab")


def pytest_xdist_auto_num_workers() -> int:
    """Two for each processor: what starts real components waits most of the time."""
    return 2 * (os.cpu_count() or 1)
