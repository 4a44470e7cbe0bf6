"""Which machines the requests ask for, for how long, and whether they go when nobody asks. Pure; called by verbs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deploy.call import Call
from deploy.rules.parts import variants

DAY_H = 24
HOST, ASYNC, BATCH, TRAINING = "Host", "AsyncInf", "Tsform", "Train"
"""As AWS's bills call them: USE1-Host:ml.m5.large."""
SERVERLESS = "serverless"


@dataclass(frozen=True)
class Use:
    """So many machines of a type."""

    what: str
    """Name of the variant or job."""
    kind: str
    type: str
    least: int
    most: int
    limit_h: float | None = None
    """Of a job: how long it may run; 0 where nothing says."""

    @property
    def hours(self) -> tuple[float, float]:
        """Instance-hours a day, or of a whole job: at least and at most."""
        hours = DAY_H if self.limit_h is None else self.limit_h
        return (self.least if self.limit_h is None else 0) * hours, self.most * hours

    @property
    def goes_to_zero(self) -> bool:
        return self.least == 0

    def __str__(self) -> str:
        if self.type == SERVERLESS:
            return f"{self.what}: serverless, {self._warm()}"
        machines = f"{_range(self.least, self.most)} x {self.type}"
        if self.limit_h is not None:
            most = f"at most {self.hours[1]:g} instance-hours" if self.limit_h else "until the job ends"
            return f"{self.what}: {machines}, {most}, then nothing"
        idle = "nothing while idle" if self.goes_to_zero else "until `down`, idle or not"
        return f"{self.what}: {machines}, {_range(*self.hours)} instance-hours a day, {idle}"

    def _warm(self) -> str:
        if not self.most:
            return "paid by request, nothing while idle"
        idle = "nothing while idle" if self.goes_to_zero else "idle or not"
        return (
            f"{_range(self.least, self.most)} kept warm, {_range(*self.hours)} hours a day, {idle}, the rest by request"
        )


def _range(least: float, most: float) -> str:
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def of(calls: Sequence[Call]) -> list[Use]:
    """Every use of a plan's requests, scaled as its targets say."""
    bounds = {(each, kind): span for call in calls for each, kind, span in _bounds(call)}
    return [_scaled(use, bounds) for call in calls for use in _uses(call)]


def _uses(call: Call) -> Iterator[Use]:
    told = call.parameters
    match call.operation:
        case "CreateEndpointConfig":
            kind = ASYNC if "AsyncInferenceConfig" in told else HOST
            yield from (_variant(each, kind) for each in variants(call))
        case "CreateTransformJob":
            yield _job(told["TransformJobName"], BATCH, told["TransformResources"], 0)
        case "CreateTrainingJob":
            limit_h = told["StoppingCondition"].get("MaxRuntimeInSeconds", 0) / 3600
            yield _job(told["TrainingJobName"], TRAINING, told["ResourceConfig"], limit_h)


def _variant(each: Mapping[str, Any], kind: str) -> Use:
    if warm := each.get("ServerlessConfig"):
        count = warm.get("ProvisionedConcurrency", 0)
        return Use(each["VariantName"], HOST, SERVERLESS, count, count)
    count, managed = each.get("InitialInstanceCount", 1), each.get("ManagedInstanceScaling", {})
    least, most = managed.get("MinInstanceCount", count), managed.get("MaxInstanceCount", count)
    return Use(each["VariantName"], kind, each["InstanceType"], least, most)


def _job(name: str, kind: str, told: Mapping[str, Any], limit_h: float) -> Use:
    return Use(name, kind, told["InstanceType"], told["InstanceCount"], told["InstanceCount"], limit_h)


def _bounds(call: Call) -> Iterator[tuple[str, bool, tuple[int, int]]]:
    """Variant, whether it is serverless, least and most, of what registers a variant to be scaled."""
    resource = str(call.parameters.get("ResourceId", "")).split("/")
    if call.operation == "RegisterScalableTarget" and resource[0] == "endpoint":
        warm = "ProvisionedConcurrency" in call.parameters["ScalableDimension"]
        yield resource[-1], warm, (call.parameters["MinCapacity"], call.parameters["MaxCapacity"])


def _scaled(use: Use, bounds: Mapping[tuple[str, bool], tuple[int, int]]) -> Use:
    least, most = bounds.get((use.what, use.type == SERVERLESS), (use.least, use.most))
    return replace(use, least=least, most=most)
