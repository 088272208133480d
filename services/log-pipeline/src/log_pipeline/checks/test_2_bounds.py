"""What is in flight is bounded, senders are slowed, and no source sends faster than it may."""

from functools import partial

from lab.grader import Explore, requires
from lab_kit.ports import Ports
from log_pipeline.checks.world import World, at_once, batch, batches, begin, limits
from log_pipeline.contract import Busy, LogPipeline, Policy, Priority, Reason, TooLarge

CRITICAL, ERROR, REST = Priority


def test_records_are_bounded(explore: Explore) -> None:
    """However many submit at once, no more than `limits.records` are accepted and not yet written; who waits is
    let in as room is made."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports, seconds=1.0)
        pipeline = world.start(limits=limits(records=3))
        accepted, most = [0], [0]

        def send(name: str) -> None:
            for one in batches(name, 2, records=2):
                pipeline.submit(one)
                accepted[0] += 2
                most[0] = max(most[0], accepted[0] - len(world.sink.written))

        at_once(partial(send, "a"), partial(send, "b"), partial(send, "c"))
        left = pipeline.stop(60.0)
        assert most[0] <= 3, f"the bound is 3 records, {most[0]} were in flight"
        assert (len(world.sink.written), left) == (12, []), f"12 were sent, {len(world.sink.written)} written"

    explore(scenario, schedules=15)


def test_bytes_are_bounded(explore: Explore) -> None:
    """A few large records are as many bytes as many small ones: `limits.bytes` holds for what is waiting and for
    what is being written. What can never fit is refused at once."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        world.sink.shut()
        pipeline = world.start(limits=limits(bytes=30))
        outcome = []
        for one in batches("large", 5, records=1):
            try:
                pipeline.submit(one, 1.0)
                outcome.append(len(one.payload))
            except Busy:
                break
        try:
            pipeline.submit(batch("far too large for this", 2))
            refused = False
        except TooLarge:
            refused = True
        world.sink.open()
        pipeline.stop(60.0)
        assert sum(outcome) == 27, f"the bound is 30 bytes; of batches of 9, {sum(outcome)} bytes came in"
        assert refused, "a batch of more than limits.bytes was not refused with TooLarge"

    explore(scenario, schedules=8)


def test_patience_ends(explore: Explore) -> None:
    """When there is no room, `submit` waits as long as it was told and no longer, and then accepts nothing."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        world.sink.shut()
        pipeline = world.start(limits=limits(records=2))
        for one in batches("a", 2):
            pipeline.submit(one)
        began = world.clock.monotonic()
        try:
            pipeline.submit(batch("late"), 7.0)
            outcome = "accepted"
        except Busy:
            outcome = "Busy"
        waited = world.clock.monotonic() - began
        world.sink.open()
        pipeline.stop(60.0)
        assert outcome == "Busy", f"there was no room, and it was {outcome}"
        assert 6.9 <= waited <= 7.5, f"its patience was 7 s, it waited {waited:.1f} s"
        ledger = pipeline.stats().ledger
        assert ledger.accepted == 2, f"two were accepted, the ledger says {ledger}"

    explore(scenario, schedules=8)


def test_the_urgent_is_let_in_first(explore: Explore) -> None:
    """When there is room again, a critical record does not stand behind others that wait longer."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports, seconds=1.0)
        pipeline = world.start(limits=limits(records=1, consumers=1))
        pipeline.submit(batch("first"))
        senders = [begin(partial(pipeline.submit, one)) for one in batches("rest", 3)]
        world.clock.sleep(0.2)
        senders.append(begin(partial(pipeline.submit, batch("critical", priority=CRITICAL))))
        for sender in senders:
            sender.join()
        pipeline.stop(60.0)
        place = world.sink.written.index(b"critical-0")
        assert place == 1, f"the critical record was let in as number {place} of those that waited"

    explore(scenario, schedules=12)


def test_nobody_is_kept_out_for_ever(explore: Explore) -> None:
    """However many critical records want to come in, a sender that has waited twice `aging` longer than theirs is
    let in before them."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports, seconds=1.0)
        pipeline = world.start(limits=limits(records=1, consumers=1, aging=2.0))

        def send(name: str) -> None:
            for one in batches(name, 8, priority=CRITICAL):
                pipeline.submit(one)

        senders = [begin(partial(send, name)) for name in ("flood", "more")]
        senders.append(begin(partial(pipeline.submit, batch("old"))))
        for sender in senders:
            sender.join()
        pipeline.stop(60.0)
        place = world.sink.written.index(b"old-0")
        assert place <= 8, f"a sender waited {place} s for room; others who came 4 s later were let in before"

    explore(scenario, schedules=6)


def test_the_rate_is_exact(explore: Explore) -> None:
    """A source whose policy is to wait gets `burst` records through at once and then `rate` a second: never more,
    and no fewer. Another source is not slowed by that."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        pipeline = world.start(limits=limits(rate=2.0, burst=4))
        began, passed = world.clock.monotonic(), []

        def send(name: str) -> None:
            for one in batches(name, 3, priority=ERROR, records=2):
                pipeline.submit(one)
                passed.append((one.source, world.clock.monotonic() - began))

        at_once(partial(send, "a"), partial(send, "a"), partial(send, "b"))
        pipeline.stop(60.0)
        times = sorted(when for source, when in passed if source == "a")
        for count, when in enumerate(times, 1):
            assert 2 * count <= 4 + 2.0 * when + 0.1, f"after {when:.1f} s {2 * count} had come: {times}"
        assert times[-1] <= 4.5, (
            f"12 records at 2 a second after 4 at once take 4 s, it took {times[-1]:.1f} s"
        )
        other = max(when for source, when in passed if source == "b")
        assert other <= 1.5, f"the other source was held up for {other:.1f} s"

    explore(scenario, schedules=12)


def test_what_is_beyond_the_rate_is_counted(explore: Explore) -> None:
    """A policy of dropping drops exactly what is beyond the rate, sampling keeps each `sample`-th of it, and both
    are in the books; a critical record waits instead."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports)
        chosen = {CRITICAL: Policy.WAIT, ERROR: Policy.DROP, REST: Policy.SAMPLE}
        pipeline = world.start(limits=limits(rate=1.0, burst=4, sample=3, policies=chosen))
        pipeline.submit(batch("errors", 6, ERROR, "a"))
        pipeline.submit(batch("rest", 13, REST, "b"))
        pipeline.submit(batch("critical", 6, CRITICAL, "c"))
        pipeline.submit(batch("gone", 2, ERROR, "a"), 0.0)
        pipeline.stop(60.0)
        ledger = pipeline.stats().ledger
        kept = [line.rpartition(b"-")[0] for line in world.sink.written]
        assert kept.count(b"critical") == 6, f"{kept.count(b'critical')} of 6 critical records came"
        assert kept.count(b"errors") == 4, f"burst is 4, {kept.count(b'errors')} came"
        assert kept.count(b"rest") == 7, f"4 at once and 3 of 9 beyond: {kept.count(b'rest')} came"
        assert ledger.balanced, f"it does not add up: {ledger}"
        assert ledger.dropped[Reason.SAMPLE] == 6, f"6 were not in the sample: {ledger}"
        assert ledger.dropped[Reason.RATE] == 4 - kept.count(b"gone"), f"beyond the rate: {ledger}"
        told = {one.batch_id: one.dropped for one in world.receipts}
        assert told.get("errors") == 2, f"the receipts say that {told} were dropped"

    explore(scenario, schedules=6)


def test_consumers_come_and_go(explore: Explore) -> None:
    """`scale` changes how many write at once, while records keep coming, and none is lost by that."""

    def scenario(engine: type[LogPipeline], ports: Ports) -> None:
        world = World(engine, ports, seconds=1.0)
        pipeline = world.start(limits=limits(consumers=1))
        sent = list(batches("a", 12))
        for one in sent[:4]:
            pipeline.submit(one)
        world.clock.sleep(1.5)
        alone = world.sink.most_writing
        pipeline.scale(3)
        for one in sent[4:9]:
            pipeline.submit(one)
        world.until(lambda: len(world.sink.written) >= 9)
        together = world.sink.most_writing
        pipeline.scale(1)
        world.clock.sleep(1.5)
        world.sink.most_writing = 0
        for one in sent[9:]:
            pipeline.submit(one)
        requires(world.until(lambda: world.sink.writing > 0, 5.0) or len(world.sink.written) < 12, "a write")
        left = pipeline.stop(60.0)
        again = world.sink.most_writing
        assert (alone, together, again) == (1, 3, 1), (
            f"1, 3, 1 consumers: {alone}, {together}, {again} at once"
        )
        assert sorted(world.sink.written) == world.lines(sent), f"written {world.sink.written}, left {left}"

    explore(scenario, schedules=8)
