"""The graded requirements of T1, and the simulated world they are judged in."""
