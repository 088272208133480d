"""Mistakes about what comes over the network."""

import math
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any, cast

from downloader.contract import ConnectionLost, Job, Limits, Ports, Response, Stats, Status
from downloader.mutants.spoiled import Mutant, Wrapped, spoiled_answer, spoiled_disk, spoiled_web

__all__ = [
    "BelievesShortBodies",
    "CountsWholeBlocks",
    "CountsWithoutLock",
    "EmptyIsNothing",
    "ForgetsTheChecksum",
    "LooksTwice",
    "LosesTheRest",
    "NeverGivesUp",
    "NoJitter",
    "RetriesAtOnce",
    "RetriesEverything",
    "Stitches",
    "WaitsAsItLikes",
]
BLOCK = 1024 * 1024


class EmptyIsNothing(Mutant):
    """Takes a body without bytes for a lost connection."""

    caught_by = "files_arrive_whole"

    def spoil(self, ports: Ports) -> Ports:
        def answer(found: Response) -> Response:
            if found.headers.get("content-length") == "0":
                found.close()
                raise ConnectionLost("no bytes")
            return found

        return spoiled_web(ports, answer)


class CountsWithoutLock(Mutant):
    """Adds up the bytes of all threads without a lock."""

    caught_by = "no_update_is_lost"

    def spoil(self, ports: Ports) -> Ports:
        self.counted = 0
        return spoiled_web(ports, lambda found: Wrapped(found, readinto=self._counting(found)))

    def _counting(self, found: Response) -> Callable[[memoryview], int]:
        def readinto(buffer: memoryview) -> int:
            count = found.readinto(buffer)
            self.counted += count
            return count

        return readinto

    def stats(self) -> Stats:
        return replace(super().stats(), bytes_received=self.counted)


class CountsWholeBlocks(Mutant):
    """Counts a block when it begins to come."""

    caught_by = "progress_is_exact"

    def wait(self, job_id: str, timeout: float | None = None) -> Status:
        found = super().wait(job_id, timeout)
        return replace(found, received=min(found.total or 0, math.ceil(found.received / BLOCK) * BLOCK))


class LooksTwice(Mutant):
    """Puts a status together from two moments."""

    caught_by = "progress_is_exact"

    def wait(self, job_id: str, timeout: float | None = None) -> Status:
        before = super().status(job_id)
        return replace(super().wait(job_id, timeout), received=before.received)


class ForgetsTheChecksum(Mutant):
    """Never compares."""

    caught_by = "checksum_guards_the_name"

    def submit(self, job: Job) -> str:
        return super().submit(replace(job, sha256=None))


class RetriesEverything(Mutant):
    """Takes any error of the server for one that passes."""

    caught_by = "a_404_is_final"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_web(
            ports, lambda found: spoiled_answer(found, status=503) if found.status == 404 else found
        )


class Fixed(Mutant):
    """Leaves nothing to chance."""

    share: float

    def spoil(self, ports: Ports) -> Ports:
        def uniform(low: float, high: float) -> float:
            return low + self.share * (high - low)

        return replace(ports, random=cast(Random, Wrapped(ports.random, uniform=uniform)))


class RetriesAtOnce(Fixed):
    """Does not wait between attempts."""

    caught_by, share = "retries_back_off", 0.0


class NoJitter(Fixed):
    """Always waits as long as it may: all clients come back at the same moment."""

    caught_by, share = "retries_back_off", 1.0


class WaitsAsItLikes(Mutant):
    """Does not read Retry-After."""

    caught_by = "retry_after_is_obeyed"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_web(ports, lambda found: spoiled_answer(found, without=["retry-after"]))


class NeverGivesUp(Mutant):
    """Has no end to its patience."""

    caught_by = "gives_up_in_the_end"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, retry_total=math.inf, retries=1_000_000)


class BelievesShortBodies(Mutant):
    """Takes the end of the body for the end of the file."""

    caught_by = "a_short_body_is_no_file"

    def spoil(self, ports: Ports) -> Ports:
        def answer(found: Response) -> Response:
            lengths = ["content-length", "content-range"]
            return spoiled_answer(found, without=lengths, status=min(found.status, 200))

        return spoiled_web(ports, answer, without=["range"])


class Stitches(Mutant):
    """Asks for the rest without asking whether it is the rest of the same file."""

    caught_by = "never_stitches_two_versions"

    def spoil(self, ports: Ports) -> Ports:
        def answer(found: Response) -> Any:
            return spoiled_answer(found, headers={**found.headers, "etag": '"same"'})

        return spoiled_web(ports, answer, without=["if-range"])


class LosesTheRest(Mutant):
    """Begins anew after a lost connection."""

    caught_by = "goes_on_after_a_drop"

    def spoil(self, ports: Ports) -> Ports:
        return spoiled_disk(ports, load=lambda destination: None)
