"""Messages that wait for their acknowledgement are tasks in flight."""

from chat.metrics import WireMetrics
from lab_kit.coroutines import measured
from lab_kit.metrics import Metrics
from lab_kit.ports import NullTracer
from lab_kit.timeline import Timeline


def test_a_message_is_in_flight_until_it_has_its_place() -> None:
    metrics = Metrics("chat")
    wire, tasks = WireMetrics(metrics, lambda: "reference"), metrics.of("reference", Timeline())
    measured(tasks, 1, NullTracer())
    wire.begin("reference", tasks)

    def in_flight() -> float | None:
        labels = {"service": "chat", "engine": "reference"}
        return metrics.registry.get_sample_value("lab_tasks_in_flight", labels)

    wire.asked()
    wire.asked()
    assert in_flight() == 2
    wire.answered(0.1, well=True)
    wire.answered(0.1, well=False)
    assert in_flight() == 0
