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
    tried: bool = False
    """By a job that says itself how many it starts: Inference Recommender."""

    @property
    def hours(self) -> tuple[float, float | None]:
        """Instance-hours a day, or of a whole job: at least, and at most, None where nothing says."""
        if self.limit_h is None:
            return DAY_H * self.least, DAY_H * self.most
        return 0, self.most * self.limit_h if self.limit_h and not self.tried else None

    @property
    def goes_to_zero(self) -> bool:
        return self.least == 0

    def __str__(self) -> str:
        if self.type == SERVERLESS:
            return f"{self.what}: serverless, {self._warm()}"
        machines = f"{_range(self.least, self.most)} x {self.type}"
        if self.tried:
            limit = f"at most {self.limit_h:g} hours" if self.limit_h else "until the job ends"
            return f"{self.what}: tries {self.type}, {limit}, then nothing; how many at once AWS decides"
        if self.limit_h is not None:
            most = "until the job ends" if self.hours[1] is None else f"at most {self.hours[1]:g} instance-hours"
            return f"{self.what}: {machines}, {most}, then nothing"
        idle = "nothing while idle" if self.goes_to_zero else "until `down`, idle or not"
        return f"{self.what}: {machines}, {self._a_day()} instance-hours a day, {idle}"

    def _warm(self) -> str:
        if not self.most:
            return "paid by request, nothing while idle"
        idle = "nothing while idle" if self.goes_to_zero else "idle or not"
        return f"{_range(self.least, self.most)} kept warm, {self._a_day()} hours a day, {idle}, the rest by request"

    def _a_day(self) -> str:
        return _range(DAY_H * self.least, DAY_H * self.most)


def _range(least: float, most: float) -> str:
    return f"{least:g}" if least == most else f"{least:g} to {most:g}"


def of(calls: Sequence[Call]) -> list[Use]:
    """Every use of a plan's requests, scaled as its targets say."""
    bounds = {(each, kind): span for call in calls for each, kind, span in _bounds(call)}
    scaled = (_scaled(use, bounds) for call in calls for use in _uses(call))
    kept = _kept_by_copies(calls)
    return [replace(use, least=max(use.least, 1)) if use.what in kept else use for use in scaled]


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
        case "CreateInferenceRecommendationsJob":
            limit_h = told["InputConfig"].get("JobDurationInSeconds", 0) / 3600
            for each in told["InputConfig"]["ContainerConfig"]["SupportedInstanceTypes"]:
                yield Use(told["JobName"], HOST, each, 1, 1, limit_h, tried=True)


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


def _kept_by_copies(calls: Sequence[Call]) -> set[str]:
    """Variants whose instances cannot all go: a component's copy stays on them, which its scaling does not take."""
    made = {call.name: call.parameters for call in calls if call.operation == "CreateInferenceComponent"}
    least = {name: each["RuntimeConfig"]["CopyCount"] for name, each in made.items()}
    for call in calls:
        kind, _, name = str(call.parameters.get("ResourceId", "")).partition("/")
        if call.operation == "RegisterScalableTarget" and kind == "inference-component":
            least[name] = call.parameters["MinCapacity"]
    return {each["VariantName"] for name, each in made.items() if least[name]}


def _scaled(use: Use, bounds: Mapping[tuple[str, bool], tuple[int, int]]) -> Use:
    least, most = bounds.get((use.what, use.type == SERVERLESS), (use.least, use.most))
    return replace(use, least=least, most=most)
