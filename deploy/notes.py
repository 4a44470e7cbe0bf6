"""What stands on the endpoint before and after a version changes: which one was before, and what has begun. By plan.

Before: the version that runs, and `unfinished = up`. After the last change was seen to be done: which version runs,
and nothing unfinished. What a killed run leaves is between two versions, so the one before is not noted again until
some run came to its end: `rollback` goes to no half.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from deploy import names, previous
from deploy.call import Call
from deploy.change import Change
from deploy.compare import GONE, Field
from deploy.previous import State
from deploy.switch import Switch

UNFINISHED = "unfinished"
"""On an endpoint: the verb that has begun and did not come to its end."""
COMPONENT = ("CreateInferenceComponent", "DeleteInferenceComponent")


class Notes:
    """Of one plan for an endpoint that is there."""

    def __init__(self, switch: Switch, verb: str, changes: list[Change]) -> None:
        self.switch, self.verb, self.changes = switch, verb, changes

    @cached_property
    def changes_version(self) -> bool:
        there = self.switch.there or {}
        return there.get("EndpointStatus", "Failed") != "Failed" and any(map(_changes_version, self.changes))

    @property
    def unfinished(self) -> str:
        return self.switch.tags.get(UNFINISHED, "")

    @property
    def renews(self) -> bool:
        """Whether what runs now becomes the version before."""
        return self.verb == "up" and self.changes_version and not self.unfinished

    @cached_property
    def back_to(self) -> State | None:
        """Where `rollback` will go."""
        return self.switch.state if self.renews else previous.noted(self.switch.tags)

    def around(self, tags: Mapping[str, str]) -> Iterator[Change]:
        """The changes and the notes; `tags` are those of the version that is wanted.

        Before all, models and configurations included: whatever a killed run has come to, `rollback` undoes that run.
        """
        begun = self._begun() if self.changes_version else {}
        yield from self._note(self.switch.tags, begun)
        yield from self.changes
        if begun or self.unfinished:
            yield from self._note({**self.switch.tags, **begun}, {**tags, UNFINISHED: ""})

    @property
    def warnings(self) -> Iterator[str]:
        if self.renews and self.switch.holds_models and not self._begun()[previous.CONFIGURATION]:
            count = len(self.switch.state.components)
            yield f"{count} inference components are more than can be noted; `rollback` will not know this version"

    def _begun(self) -> dict[str, str]:
        told = {UNFINISHED: self.verb}
        if not self.renews:
            return told
        if not self.switch.holds_models:
            return {**told, previous.CONFIGURATION: ""}
        return {**told, **previous.as_tags(self.switch.state)}

    def _note(self, now: Mapping[str, str], tags: Mapping[str, str]) -> Iterator[Change]:
        """Nothing where all of it stands there already."""
        new = {name: value for name, value in tags.items() if now.get(name, "") != value}
        if not new:
            return
        there = self.switch.there or {}
        told = sorted(name for name in new if not name.startswith(previous.PACKED))
        fields = tuple(Field(name, now.get(name) or GONE, new[name] or GONE) for name in told)
        parameters = {"ResourceArn": there["EndpointArn"], "Tags": names.as_list(new)}
        yield Change(
            "update", Call("sagemaker", "AddTags", parameters, f"tags/endpoint/{there['EndpointName']}"), fields
        )


def _changes_version(change: Change) -> bool:
    """Another number of copies or instances is the same version."""
    operation = change.call.operation
    if operation == "UpdateInferenceComponent":
        return "Specification" in change.call.parameters
    return change.verb != "nothing" and operation in ("UpdateEndpoint", *COMPONENT)
