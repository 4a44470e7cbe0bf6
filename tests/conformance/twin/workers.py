"""SAGEMAKER_MODEL_SERVER_WORKERS: so many processes, each with a listening socket of its own on the same port."""

import os

from faults import faulty

COUNT = int(os.environ.get("SAGEMAKER_MODEL_SERVER_WORKERS") or 1)


def fork():
    """Go on in COUNT processes; all but the first end with it, which is process 1."""
    if not faulty("SCR-10"):
        any(os.fork() == 0 for _ in range(COUNT - 1))  # a child forks no more
