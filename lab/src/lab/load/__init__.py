"""Load on running services: gentle from the start, as much as you like with `lab load`.

What the users of a service do is in its own `load.py`: plain functions of a visitor, which know neither
Locust nor how they are run. A service's module `<module>.load` offers

- `VISITS`: what one user does, and how often in proportion: `{visit: weight}`;
- `gentle`: the visit that the background load repeats;
- `tidy`: removes what a gentle load that was killed has left behind.

A visitor is a `lab_kit.visits.Visitor`. This package runs visits in two ways: `gentle` in threads, small enough to
be always there, and `worker` as Locust users, for as much load as the machine has.
"""
