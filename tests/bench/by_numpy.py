"""The sieve of odd numbers that anybody would write with numpy: `python by_numpy.py LIMIT [SEGMENT]`.

Without SEGMENT the whole range is one array; with it, so many odd numbers at a time. Prints how many primes there
are. A peer, so nothing here is ours.
"""

import math
import sys

import numpy as np


def whole(limit: int) -> np.ndarray:
    """Flags of the odd numbers below `limit`: true for a prime, and for 1."""
    odd = np.ones(limit // 2, bool)
    for number in range(3, math.isqrt(limit) + 1, 2):
        if odd[number // 2]:
            odd[number * number // 2 :: number] = False
    return odd


def segments(limit: int, size: int) -> int:
    """How many primes there are below `limit`; `size` odd numbers are looked at together."""
    small = (2 * np.flatnonzero(whole(math.isqrt(limit) + 1))[1:] + 1).tolist()
    count = 0
    for start in range(0, limit // 2, size):
        odd = np.ones(min(size, limit // 2 - start), bool)
        low, high = 2 * start + 1, 2 * (start + len(odd))
        for prime in small:
            if prime * prime > high:
                break
            first = max(prime, -(-low // prime) | 1)
            odd[first * prime // 2 - start :: prime] = False
        count += int(np.count_nonzero(odd))
    return count


def main() -> None:
    limit, *size = map(int, sys.argv[1:])
    print(segments(limit, *size) if size else np.count_nonzero(whole(limit)))


if __name__ == "__main__":
    main()
