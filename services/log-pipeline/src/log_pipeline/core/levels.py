"""How urgent a level is, whatever it is called."""

from collections.abc import Mapping

from log_pipeline.contract import Priority

CRITICAL = ("critical", "crit", "fatal", "panic", "emerg", "emergency", "alert")
ERROR = ("error", "err", "severe", "exception")


def _spelled(names: tuple[str, ...], priority: Priority) -> dict[object, Priority]:
    return {spelt: priority for name in names for spelt in (name, name.upper(), name.title())}


LEVELS: Mapping[object, Priority] = {
    **_spelled(CRITICAL, Priority.CRITICAL),
    **_spelled(ERROR, Priority.ERROR),
    **dict.fromkeys((0, 1, 2), Priority.CRITICAL),  # severities of RFC 5424
    3: Priority.ERROR,
    40: Priority.ERROR,  # levels of Python's logging
    50: Priority.CRITICAL,
}


def priority_of(level: object) -> Priority:
    """The priority of a level as it stands in a record: a name in any case, a severity of syslog, a number of
    Python's. What is unknown, or missing, is of the rest."""
    try:
        found = LEVELS.get(level)
        if found is None and isinstance(level, str):
            found = LEVELS.get(level.lower())
    except TypeError:  # a list, say
        found = None
    return Priority.REST if found is None else found
