"""Mistakes about a host in trouble."""

from dataclasses import replace
from random import Random

from scraper.contract import Limits, Ports
from scraper.core.breaker import Breaker, BreakerState, Permit
from scraper.engine.host import Host
from scraper.mutants.spoiled import Mutant, with_hosts

__all__ = ["AllProbe", "AnySuccessCloses", "NeverGivesIn", "NoBudget", "NoJitter", "WaitsForALostProbe"]


class NoJitter(Mutant):
    """Waits exactly as long as everybody else."""

    caught_by = "failures_are_retried"

    def spoil(self, ports: Ports) -> Ports:
        return replace(ports, random=_Longest())


class _Longest(Random):
    def uniform(self, a: float, b: float) -> float:
        return b


class NoBudget(Mutant):
    """Tries each page again as often as allowed, whatever became of the others."""

    caught_by = "retries_have_a_budget"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, retry_budget=100.0)


class NeverGivesIn(Mutant):
    """Has no breaker."""

    caught_by = "breaker_spares_a_dead_host"

    def stretch(self, limits: Limits) -> Limits:
        return replace(limits, breaker_calls=1_000_000)


class _WithBreaker(Mutant):
    """Has another breaker."""

    breaker: type[Breaker]

    def __init__(self, ports: Ports, limits: Limits | None = None) -> None:
        super().__init__(ports, limits)
        kind = self.breaker

        class Other(Host):
            def __init__(self, *given: object) -> None:
                super().__init__(*given)  # type: ignore[arg-type]  # as the host is made
                of = self._limits
                self.breaker = kind(of.breaker_rate, of.breaker_calls, of.breaker_window, of.breaker_seconds)

        with_hosts(self, Other)


class _ManyProbes(Breaker):
    def wait(self, now: float) -> float:
        return super().wait(now) if self.state(now) is BreakerState.OPEN else 0.0


class AllProbe(_WithBreaker):
    """Half-open lets through whoever waits: three well-known libraries do."""

    caught_by = "half_open_lets_one_probe_out"
    breaker = _ManyProbes


class _NoEpochs(Breaker):
    def ended(self, permit: Permit, success: bool, now: float) -> None:
        if success and self.trips:
            self._probe, permit = permit, Permit(self._epoch, now)
            self._probe = permit
        super().ended(permit, success, now)


class AnySuccessCloses(_WithBreaker):
    """Takes any success for the probe's."""

    caught_by = "only_the_probe_closes_the_breaker"
    breaker = _NoEpochs


class _Wedged(Breaker):
    def lost(self, permit: Permit) -> None:
        pass

    def wait(self, now: float) -> float:
        return 1e6 if self._probe else super().wait(now)


class WaitsForALostProbe(_WithBreaker):
    """Waits for the probe's end, which nobody will tell if it was cancelled."""

    caught_by = "a_lost_probe_wedges_nothing"
    breaker = _Wedged
