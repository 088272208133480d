"""The real ports of M2: processes and shared memory here, Celery and Redis elsewhere."""
