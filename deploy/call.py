"""One call of AWS as data. Made by requests/, checked by rules and shapes, shown by plan, made true by apply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Parameters = dict[str, Any]


@dataclass(frozen=True)
class Call:
    service: str
    """As boto3 calls it: sagemaker, application-autoscaling, cloudwatch."""
    operation: str
    """As AWS's API calls it: CreateModel."""
    parameters: Mapping[str, Any]
    """A string `${KEY.FIELD}` in them stands for a field of what another call answered."""
    key: str
    """What it makes, unique in a deployment: model/churn-main-1a2b3c4d."""

    @property
    def kind(self) -> str:
        return self.key.partition("/")[0]

    @property
    def name(self) -> str:
        return self.key.partition("/")[2]


def given(**fields: Any) -> Parameters:
    """The fields that say something; 0 and False do."""
    return {name: value for name, value in fields.items() if value is not None and value not in ("", {}, [], ())}


def answer_of(key: str, field: str) -> str:
    """Stands for a field that AWS has yet to answer."""
    return f"${{{key}.{field}}}"
