"""Sinks fail, records are poisoned, the end comes at any moment: nothing is lost, nobody waits for ever."""

from contextlib import suppress
from functools import partial

from lab.grader import Explore, requires
from lab_kit.ports import Ports
from log_pipeline.checks.world import World, batch, batches, begin, limits
from log_pipeline.contract import Closed, LogPipeline, PipelineError


def test_a_failing_sink_loses_nothing(explore: Explore) -> None:
    """While the sink takes nothing, records wait, `stats().failing` says why, and attempts become rarer; then all
    are written, and none is dead."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        world.sink.failing = True
        pipeline = world.start(limits=limits(consumers=1))
        sent = list(batches("a", 3))
        for one in sent:
            pipeline.submit(one)
        world.clock.sleep(20.0)
        tries, said = world.sink.fired["failing"], pipeline.stats().failing
        world.sink.failing = False
        world.until(lambda: len(world.sink.written) == 3, 10.0)
        pipeline.stop(60.0)
        stats = pipeline.stats()
        assert sorted(world.sink.written) == world.lines(sent), f"written {world.sink.written}"
        assert (stats.ledger.dead, world.sink.buried) == (0, []), f"dead: {stats.ledger}"
        assert said, "stats().failing said nothing while the sink failed"
        assert 3 <= tries <= 10, f"in 20 s, waiting 1, 2, 4, 4 … s between them, it tried {tries} times"

    explore(scenario, schedules=8)


def test_a_poisoned_record_is_buried_alone(explore: Explore) -> None:
    """A record that the sink rejects `attempts` times is dead, by itself: those that came with it are written,
    once."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        world.sink.poison = b"a1-2"
        pipeline = world.start(limits=limits(batch_bytes=100, linger=1.0))
        sent = list(batches("a", 3, records=4))
        for one in sent:
            pipeline.submit(one)
        pipeline.stop(60.0)
        ledger = pipeline.stats().ledger
        wanted = [line for line in world.lines(sent) if line != b"a1-2"]
        assert sorted(world.sink.written) == wanted, f"11 of 12 can be written: {sorted(world.sink.written)}"
        assert world.sink.buried == [b"a1-2"], f"buried: {world.sink.buried}"
        assert (ledger.written, ledger.dead) == (11, 1), f"the ledger says {ledger}"
        told = {one.batch_id: (one.written, one.dead) for one in world.receipts}
        assert told.get("a1") == (3, 1), f"the receipts say {told}"

    explore(scenario, schedules=8)


def test_stop_drains(explore: Explore) -> None:
    """With time enough, `stop` writes everything that was accepted, a batch that still lingers included."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports, seconds=0.5)
        pipeline = world.start(limits=limits(batch_bytes=20, linger=1000.0))
        sent = list(batches("a", 6))
        for one in sent:
            pipeline.submit(one)
        began = world.clock.monotonic()
        left = pipeline.stop(60.0)
        took = world.clock.monotonic() - began
        assert sorted(world.sink.written) == world.lines(sent), f"written {world.sink.written}"
        assert left == [], f"stop() returned {left}"
        assert took <= 5.0, f"two writes of 0.5 s were left, and stop() took {took:.1f} s"

    explore(scenario, schedules=10)


def test_stop_returns_the_rest(explore: Explore) -> None:
    """By the deadline, each accepted record is written or returned, never both; after it nothing is accepted or
    written, and the books still balance."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports, seconds=1.0)
        pipeline = world.start()
        early, later = list(batches("a", 3)), list(batches("b", 12))
        accepted = list(early)

        def send() -> None:
            with suppress(PipelineError):
                for one in later:
                    pipeline.submit(one)
                    accepted.append(one)

        sender = begin(send)
        for one in early:
            pipeline.submit(one)
        left = pipeline.stop(2.5)
        sender.join()
        written = len(world.sink.written)
        try:
            pipeline.submit(batch("late"))
            late = "accepted"
        except Closed:
            late = "Closed"
        world.clock.sleep(60.0)
        ledger = pipeline.stats().ledger
        both = sorted(world.sink.written + world.lines(left))
        assert both == world.lines(accepted), f"written {world.sink.written}, returned {world.lines(left)}"
        assert late == "Closed", f"a batch was {late} after stop()"
        assert len(world.sink.written) == written, "it went on writing after stop() had returned"
        assert ledger.balanced, f"it does not add up: {ledger}"
        assert ledger.in_flight == len(left), f"{len(left)} were returned: {ledger}"

    explore(scenario, schedules=15)


def test_stop_wakes_whoever_waits(explore: Explore) -> None:
    """Senders that wait for room and consumers that wait for work are let go at once, however many there are."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        world.sink.shut()
        pipeline = world.start(limits=limits(records=2, consumers=4))
        outcomes, told = list[str](), list[float]()

        def send(name: str) -> None:
            try:
                pipeline.submit(batch(name))
                outcomes.append("accepted")
            except Closed:
                outcomes.append("Closed")
                told.append(world.clock.monotonic())

        senders = [begin(partial(send, name)) for name in "abcd"]
        world.clock.sleep(1.0)
        assert outcomes == ["accepted"] * 2, f"the bound is 2 records, 4 were sent, and {outcomes}"
        began = world.clock.monotonic()
        left = pipeline.stop(5.0)
        took = world.clock.monotonic() - began
        for sender in senders:
            sender.join()
        assert outcomes.count("Closed") == 2, f"two waited for room, and what they got is {outcomes}"
        assert max(told) - began <= 0.5, f"they were told {max(told) - began:.1f} s after stop() was called"
        assert len(left) + len(world.sink.written) == 2, f"two were accepted, returned {left}"
        assert took <= 5.5, f"the deadline was 5 s, it took {took:.1f} s"
        assert world.all_pools_closed(), "a pool of threads was never shut down"

    explore(scenario, schedules=12)


def test_an_idle_pipeline_ends_at_once(explore: Explore) -> None:
    """Consumers that have nothing to do end as soon as they are told, all of them."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        pipeline = world.start(limits=limits(consumers=3, linger=100.0))
        began = world.clock.monotonic()
        left = pipeline.stop(60.0)
        took = world.clock.monotonic() - began
        assert (left, world.sink.written) == ([], []), f"returned {left}, written {world.sink.written}"
        assert took <= 1.0, f"nothing was to be done, and stop() took {took:.1f} s"
        assert world.all_pools_closed(), "a pool of threads was never shut down"

    explore(scenario, schedules=15)


def test_a_hanging_sink_is_left(explore: Explore) -> None:
    """A write that never returns is aborted at the deadline, and what it had in hand is returned."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        world.sink.shut()
        pipeline = world.start()
        sent = list(batches("a", 5))
        for one in sent:
            pipeline.submit(one)
        requires(world.until(lambda: world.sink.fired["hang"] > 0, 5.0), "a write that hangs")
        began = world.clock.monotonic()
        left = pipeline.stop(3.0)
        took = world.clock.monotonic() - began
        assert took <= 4.0, f"the deadline was 3 s, it took {took:.1f} s"
        assert world.lines(left) == world.lines(sent), f"5 were accepted, stop() returned {world.lines(left)}"
        assert [one.id for one in left] == [one.id for one in sent], (
            "what is left is not in the order it came"
        )

    explore(scenario, schedules=8)


def test_the_next_life_goes_on(explore: Explore) -> None:
    """What `stop` returned is what the next engine is given: it is written before what comes later, even if it is
    more than the bounds allow."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        world.sink.shut()
        pipeline = world.start()
        sent = list(batches("a", 4))
        for one in sent:
            pipeline.submit(one)
        left = pipeline.stop(0.0)
        requires(len(left) == 4, "an end with something left")
        again = World(engine, ports)
        successor = again.start(*left, limits=limits(records=2, consumers=1))
        successor.submit(batch("new"))
        rest = successor.stop(60.0)
        assert rest == [], f"stop() returned {rest}"
        assert again.lines(sent) == sorted(again.sink.written[:4]), f"written {again.sink.written}"
        told = [one.batch_id for one in again.receipts]
        assert sorted(told) == ["a0", "a1", "a2", "a3", "new"], f"it told of {told}"

    explore(scenario, schedules=8)
