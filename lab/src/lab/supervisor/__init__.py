"""Runs the services of a Compose file as processes: starts, watches, restarts and ends them.

`plan` says what will run; `run` runs it; `guard` ends it should the supervisor be killed; `state` is what
other commands know about it.
"""
