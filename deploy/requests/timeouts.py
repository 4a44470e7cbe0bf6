"""How long a big artifact may take: SageMaker's own patience ends before a large model has been fetched and loaded.

Called by requests/model and requests/endpoint. docs/deploy.md says the formula.
"""

from __future__ import annotations

from deploy.config import Config
from deploy.facts import Facts

BIG_BYTES = 1 << 30
"""Below it SageMaker's defaults do."""
SLOWEST_FETCH = 20 * 1024 * 1024
"""Bytes a second from S3, unpacked and written, on a small instance at its worst."""
SLOWEST_LOAD = 50 * 1024 * 1024
PLATFORMS_OWN_S = 480
"""What the platform gives a container without being asked: 8 minutes."""
CONTAINERS_OWN_S = 600
"""SAGEMAKER_STARTUP_TIMEOUT, after which the server gives up by itself."""
LEAST_S, MOST_S = 60, 3600
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ProductionVariant.html"""


def download_s(config: Config, facts: Facts, artifact: str | None) -> int | None:
    asked, size = config.instances.download_timeout_s, size_of(config, facts, artifact)
    return asked or (_within(size / SLOWEST_FETCH) if size > BIG_BYTES else None)


def startup_s(config: Config, facts: Facts, artifact: str | None) -> int | None:
    if config.mode == "serverless":
        return None
    asked, size = config.instances.startup_timeout_s, size_of(config, facts, artifact)
    return asked or (_within(PLATFORMS_OWN_S + size / SLOWEST_LOAD) if size > BIG_BYTES else None)


def size_of(config: Config, facts: Facts, artifact: str | None) -> int:
    if config.artifact_mb is not None and artifact == config.artifact:
        return config.artifact_mb * 1024 * 1024
    return facts.artifact_bytes.get(artifact or "", 0) if config.mode != "multi-model" else 0


def _within(seconds: float) -> int:
    """In whole minutes, as the API allows."""
    return int(min(max(-(-seconds // 60) * 60, LEAST_S), MOST_S))
