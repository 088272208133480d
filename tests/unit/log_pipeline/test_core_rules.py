"""When somebody is told, how fast a source may send, how many consumers there should be."""

import pytest

from log_pipeline.contract import Batch, Limits, Policy, Priority
from log_pipeline.core.alerts import STEPS, Rule, Rules
from log_pipeline.core.bucket import SOURCES, Buckets
from log_pipeline.core.scaling import Scaling

CRITICAL, ERROR, REST = Priority


def batch(records: int = 1, priority: Priority = ERROR, source: str = "a", text: bytes = b"x") -> Batch:
    return Batch(source, priority, (text + b"\n") * records, records)


class TestAlerts:
    def test_a_rate_is_of_its_window_and_said_once(self) -> None:
        rules = Rules([Rule("errors", "rate", ERROR, count=10, window=60, quiet=300)], 0.0)
        assert rules.see(batch(9), 0.0) == []
        assert rules.see(batch(9), 61.0) == []
        [alert] = rules.see(batch(1), 62.0)
        assert (alert.rule, alert.time) == ("errors", 62.0)
        assert rules.see(batch(10), 63.0) == []
        assert len(rules.see(batch(10), 363.0)) == 1

    def test_a_rule_is_about_its_priority_and_its_source(self) -> None:
        rules = Rules([Rule("mine", "rate", ERROR, source="a")], 0.0)
        assert rules.see(batch(priority=REST), 0.0) == rules.see(batch(source="b"), 0.0) == []
        assert len(rules.see(batch(priority=CRITICAL), 0.0)) == 1

    def test_a_pattern_says_what_it_found_and_where(self) -> None:
        rules = Rules([Rule("disk", "pattern", REST, pattern=rb"no space on /\w+")], 0.0)
        [alert] = rules.see(batch(text=b"there is no space on /var now"), 0.0)
        assert alert.text == "no space on /var from a"

    def test_what_is_counted_does_not_grow_with_what_comes(self) -> None:
        rules = Rules([Rule("errors", "rate", ERROR, count=10**9, window=100)], 0.0)
        for moment in range(50_000):
            rules.see(batch(), moment / 100)
        [watched] = rules._watched
        assert len(watched.events) <= STEPS + 1
        assert watched.total == pytest.approx(10_000, rel=2 / STEPS)

    def test_absence_is_said_and_ends_with_the_next_record(self) -> None:
        rules = Rules([Rule("silent", "absence", REST, window=10, quiet=1000)], 0.0)
        assert rules.tick(9.0) == []
        assert len(rules.tick(10.0)) == 1
        assert rules.tick(11.0) == []
        rules.see(batch(priority=REST), 12.0)
        assert rules.tick(21.0) == []
        assert len(rules.tick(22.0)) == 1


class TestRates:
    LIMITS = Limits(rate=10.0, burst=5, sample=3)

    def test_who_waits_has_tokens_of_the_future(self) -> None:
        buckets = Buckets(self.LIMITS)
        assert [buckets.claim(batch(5), 0.0).delay for _ in range(3)] == [0.0, 0.5, 1.0]

    def test_what_did_not_come_is_given_back(self) -> None:
        buckets = Buckets(self.LIMITS)
        claimed = buckets.claim(batch(15), 0.0)
        buckets.give_back(batch(15), claimed, 0.0)
        assert buckets.claim(batch(5), 0.0).delay == 0.0

    def test_the_sample_goes_on_from_batch_to_batch(self) -> None:
        buckets = Buckets(self.LIMITS)
        kept = [buckets.claim(batch(2, REST), 0.0).kept.records for _ in range(9)]
        assert sum(kept) == 5 + 5  # of 13 beyond: the 1st, 4th, 7th, 10th and 13th

    def test_full_buckets_are_forgotten_when_there_are_too_many(self) -> None:
        buckets = Buckets(self.LIMITS)
        for number in range(SOURCES + 10):
            buckets.claim(batch(source=str(number)), number / 10)
        assert len(buckets._buckets) < SOURCES

    def test_whoever_finds_no_bucket_of_its_own_shares_one(self) -> None:
        buckets = Buckets(Limits(rate=0.001, burst=5))
        for number in range(SOURCES):
            buckets.claim(batch(source=str(number)), 0.0)
        assert [buckets.claim(batch(4, source=name), 0.0).delay for name in "abc"] == [0.0, 3000.0, 7000.0]
        assert len(buckets._buckets) == SOURCES

    def test_critical_records_are_never_dropped(self) -> None:
        with pytest.raises(ValueError, match="critical records are never dropped"):
            Limits(policies=dict.fromkeys(Priority, Policy.DROP))


class TestScaling:
    def test_it_hires_while_records_age_up_to_the_most(self) -> None:
        scaling, consumers = Scaling(most=3, high=1.0), 1
        for _ in range(5):
            consumers = scaling.decide(consumers, 2.0)
        assert consumers == 3

    def test_it_lets_go_only_after_a_calm(self) -> None:
        scaling = Scaling(most=3, calm=3)
        assert [scaling.decide(3, 0.0) for _ in range(3)] == [3, 3, 2]

    def test_between_the_two_ages_nothing_changes_and_the_calm_begins_anew(self) -> None:
        scaling = Scaling(most=3, low=0.1, high=1.0, calm=2)
        assert [scaling.decide(2, age) for age in (0.0, 0.5, 0.0, 0.5, 0.0)] == [2] * 5
