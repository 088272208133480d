"""The lab: its command line, its supervisor and the synthetic web its services work on."""

__all__ = ["LabError"]


class LabError(Exception):
    """Something a person can put right; the message says what is wrong, which value, and what to do."""
