"""An engine that cannot say how it is takes no other metric away."""

from collections.abc import Iterator

from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from structlog.testing import capture_logs

from lab_kit.metrics import Metrics, Unbroken


class Figures(Collector):
    """An engine's own metrics. One that its learner still writes fails, perhaps in the middle."""

    broken = False

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("sample_jobs", "Jobs", 3)
        if self.broken:
            raise ArithmeticError("stats")


def test_the_others_go_on_and_the_log_says_so_once() -> None:
    metrics, figures = Metrics("sample"), Figures()
    metrics.registry.register(Unbroken(figures))

    def text() -> str:
        return generate_latest(metrics.registry).decode()

    with capture_logs() as told:
        assert "sample_jobs 3.0" in text()
        for figures.broken in (True, True, True, False, True):
            assert ("sample_jobs" in text()) is not figures.broken
            assert "python_gc_collections_total" in text()
    assert [line["event"] for line in told] == [
        "the engine cannot say how it is, so its own metrics are missing"
    ] * 2
