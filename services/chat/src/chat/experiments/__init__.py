"""Three claims about a chat; `lab experiment A2` runs them."""

from chat.experiments.fanout import FANOUT
from chat.experiments.heartbeat import HEARTBEAT
from chat.experiments.slow import SLOW

__all__ = ["EXPERIMENTS"]

EXPERIMENTS = (SLOW, FANOUT, HEARTBEAT)
