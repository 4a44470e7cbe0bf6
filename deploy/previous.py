"""Versions of an endpoint, kept at AWS in its own tags: the one before, and the one that ran when `up` began.

`previous-config` names a configuration, for people; `previous-state-1`, -2, ... are the whole of the version, packed.
Tags are written in one call or not at all, so a kill leaves no half of a version. docs/decisions/0014 says why.
Called by switch, notes and rollback.
"""

from __future__ import annotations

import base64
import itertools
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy.aws import Aws
from deploy.call import Parameters

PREVIOUS = "previous"
"""What `rollback` goes back to."""
UNDO = "undo"
"""What ran when that began which is unfinished."""
VERSION = ("version", "git-sha")
"""Tags that tell which version runs."""
SPECIFICATION = ("ModelName", "StartupParameters", "ComputeResourceRequirements")
"""What requests/components says of a component; AWS describes more."""

VALUE_LIMIT = 256
"""Characters of a tag's value; a part that is shorter is the last."""
PARTS_LIMIT = 12
"""For each of two versions, of the 50 tags that an endpoint may have. That many hold some 100 components."""


@dataclass(frozen=True)
class State:
    """A version as AWS describes it."""

    configuration: str
    components: Mapping[str, Parameters] = field(default_factory=dict)
    """Whole name -> what has to be said to have it again."""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def models(self) -> set[str]:
        """Those of components; a configuration names its own."""
        return {each["Specification"]["ModelName"] for each in self.components.values()}


def running(aws: Aws, configuration: str, components: list[str], tags: Mapping[str, str]) -> State:
    """What the endpoint runs now, or should: a component that has failed is part of its version."""
    found = [aws.call("sagemaker", "DescribeInferenceComponent", InferenceComponentName=name) for name in components]
    parts = {each["InferenceComponentName"]: _component(each) for each in found}
    return State(configuration, parts, {name: tags[name] for name in VERSION if name in tags})


def _component(there: Mapping[str, Any]) -> Parameters:
    copies = there.get("RuntimeConfig", {}).get("DesiredCopyCount") or 1  # one that is made anew shall answer
    specification = {name: there["Specification"][name] for name in SPECIFICATION if name in there["Specification"]}
    return {
        "VariantName": there["VariantName"],
        "Specification": specification,
        "RuntimeConfig": {"CopyCount": copies},
    }


def as_tags(slot: str, state: State, parts_limit: int = PARTS_LIMIT) -> dict[str, str]:
    """PREVIOUS or UNDO. An empty configuration where it does not fit: then there is nothing to go back to."""
    told = json.dumps({"components": state.components, "tags": state.tags}, sort_keys=True, separators=(",", ":"))
    text = base64.b64encode(zlib.compress(told.encode(), 9)).decode()
    parts = [text[at : at + VALUE_LIMIT] for at in range(0, len(text) + 1, VALUE_LIMIT)]
    if len(parts) > min(parts_limit, PARTS_LIMIT):
        return nothing(slot)
    return {f"{slot}-config": state.configuration} | {f"{slot}-state-{n}": part for n, part in enumerate(parts, 1)}


def nothing(slot: str) -> dict[str, str]:
    return {f"{slot}-config": ""}


def noted(slot: str, tags: Mapping[str, str]) -> State | None:
    """What the tags say; None where they say nothing that can be read."""
    if not (configuration := tags.get(f"{slot}-config")):
        return None
    text = _text(slot, tags)
    try:
        return State(configuration, **json.loads(zlib.decompress(base64.b64decode(text)) if text else b"{}"))
    except (ValueError, TypeError, zlib.error):
        return None


def _text(slot: str, tags: Mapping[str, str]) -> str:
    """Up to the first part that is not full: a longer text from before may have left others."""
    text = ""
    for number in itertools.count(1):
        text += (part := tags.get(f"{slot}-state-{number}", ""))
        if len(part) < VALUE_LIMIT:
            return text
    raise AssertionError("counting does not end")
