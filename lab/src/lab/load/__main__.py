"""Runs the background load: `python -m lab.load --gentle`."""

import sys

from lab import LabError
from lab.load import gentle

USAGE = 64


def main() -> None:
    if sys.argv[1:] != ["--gentle"]:
        print("usage: python -m lab.load --gentle (for more than that: lab load SERVICE)", file=sys.stderr)
        sys.exit(USAGE)
    try:
        gentle.main()
    except LabError as error:
        print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
