"""The learner's loop: what there is to learn, the file to write, hints, the solution, the live service."""
