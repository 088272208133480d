"""Lists of primes: what is refused says the limit."""

from dataclasses import replace

import pytest

from primes.adapters.lister import Lister
from primes.contract import InvalidJob, Limits


def test_a_list_beyond_the_kernel_is_refused_before_it_begins() -> None:
    """Workers may have libprimesieve, and count beyond what the service's own kernel reaches."""
    lister = Lister(replace(Limits(), largest=2**63), "numpy", 1000)
    lister.require(10**15 - 1000, 10**15)
    with pytest.raises(InvalidJob, match=r"1,000,000,000,000,000.*numpy"):
        lister.require(10**15 - 999, 10**15 + 1)
