"""What each hosting mode of SageMaker allows, as defaults of the settings. Used by Settings.from_environ.

A variable that is set wins over its profile. Sources:
https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference.html (1 GB, 3,600 s),
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-batch-code.html (100 MB, 3,600 s),
https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html (4 MB, 60 s, one worker and one copy of the
model).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

REAL_TIME, BATCH = "real-time", "batch"

PROFILES: dict[str, dict[str, Any]] = {
    REAL_TIME: {},
    "serverless": {"workers": 1, "max_body_mb": 4, "preload": False},
    "asynchronous": {"timeout_s": 3600.0, "max_body_mb": 1024, "max_unpacked_mb": 1024},
    BATCH: {"timeout_s": 3600.0, "max_body_mb": 100, "max_unpacked_mb": 400},
}
"""Profile -> field of Settings -> its default there."""


def chosen(values: Mapping[str, Any]) -> str:
    """The profile that was asked for, or the one that the environment tells of: batch transform says that it is."""
    asked: str = values.get("profile", "auto")
    if asked != "auto":
        return asked
    return BATCH if values.get("batch") else REAL_TIME
