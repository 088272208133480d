"""Wrong solutions. Each is the reference with one mistake that people make, and names the check that rejects
it.

They keep the checks honest: a check that no wrong solution fails is not a check.
"""

from chat.mutants.presence import *  # noqa: F403  # each part lists its own
from chat.mutants.queues import *  # noqa: F403  # each part lists its own
from chat.mutants.rooms import *  # noqa: F403  # each part lists its own
