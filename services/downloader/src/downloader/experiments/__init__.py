"""Three claims about downloads in many threads; `lab experiment T1` runs them."""

from downloader.experiments.counter import COUNTER
from downloader.experiments.jitter import JITTER
from downloader.experiments.workers import WORKERS

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = (WORKERS, JITTER, COUNTER)
