"""The lab: its command line, its supervisor and the synthetic web its services work on."""

__all__ = ["Ended", "LabError", "WrongUsage"]


class LabError(Exception):
    """Something a person can put right; the message says what is wrong, which value, and what to do."""


class WrongUsage(LabError):
    """A command names what does not exist, or asks for what cannot be; nothing was done."""


class Ended(SystemExit):
    """The end of a command with a code that is meant as it is: 2 is a verdict here, not wrong usage."""
