"""Parts of calls that rules look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from deploy.call import Call

Part = Mapping[str, Any]


def of(calls: list[Call], operation: str) -> Iterator[Call]:
    return (call for call in calls if call.operation == operation)


def containers(model: Call) -> list[Part]:
    """All containers of a CreateModel."""
    first = model.parameters.get("PrimaryContainer")
    return [*([first] if first else []), *model.parameters.get("Containers", ())]


def variants(configuration: Call) -> list[Part]:
    """Production and shadow variants of a CreateEndpointConfig."""
    return variants_in(configuration.parameters)


def variants_in(told: Part) -> list[Part]:
    """Those of a configuration, as it was asked for or as AWS describes it."""
    return [*told.get("ProductionVariants", ()), *told.get("ShadowProductionVariants", ())]


def serverless(calls: list[Call]) -> Iterator[Call]:
    """The configurations that are."""
    for call in of(calls, "CreateEndpointConfig"):
        if any("ServerlessConfig" in each for each in variants(call)):
            yield call


def models_of(calls: list[Call], part: Part) -> list[Call]:
    """The CreateModel that a variant or a job names, as far as it is among the calls."""
    return [call for call in of(calls, "CreateModel") if call.name == part.get("ModelName")]


def dig(part: Any, *path: str) -> Any:
    """A value that is deep inside, or None."""
    for name in path:
        part = part.get(name) if isinstance(part, Mapping) else None
    return part


def region_of(image: str) -> str:
    """Where ECR keeps it; empty for another registry."""
    parts = image.partition("/")[0].split(".")
    return parts[3] if len(parts) > 4 and parts[1:3] == ["dkr", "ecr"] else ""
