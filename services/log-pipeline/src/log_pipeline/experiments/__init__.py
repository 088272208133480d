"""Four claims about queues; `lab experiment T2` runs them."""

from log_pipeline.experiments.aging import AGING
from log_pipeline.experiments.burst import BURST
from log_pipeline.experiments.little import LITTLE
from log_pipeline.experiments.slow import SLOW

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = (LITTLE, SLOW, BURST, AGING)
