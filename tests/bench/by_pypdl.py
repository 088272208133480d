"""pypdl as a program: fetches the first URL of a list, in four segments. Runs in the peers' environment."""

import logging
import sys
from pathlib import Path

from pypdl import Pypdl


def main() -> None:
    urls = Path(sys.argv[1]).read_text().split()
    if not urls:
        return
    manager = Pypdl(logger=logging.getLogger("quiet"))  # its own writes a file into the working folder
    if not manager.start(url=urls[0], file_path=sys.argv[2], segments=4, display=False):
        sys.exit("pypdl failed")


if __name__ == "__main__":
    main()
