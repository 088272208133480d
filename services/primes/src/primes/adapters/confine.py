"""A bound on the memory of a worker process: a tile that needs more fails and says so, and nobody is killed."""

import resource

__all__ = ["MEBIBYTES", "confine"]

MEBIBYTES = 512
"""What counts up to 10^9 numbers just below 2^63 with libprimesieve, and anything below 10^15 with any kernel."""


def confine(mebibytes: int = MEBIBYTES) -> None:
    """This process gets at most so much memory for its data, from now on; a lower bound of the system's stays.

    Where the system does not count it (macOS), nothing changes.
    """
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = mebibytes << 20
    resource.setrlimit(
        resource.RLIMIT_DATA, (wanted if most == resource.RLIM_INFINITY else min(wanted, most), most)
    )
