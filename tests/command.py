"""The command `lab`, as a person starts it.

`python -m lab` is not the same: when Ctrl-C comes amid the `exec` of an import, the interpreter ends that one by
SIGINT, whatever the program says.
"""

import sys
from pathlib import Path

LAB = str(Path(sys.executable).with_name("lab"))
