"""SageMaker's resources as records: what a Create was given, with ARN, times and status; and the calls all kinds share.

An answer holds what botocore's model has a member for, so a record may hold more than is told.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.deploy.double.call import ACCOUNT, Call, Refusal

if TYPE_CHECKING:
    from tests.deploy.double.state import Double

Record = dict[str, Any]
Handler = Callable[["Double", "Call"], Any]
"""Answers a call: a result, None for moto's, or a whole Answer. Raises Refusal."""


@dataclass(frozen=True)
class Kind:
    noun: str
    """As in the names of its operations: EndpointConfig."""
    words: str
    """As AWS's errors call it."""
    listed: str
    """The member of a List answer."""
    name_key: str = ""

    @property
    def key(self) -> str:
        return self.name_key or f"{self.noun}Name"

    @property
    def in_arn(self) -> str:
        return self.words.replace("uration", "").replace(" ", "-")


MODEL = Kind("Model", "model", "Models")
CONFIG = Kind("EndpointConfig", "endpoint configuration", "EndpointConfigs")
ENDPOINT = Kind("Endpoint", "endpoint", "Endpoints")
COMPONENT = Kind("InferenceComponent", "inference component", "InferenceComponents")
TRANSFORM = Kind("TransformJob", "transform job", "TransformJobSummaries")
TRAINING = Kind("TrainingJob", "training job", "TrainingJobSummaries")
RECOMMENDER = Kind(
    "InferenceRecommendationsJob", "inference recommendations job", "InferenceRecommendationsJobs", "JobName"
)
GROUP = Kind("ModelPackageGroup", "model package group", "ModelPackageGroupSummaryList")
PACKAGE = Kind("ModelPackage", "model package", "ModelPackageSummaryList")
KINDS = (MODEL, CONFIG, ENDPOINT, COMPONENT, TRANSFORM, TRAINING, RECOMMENDER, GROUP, PACKAGE)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass
class Shelf:
    records: dict[tuple[str, str, str], Record] = field(default_factory=dict)
    """(region, noun, name) -> record"""

    def get(self, call: Call, kind: Kind, name: str) -> Record:
        """The record. Raises AWS's refusal for a name it does not know."""
        if (record := self.records.get((call.region, kind.noun, name))) is None:
            raise Refusal(f'Could not find {kind.words} "{arn(call, kind, name)}".')
        return record

    def put(self, call: Call, kind: Kind, name: str, **more: Any) -> Record:
        """A new record of what the call was given. Raises AWS's refusal for a name that there is."""
        if (call.region, kind.noun, name) in self.records:
            raise Refusal(f'Cannot create already existing {kind.words} "{arn(call, kind, name)}".')
        times = {"CreationTime": now(), "LastModifiedTime": now()}
        record = {kind.key: name, f"{kind.noun}Arn": arn(call, kind, name), **times, **call.parameters, **more}
        if kind is RECOMMENDER:
            record["JobArn"] = record[f"{kind.noun}Arn"]
        self.records[call.region, kind.noun, name] = record
        return record

    def remove(self, call: Call, kind: Kind, name: str) -> None:
        self.get(call, kind, name)
        del self.records[call.region, kind.noun, name]

    def all(self, call: Call, kind: Kind) -> list[Record]:
        """The records of a kind, newest last."""
        return [each for (region, noun, _), each in self.records.items() if (region, noun) == (call.region, kind.noun)]

    def tagged(self) -> Iterator[tuple[str, Kind, Record]]:
        """(region, kind, record) of everything, for what works by ARN or by tag."""
        kinds = {kind.noun: kind for kind in KINDS}
        yield from ((region, kinds[noun], record) for (region, noun, _), record in self.records.items())

    def left(self) -> list[str]:
        """Names of all that is there: ["Model/churn-1a2b3c4d"]. Empty after a complete `down`."""
        return [f"{noun}/{name}" for _, noun, name in self.records]


def arn(call: Call, kind: Kind, name: str) -> str:
    return f"arn:aws:sagemaker:{call.region}:{ACCOUNT}:{kind.in_arn}/{name}"


def arn_of(kind: Kind, record: Record) -> str:
    text: str = record[f"{kind.noun}Arn"]
    return text


def create(kind: Kind, **more: Any) -> Handler:
    return lambda double, call: double.shelf.put(call, kind, call.parameters[kind.key], **more)


def describe(kind: Kind) -> Handler:
    return lambda double, call: double.shelf.get(call, kind, call.parameters[kind.key])


def delete(kind: Kind) -> Handler:
    def handler(double: Double, call: Call) -> Record:
        double.shelf.remove(call, kind, call.parameters[kind.key])
        return {}

    return handler


def listed(kind: Kind) -> Handler:
    """By NameContains, StatusEquals and one Equals of a name, newest first, in pages of MaxResults."""

    def handler(double: Double, call: Call) -> Record:
        given = call.parameters
        found = [each for each in reversed(double.shelf.all(call, kind)) if fits(kind, each, given)]
        start, size = int(given.get("NextToken", 0)), given.get("MaxResults", 100)
        more = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return {kind.listed: found[start : start + size], **more}

    return handler


def fits(kind: Kind, record: Record, given: Record) -> bool:
    equal = {name.removesuffix("Equals"): value for name, value in given.items() if name.endswith("Equals")}
    status = equal.pop("Status", None)
    return (
        given.get("NameContains", "") in record[kind.key]
        and status in (None, record.get(f"{kind.noun}Status"))
        and all(record.get(name) == value for name, value in equal.items())
    )


# tags

TAGS_LIMIT = 50
"""https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AddTags.html"""


def by_arn(double: Double, call: Call) -> Record:
    wanted = call.parameters["ResourceArn"]
    for _, kind, record in double.shelf.tagged():
        if arn_of(kind, record) == wanted:
            return record
    raise Refusal(f"Could not find resource {wanted}")


def add_tags(double: Double, call: Call) -> Record:
    record = by_arn(double, call)
    tags = {each["Key"]: each["Value"] for each in [*record.get("Tags", []), *call.parameters["Tags"]]}
    if len(tags) > TAGS_LIMIT:
        raise Refusal(f"Too many tags: {len(tags)}, at most {TAGS_LIMIT}.")
    record["Tags"] = [{"Key": key, "Value": value} for key, value in tags.items()]
    return {"Tags": record["Tags"]}


def list_tags(double: Double, call: Call) -> Record:
    return {"Tags": by_arn(double, call).get("Tags", [])}


def delete_tags(double: Double, call: Call) -> Record:
    record = by_arn(double, call)
    record["Tags"] = [each for each in record.get("Tags", []) if each["Key"] not in call.parameters["TagKeys"]]
    return {}


TAGS: dict[str, Handler] = {"AddTags": add_tags, "ListTags": list_tags, "DeleteTags": delete_tags}


def images_of(model: Record) -> list[Record]:
    """The containers of a model, however it was given them."""
    containers: list[Record] = model.get("Containers") or [model["PrimaryContainer"]]
    return containers
