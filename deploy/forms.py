"""How values of deploy.toml have to look, said in words with one that is right. Called by sections and config.

AWS's own patterns, which shapes knows, say the same in regular expressions; what has no form here is left to them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Form:
    pattern: str
    text: str
    """What follows `KEY is VALUE;`."""

    def misfits(self, value: Any, where: str) -> Iterator[str]:
        """A problem for each text in a value that does not look so; an empty one is missing, which others tell."""
        if isinstance(value, Mapping):
            for name, each in value.items():
                yield from self.misfits(each, f"{where}.{name}")
        elif isinstance(value, tuple):
            for index, each in enumerate(value):
                yield from self.misfits(each, f"{where}[{index}]")
        elif value and not re.fullmatch(self.pattern, value):
            yield f"{where} is {value!r}; {self.text}"


NAME = Form(
    r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}",
    "it is of letters and digits, with dashes between them, at most 63 in all, such as churn-2",
)
REGION = Form(r"[a-z]+(-[a-z]+)+-\d+", "it is a region's code, such as eu-west-1")
ROLE = Form(
    r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+",
    "it is a role's ARN, such as arn:aws:iam::123456789012:role/sagemaker-run, "
    "as `aws iam get-role --role-name NAME --query Role.Arn` prints it",
)
IMAGE = Form(
    r"[^\s/]+[.:][^\s/]+/\S+",
    "it begins with a registry, such as 123456789012.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-serving@sha256:..., "
    "as ./build_and_push.sh prints it",
)
ADDRESS = Form(r"s3://[^/\s]+(/.*)?", "it is an address in S3, such as s3://bucket/folder/")
ARTIFACT = Form(
    ADDRESS.pattern,
    "it is an address in S3, such as s3://bucket/model.tar.gz, as `python -m deploy package MODEL_DIR` prints it",
)
INSTANCE_TYPE = Form(r"ml\.[a-z0-9-]+\.[a-z0-9]+", "it begins with ml., such as ml.m5.large")

NOTE = re.compile(r"unfinished|(previous|undo)-(config|state-\d+)")
"""Tags in which an endpoint's versions are kept (notes.py), and that nobody else may write."""
TAG_NAME = Form(
    rf"(?!aws:)(?!({NOTE.pattern})$).+", "AWS or `rollback` writes tags of this name; take another, such as team"
)
