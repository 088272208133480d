"""Three claims about polite crawling on one loop; `lab experiment A1` runs them."""

from scraper.experiments.breaker import BREAKER
from scraper.experiments.bucket import BUCKET
from scraper.experiments.places import PLACES

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = (BUCKET, BREAKER, PLACES)
