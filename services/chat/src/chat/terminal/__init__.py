"""The chat in a terminal: `lab chat --name ann`. What is typed is said; what is said is printed."""

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

from chat.terminal.door import Ended
from chat.terminal.person import Person
from chat.terminal.words import HELP

__all__ = ["main"]

INTERRUPTED = 130


def main(arguments: Sequence[str]) -> None:
    """The command. Ends the process with 1 and one sentence where it cannot go on."""
    base = int(os.environ.get("LAB_PORT_BASE") or 8000)
    parser = argparse.ArgumentParser(
        prog="lab chat", description="Talk in a terminal. Example: lab chat --name ada", epilog=HELP
    )
    parser.add_argument(
        "--name", required=True, help="who you are: a lower-case letter, then letters and digits"
    )
    parser.add_argument("--room", default="general", help="where to begin; @NAME is a private conversation")
    parser.add_argument("--url", default=f"http://127.0.0.1:{base + 6}", help="where the chat is")
    chosen = parser.parse_args(arguments)
    try:
        asyncio.run(Person(chosen.url.rstrip("/"), chosen.name, chosen.room).run())
    except Ended as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
