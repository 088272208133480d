"""Leaves out of a failing schedule whatever it fails without."""

from collections.abc import Callable, Mapping

from lab.grader.strategy import Point

__all__ = ["shrink"]


def shrink(
    deviations: Mapping[Point, int], fails: Callable[[Mapping[Point, int]], bool], tries: int
) -> Mapping[Point, int]:
    """A smaller set of `deviations` that still `fails`, by leaving out halves, quarters, and so on.

    Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input" (2002). At most `tries` calls: a
    limit of time would give another answer each time.
    """
    points, size = sorted(deviations), len(deviations)
    while size and tries > 0:
        before, start = len(points), 0
        while start < len(points) and tries > 0:
            tries -= 1
            rest = points[:start] + points[start + size :]
            if fails({point: deviations[point] for point in rest}):
                points = rest
            else:
                start += size
        if size > 1 or len(points) == before:
            size //= 2
    return {point: deviations[point] for point in points}
