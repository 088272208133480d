"""The supervisor in the background: python -m lab.supervisor FILE."""

import sys
from pathlib import Path

from lab import LabError
from lab.supervisor.report import Plain
from lab.supervisor.run import supervise
from lab.supervisor.state import Home


def main() -> int:
    """Supervise until told to stop; what went wrong goes to stderr as a sentence."""
    file = Path(sys.argv[1])
    try:
        return supervise(file, Home.beside(file), Plain())
    except LabError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
