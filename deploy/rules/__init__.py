"""What AWS refuses though each field alone is right: rules over several fields or calls. Called by checks.

A rule is a function of all calls that yields problems; the table is at the end of each file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from deploy.call import Call
from deploy.problem import Problem
from deploy.rules.endpoints import ENDPOINT_RULES
from deploy.rules.jobs import JOB_RULES
from deploy.rules.models import MODEL_RULES
from deploy.rules.scaling import SCALING_RULES
from deploy.rules.updates import UPDATE_RULES

RULES: tuple[Callable[[list[Call]], Iterable[Problem]], ...] = (
    *MODEL_RULES,
    *ENDPOINT_RULES,
    *UPDATE_RULES,
    *SCALING_RULES,
    *JOB_RULES,
)


def problems(calls: list[Call]) -> Iterator[Problem]:
    for rule in RULES:
        yield from rule(calls)
