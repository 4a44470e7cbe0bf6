"""What GET /execution-parameters answers: how batch transform should send its records. Called by nginx, which answers.

The platform asks once, before it sends the first record; what the job itself says wins over it. Standard library only:
it runs in PID 1. Source: https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html
"""

from __future__ import annotations

from container.resources import MEGABYTE, USABLE_MEMORY, WORKER_BASE_BYTES, Limit

PRODUCT_LIMIT_MB = 100
"""MaxConcurrentTransforms times MaxPayloadInMB may not be more: API CreateTransformJob."""

BYTES_PER_BODY_BYTE = 8  # the body, its parsed rows and the answer: CSV of short numbers takes about that at once


def execution_parameters(workers: int, threads: int, body_limit_mb: int, memory: Limit | None) -> dict[str, int | str]:
    """As many requests at once as can be predicted at once, each as large as body limit and memory allow.

    body_limit_mb: 0 for none.
    """
    at_once = min(workers * threads, PRODUCT_LIMIT_MB)
    limits_mb = [PRODUCT_LIMIT_MB // at_once, body_limit_mb or PRODUCT_LIMIT_MB]
    if memory is not None:
        free_bytes = USABLE_MEMORY * memory.value - workers * WORKER_BASE_BYTES
        limits_mb.append(int(free_bytes / at_once / BYTES_PER_BODY_BYTE / MEGABYTE))
    return {
        "MaxConcurrentTransforms": at_once,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": max(1, min(limits_mb)),
    }
