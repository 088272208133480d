"""What the shell completes: challenges that are installed."""

__all__ = ["challenges", "services"]


def challenges(incomplete: str) -> list[tuple[str, str]]:
    """Codes and folders that begin with what was typed, each with its title."""
    from lab.challenges import installed

    typed = incomplete.casefold()
    found = [(name, one.title) for one in installed() for name in (one.code, one.folder)]
    return [(name, title) for name, title in found if name.casefold().startswith(typed)]


def services(incomplete: str) -> list[tuple[str, str]]:
    """The same, and the origin."""
    origin = [("origin", "the synthetic web")] if "origin".startswith(incomplete.casefold()) else []
    return challenges(incomplete) + origin
