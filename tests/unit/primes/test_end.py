"""A program that forgets to stop its engine, or is interrupted before it can, ends all the same."""

import subprocess
import sys

import psutil

PROGRAM = """
import sys
from primes.adapters.memory import memory_board
from primes.adapters.processes import ProcessCrew
from primes.contract import Job, Limits, Ports
from primes.engine import PrimeCalculator

crew = ProcessCrew(1, "numpy")
engine = PrimeCalculator(Ports(crew=lambda: crew, board=memory_board), Limits(workers=1))
engine.start([])
job = engine.submit(Job(0, 10**11))
while not crew.pids():
    engine.wait(job, 0.01)
print(*crew.pids(), flush=True)
sys.exit(3)
"""


def test_a_program_that_does_not_stop_its_engine_ends() -> None:
    ended = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=30)
    assert ended.returncode == 3, ended.stderr
    [worker] = map(int, ended.stdout.split())
    assert not psutil.wait_procs([one for one in psutil.process_iter() if one.pid == worker], timeout=10)[1]
