"""What a load test's visits are given: whoever runs them, in a load test or gently, brings such a client."""

from random import Random
from typing import Any, Protocol

__all__ = ["VisitFailed", "Visitor"]


class VisitFailed(Exception):
    """The visit cannot go on: a request got no answer, or one it did not allow."""


class Visitor(Protocol):
    """One client, used by one thread (or greenlet). `url` is the service's, `origin` the synthetic web's."""

    url: str
    origin: str
    random: Random

    def ask(
        self, method: str, path: str, *, name: str = "", body: object = None, host: str = "",
        allow: tuple[int, ...] = (),
    ) -> tuple[int, Any]:  # fmt: skip
        """Send a request; return the status and the body, decoded if it is JSON, else as text.

        `name` stands for `path` in the statistics, `body` is sent as JSON, `host` replaces the Host field.
        Raises VisitFailed for a status outside 2xx that `allow` does not name, or when no answer comes.
        """

    def measure(self, name: str, seconds: float, size: int = 0, error: str | None = None) -> None:
        """Add to the statistics something that took several requests; `size` in bytes."""

    def pause(self, seconds: float) -> None:
        """Let so much time pass."""
