"""[tags] on what stays: what is new has them from the start. Called by plan.

Only the endpoint's are compared, which are read anyhow; so they are written last, when all below it have theirs.
A tag that the file no longer says stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from deploy import names
from deploy.call import Call
from deploy.change import Change
from deploy.compare import GONE, Field
from deploy.kinds import KINDS
from deploy.switch import Switch

TAGGED = ("model", "endpoint-config", "inference-component", "endpoint")
"""In the order in which they are written."""


def changes(switch: Switch, planned: list[Change], tags: Mapping[str, str], *, endpoint: bool) -> Iterator[Change]:
    """An AddTags for each thing of the plan that is there. endpoint: whether notes leave its own to this."""
    if switch.there is None or not (new := _new(switch, tags)):
        return
    fields = tuple(Field(name, switch.tags.get(name, GONE), value) for name, value in sorted(new.items()))
    there = [each for each in planned if each.there and each.call.kind in TAGGED and each.verb in ("nothing", "update")]
    for each in sorted(there, key=lambda each: TAGGED.index(each.call.kind)):
        if endpoint or each.call.kind != "endpoint":
            parameters = {"ResourceArn": each.there[KINDS[each.call.kind].arn], "Tags": names.as_list(new)}
            yield Change("update", Call("sagemaker", "AddTags", parameters, f"tags/{each.call.key}"), fields)


def _new(switch: Switch, wanted: Mapping[str, str]) -> dict[str, str]:
    """Of [tags], what the endpoint has otherwise; one that our own tags hide is none."""
    theirs = {name: value for name, value in switch.config.tags.items() if wanted.get(name) == value}
    return {name: value for name, value in theirs.items() if switch.tags.get(name) != value}
