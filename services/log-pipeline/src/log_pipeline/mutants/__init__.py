"""Wrong solutions. Each is the reference with one mistake that people make, and names the check that rejects it.

They keep the checks honest: a check that no wrong solution fails is not a check.
"""

from log_pipeline.mutants.accounts import *  # noqa: F403  # each part lists its own
from log_pipeline.mutants.bounds import *  # noqa: F403  # each part lists its own
from log_pipeline.mutants.endings import *  # noqa: F403  # each part lists its own
