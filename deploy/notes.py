"""What stands on the endpoint before and after its version changes. Called by plan and rollback.

Before anything else: `unfinished = up`, and which version runs. Last, when all was seen to be done: nothing unfinished,
which version runs now, and the one from the beginning as the one before. A killed run leaves a half of two versions;
the next `up` goes on from the same beginning, and `rollback` goes back to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from deploy import names
from deploy.call import Call
from deploy.change import Change
from deploy.compare import GONE, Field, missing
from deploy.previous import PREVIOUS, UNDO, State, as_tags, noted, nothing
from deploy.rules.parts import of
from deploy.switch import Switch

UNFINISHED = "unfinished"
"""On an endpoint: the verb that has begun and did not come to its end."""
COMPONENT = ("CreateInferenceComponent", "DeleteInferenceComponent")
Tags = Mapping[str, str]


def before(tags: Tags) -> State | None:
    """Where `rollback` goes: back to before what is unfinished, else to the version before."""
    return noted(UNDO if tags.get(UNFINISHED) == "up" else PREVIOUS, tags)


class Notes:
    """Of one plan for an endpoint that is there; `tags` tell the version that is wanted."""

    def __init__(self, switch: Switch, changes: list[Change], tags: Tags) -> None:
        self.switch, self.changes, self.tags = switch, changes, tags

    def of_up(self) -> Iterator[Change]:
        """The changes with a note before and one after."""
        begin = {} if self._unfinished == "up" else {UNFINISHED: "up", **self._undo()}
        end = as_tags(PREVIOUS, self.begun) if self.begun and not self._is_wanted(self.begun) else {}
        return self._around(begin, end)

    def of_rollback(self, state: State) -> Iterator[Change]:
        told = as_tags(PREVIOUS, state)
        return self._around({UNFINISHED: "rollback", **told}, told)

    @cached_property
    def begun(self) -> State | None:
        """What ran when `up` began, this one or one that it goes on with."""
        if self._unfinished:
            return before(self.switch.tags)
        return self.switch.state if self._changes_version and self.switch.holds_models else None

    @property
    def back_to(self) -> State | None:
        """Where `rollback` goes after this `up`."""
        is_new = self.begun and not self._is_wanted(self.begun)
        return self.begun if is_new else noted(PREVIOUS, self.switch.tags)

    @property
    def warnings(self) -> Iterator[str]:
        if self.begun and not as_tags(UNDO, self.begun)["undo-config"]:
            count = len(self.begun.components)
            yield f"{count} inference components are more than can be noted; `rollback` will not know this version"

    @property
    def tell_the_version(self) -> bool:
        """Whether the last of them has the endpoint's tags."""
        return self._changes_version or bool(self._unfinished)

    def _undo(self) -> dict[str, str]:
        told = as_tags(UNDO, self.begun) if self.begun else nothing(UNDO)
        return told if told["undo-config"] else {**told, **nothing(PREVIOUS)}

    @cached_property
    def _changes_version(self) -> bool:
        there = self.switch.there or {}
        return there.get("EndpointStatus", "Failed") != "Failed" and any(map(_changes_version, self.changes))

    @property
    def _unfinished(self) -> str:
        return self.switch.tags.get(UNFINISHED, "")

    def _is_wanted(self, state: State) -> bool:
        """Whether a version is the one that the calls make."""
        wanted = {call.name: call.parameters["Specification"] for call in of(self.switch.calls, COMPONENT[0])}
        had = {name: each["Specification"] for name, each in state.components.items()}
        same = self.switch.wanted is not None and self.switch.wanted.name == state.configuration
        return same and not missing(wanted, had) and not missing(had, wanted)

    def _around(self, begin: Tags, end: Tags) -> Iterator[Change]:
        """Models and configurations are within: whatever a killed run has come to, `rollback` undoes that run."""
        begun = begin if self._changes_version else {}
        yield from self._note(self.switch.tags, begun)
        yield from self.changes
        if self.tell_the_version:
            yield from self._note({**self.switch.tags, **begun}, {**self.tags, **end, UNFINISHED: ""})

    def _note(self, now: Tags, tags: Tags) -> Iterator[Change]:
        """Nothing where all of it stands there already."""
        new = {name: value for name, value in tags.items() if now.get(name, "") != value}
        if not new:
            return
        there = self.switch.there or {}
        told = sorted(name for name in new if "-state-" not in name)
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
