"""One call of AWS as data. Made by requests/, checked by rules and shapes, shown by plan, made true by apply."""

from __future__ import annotations

import re
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


STAND_IN = re.compile(r"\$\{(.+)\.(\w+)\}")


def filled(value: Any, answers: Mapping[str, Mapping[str, Any]]) -> Any:
    """With answers in the place of what stands for them, as far as they are known."""
    if isinstance(value, Mapping):
        return {name: filled(each, answers) for name, each in value.items()}
    if isinstance(value, list):
        return [filled(each, answers) for each in value]
    if isinstance(value, str) and (found := STAND_IN.fullmatch(value)):
        return answers.get(found[1], {}).get(found[2], value)
    return value
