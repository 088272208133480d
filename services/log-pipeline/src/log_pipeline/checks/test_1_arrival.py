"""What is accepted is written, once, in order of urgency, and the books say so."""

from functools import partial

from lab.grader import Explore, requires
from lab_kit.ports import Ports
from log_pipeline.checks.world import World, at_once, batch, batches, begin, limits, submit_all
from log_pipeline.contract import LogPipeline, Priority, Stats

CRITICAL, ERROR, REST = Priority


def test_every_record_is_written_once(explore: Explore) -> None:
    """However many senders and consumers there are, each record that was accepted is written, and no more often
    than once."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        pipeline = world.start()
        sent = [list(batches(name, 3, records=2)) for name in ("a", "b")]
        at_once(*(partial(submit_all, pipeline, ours) for ours in sent))
        left = pipeline.stop(60.0)
        wanted = world.lines([one for ours in sent for one in ours])
        assert not left, f"stop() had a minute, and returned {left}"
        assert sorted(world.sink.written) == wanted, f"{len(wanted)} sent, written {world.sink.written}"

    explore(scenario, schedules=20)


def test_the_books_balance_at_every_instant(explore: Explore) -> None:
    """Whenever somebody looks, each accepted record is written, dropped, dead or in flight; none is counted as
    written that is not, and what is written is no longer in flight when all is done."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        pipeline = world.start()
        seen: list[tuple[Stats, int]] = []

        def look() -> None:
            for _ in range(3):
                stats = pipeline.stats()
                seen.append((stats, len(world.sink.written)))

        def send(name: str) -> None:
            for one in batches(name, 2, records=2):
                pipeline.submit(one)

        at_once(partial(send, "a"), partial(send, "b"), look)
        pipeline.stop(60.0)
        for stats, durable in [*seen, (pipeline.stats(), len(world.sink.written))]:
            assert stats.ledger.balanced, f"it does not add up: {stats.ledger}"
            assert stats.ledger.written <= durable, f"{durable} are written, the ledger says {stats.ledger}"
        ledger = pipeline.stats().ledger
        assert (ledger.accepted, ledger.written, ledger.in_flight) == (8, 8, 0), f"8 were sent: {ledger}"

    explore(scenario, schedules=40)


def test_the_urgent_goes_first(explore: Explore) -> None:
    """Of what waits, critical records are written before errors, and errors before the rest; within a priority,
    what came first."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        world.sink.shut()
        pipeline = world.start(limits=limits(consumers=1))
        pipeline.submit(batch("first"))
        requires(world.until(lambda: world.sink.fired["hang"] == 1), "a write that hangs")
        for priority in (REST, ERROR, CRITICAL, REST, CRITICAL):
            number = world.clock.monotonic()
            pipeline.submit(batch(f"{priority.name}-{number}", priority=priority))
            world.clock.sleep(0.5)
        world.sink.open()
        pipeline.stop(60.0)
        order = [line.decode() for line in world.sink.written[1:]]
        urgent = [Priority[line.split("-")[0]] for line in order]
        times = {kind: [line for line in order if line.startswith(kind.name)] for kind in Priority}
        assert urgent == sorted(urgent), f"written in the order {[one.name for one in urgent]}"
        assert all(_came(lines) == sorted(_came(lines)) for lines in times.values()), f"written {order}"

    explore(scenario, schedules=8)


def _came(lines: list[str]) -> list[float]:
    return [float(line.split("-")[1]) for line in lines]


def test_nothing_starves(explore: Explore) -> None:
    """However many critical records keep coming, a record that has waited twice `aging` longer than they is
    written before them."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports, seconds=1.0)
        pipeline = world.start(limits=limits(consumers=1, aging=2.0))
        for one in batches("flood", 3, priority=CRITICAL):
            pipeline.submit(one)
        pipeline.submit(batch("old"))
        for one in batches("later", 10, priority=CRITICAL):
            world.clock.sleep(1.0)
            pipeline.submit(one)
        pipeline.stop(60.0)
        place = world.sink.written.index(b"old-0")
        assert place <= 8, f"a record that waited for {place} s was overtaken by others that came 4 s later"
        assert place >= 4, f"aging is 2 s, and after {place} s the critical ones had to wait"

    explore(scenario, schedules=6)


def test_small_batches_are_written_together(explore: Explore) -> None:
    """What waits is written when it is `batch_bytes`, in one write, or when the oldest of it is `linger` seconds
    old."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        pipeline = world.start(limits=limits(batch_bytes=12, linger=5.0))
        for one in batches("a", 4):
            pipeline.submit(one)
        world.clock.sleep(1.0)
        full = [len(lines) for lines in world.sink.writes]
        pipeline.submit(batch("b"))
        world.clock.sleep(4.0)
        young = len(world.sink.written)
        world.clock.sleep(2.0)
        old = len(world.sink.written)
        pipeline.stop(60.0)
        assert max(full, default=0) == 3, f"3 lines are batch_bytes; the writes had {full} lines"
        assert young < 5, "a single record was written before it was `linger` old"
        assert old == 5, f"after `linger` seconds {old} of 5 records are written"

    explore(scenario, schedules=10)


def test_each_batch_is_told_once(explore: Explore) -> None:
    """`finished` hears once of each batch, when all its records have ended, and may then ask the engine."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        pipeline = world.start()
        durable: list[tuple[str, int]] = []

        def finished(receipt: object) -> None:
            world.receipts.append(receipt)  # type: ignore[arg-type]  # a receipt, of a right engine
            durable.append((world.receipts[-1].batch_id, len(world.sink.written)))
            pipeline.stats()

        world.finished = finished
        senders = [begin(partial(pipeline.submit, one)) for one in batches("a", 4, records=2)]
        for sender in senders:
            sender.join()
        pipeline.stop(60.0)
        told = sorted((one.batch_id, one.written) for one in world.receipts)
        assert told == [(f"a{number}", 2) for number in range(4)], f"it told of {told}"
        assert all(count >= 2 for _, count in durable), "a batch was told of before it was written"

    explore(scenario, schedules=15)
