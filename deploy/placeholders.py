"""What `init` writes where only the user knows, and which of it is left. Called by config, init and package."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from deploy import said

PLACEHOLDERS = {
    "role": "arn:aws:iam::ACCOUNT:role/ROLE",
    "image": "ACCOUNT.dkr.ecr.REGION.amazonaws.com/sagemaker-serving@sha256:DIGEST",
    "artifact": "s3://BUCKET/model.tar.gz",
}
"""For what has a flag of its own."""
LEFT = re.compile(
    r"s3://BUCKET(/.*)?|arn:.*:ACCOUNT:.*|.*:role/ROLE|ACCOUNT\..*|.*\.REGION\..*|.*@sha256:DIGEST|NAME-OF-AN-ALARM"
)
"""No bucket, account, region or digest is written in capitals."""


def in_value(value: Any) -> str:
    """The text in it that is still a placeholder, or nothing."""
    if isinstance(value, Mapping):
        return next(filter(None, map(in_value, value.values())), "")
    if isinstance(value, list | tuple):
        return next(filter(None, map(in_value, value)), "")
    return value if isinstance(value, str) and LEFT.fullmatch(value) else ""


def left(config: Any) -> Iterator[tuple[str, str]]:
    """The key and the placeholder of each that the mode reads."""
    for key in said.keys(config):
        if found := in_value(key.value):
            yield key.name, found
