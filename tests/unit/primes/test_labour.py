"""What a Celery process says when it cannot compute."""

from typing import Any, cast

from primes.adapters.kernels import Kernel, KernelUnavailable
from primes.adapters.labour import Labour
from primes.contract import Happened, Kind, News, Order, Tile

ORDER = Order("job", Tile(0, 0, 1000, Kind.COUNT), 1, "board")


class Wire(list[News]):
    """A telegraph to nowhere."""

    tell = list[News].append

    def attempt(self, order: Order) -> int:
        return 1

    def known(self, order: Order) -> bool:
        return False


def missing() -> Kernel:
    raise KernelUnavailable("libprimesieve is not installed")


def test_a_process_without_its_kernel_says_so_and_does_not_fall_silent() -> None:
    wire, outcomes = Wire(), list[str]()
    Labour(cast(Any, wire), missing, "worker", 3, lambda outcome, _: outcomes.append(outcome)).do(ORDER)
    assert [news.happened for news in wire] == [Happened.BEGAN, Happened.FAILED]
    assert "libprimesieve" in wire[-1].reason
    assert outcomes == ["failed"]
