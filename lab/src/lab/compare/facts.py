"""What a running service says of itself on /metrics, for whichever engine runs in it."""

import http.client
import urllib.request
from dataclasses import dataclass

from lab import LabError

__all__ = ["Facts", "parse", "read"]

ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Facts:
    """The process: resident bytes now; context switches and CPU seconds so far. The engine: retries so far.

    None is what the service does not tell; a challenge that retries counts that in `<module>_retries_total`.
    """

    memory: float | None
    switches: float | None
    cpu: float | None
    retries: float | None


def read(url: str, module: str, engine: str) -> Facts:
    """Ask the service at `url`. Raises LabError when it does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=ANSWER_SECONDS) as answer:
            text = answer.read().decode()
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise LabError(f"{url}/metrics does not answer: {error}") from error
    return parse(text, module, engine)


def parse(text: str, module: str, engine: str) -> Facts:
    """The facts in an exposition in Prometheus's text format."""
    from prometheus_client.parser import text_string_to_metric_families

    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.labels.get("engine", engine) == engine:
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return Facts(
        memory=sums.get("process_resident_memory_bytes"),
        switches=sums.get("lab_context_switches_total"),
        cpu=sums.get("process_cpu_seconds_total"),
        retries=sums.get(f"{module}_retries_total"),
    )
