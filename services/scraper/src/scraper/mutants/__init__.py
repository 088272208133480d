"""Wrong solutions. Each is the reference with one mistake that people make, and names the check that rejects it.

They keep the checks honest: a check that no wrong solution fails is not a check.
"""

from scraper.mutants.pages import *  # noqa: F403  # each part lists its own
from scraper.mutants.politeness import *  # noqa: F403  # each part lists its own
from scraper.mutants.trouble import *  # noqa: F403  # each part lists its own
from scraper.mutants.users import *  # noqa: F403  # each part lists its own
