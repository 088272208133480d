"""The load test of T2: what senders do, as functions of a visitor, whoever runs them.

Everything follows from the visitor's random numbers. A visit checks that what it sent was written, all of it.
"""

import time
from collections.abc import Callable, Mapping
from random import Random

from lab_kit.visits import Visitor

LEVELS = {"info": 90, "warning": 6, "error": 3, "critical": 1}
SERVICES = ("checkout", "search", "mail", "stock", "login")
EVENTS = ("request served", "cache missed", "message queued", "user signed in", "job finished")
LOGS = "/v1/logs"


type Visit = Callable[[Visitor], None]


def send(visitor: Visitor) -> None:
    """Send some records, as a service does that collects them for a moment."""
    _send(visitor, visitor.random.randint(20, 200))


def send_many(visitor: Visitor) -> None:
    """Send what has gathered in a while."""
    _send(visitor, 5000)


def alarm(visitor: Visitor) -> None:
    """Send one critical record, and see how soon it is written."""
    _send(visitor, 1, "critical")


def look(visitor: Visitor) -> None:
    """Look at the ledger, which adds up, and at the last errors."""
    _, stats = visitor.ask("GET", "/v1/stats")
    ledger = stats["ledger"]
    places = ledger["written"] + sum(ledger["dropped"].values()) + ledger["dead"] + ledger["in_flight"]
    error = None if ledger["accepted"] == places else "the ledger does not add up"
    visitor.measure("ledger", 0.0, error=error)
    visitor.ask("GET", "/v1/records/error?limit=20", name="/v1/records/[kind]")


VISITS: Mapping[Visit, int] = {send: 12, send_many: 3, alarm: 2, look: 3}


def gentle(visitor: Visitor) -> None:
    """A few records of every kind, and a look."""
    _send(visitor, visitor.random.randint(5, 50))
    look(visitor)


def tidy(visitor: Visitor) -> None:
    """Written records stay where they are: there is nothing to remove."""


def record(random: Random, level: str | None = None) -> dict[str, object]:
    """One record as a service would write it."""
    chosen = level or random.choices(list(LEVELS), list(LEVELS.values()))[0]
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    about = {"service": random.choice(SERVICES), "event": random.choice(EVENTS), "took": random.random()}
    return {"ts": now, "level": chosen, **about, "trace": f"{random.getrandbits(64):016x}"}


def wrong(sent: int, answer: Mapping[str, int]) -> str | None:
    """Return what is wrong with an answer, in words that repeat; None if nothing is."""
    if answer["dead"]:
        return "records are dead"
    if sum(answer.values()) != sent:
        return "the answer does not add up"
    return None


def _send(visitor: Visitor, count: int, level: str | None = None) -> None:
    records = [record(visitor.random, level) for _ in range(count)]
    began = time.perf_counter()
    status, answer = visitor.ask(
        "POST", LOGS, name=f"{LOGS} ({level or _size(count)})", body=records, allow=(429,)
    )
    if status != 429:
        entry = "critical record to written" if level else f"{_size(count)} records to written"
        visitor.measure(entry, time.perf_counter() - began, count, wrong(count, answer))


def _size(count: int) -> str:
    return "many" if count > 1000 else "some"
