"""Prints those entries of a lock whose names are read from standard input, lines such as `redis==8.1`.

So an image holds what it needs and no more, each with the hashes of the one lock. A name that is not in the
lock is an error: the lock is stale.
"""

import re
import sys
from pathlib import Path

entries = re.split(r"(?m)^(?=[a-zA-Z0-9])", Path(sys.argv[1]).read_text())
lock = {re.split(r"[=\[ ]", entry)[0]: entry for entry in entries[1:]}
names = [re.split(r"[=\[ ]", line)[0] for line in sys.stdin if line[0].isalnum()]
missing = [name for name in names if name not in lock]
if missing:
    sys.exit(f"not in {sys.argv[1]}: {', '.join(missing)}; run `make lock`")
sys.stdout.writelines(lock[name] for name in names)
