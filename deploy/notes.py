"""What stands on the endpoint before and after its version changes. Called by plan and rollback.

Before anything else: `unfinished = up`, and which version runs. Last, when all was seen to be done: nothing unfinished,
which version runs now, and the one from the beginning as the one before. A killed run leaves a half of two versions;
the next `up` goes on from the same beginning, and `rollback` goes back to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cached_property

from deploy import names
from deploy.call import Call, answer_of
from deploy.change import Change
from deploy.compare import GONE, Field, missing
from deploy.forms import NOTE
from deploy.previous import PREVIOUS, UNDO, VERSION, State, as_tags, noted, nothing
from deploy.rules.parts import of
from deploy.switch import Switch

UNFINISHED = "unfinished"
"""On an endpoint: the verb that has begun and did not come to its end."""
TAGS_LIMIT = 50
"""Of one resource: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AddTags.html"""
COMPONENT = ("CreateInferenceComponent", "DeleteInferenceComponent")
Tags = Mapping[str, str]


def before(tags: Tags) -> State | None:
    """Where `rollback` goes: back to before what is unfinished, else to the version before."""
    return noted(UNDO if tags.get(UNFINISHED) == "up" else PREVIOUS, tags)


class Notes:
    """Of one plan; `tags` tell the version that is wanted."""

    def __init__(self, switch: Switch, changes: list[Change], tags: Tags) -> None:
        self.switch, self.changes, self.tags = switch, changes, tags

    def of_up(self) -> Iterator[Change]:
        """The changes with a note before and one after."""
        end = self._as_tags(PREVIOUS, self._replaced) if self._replaced else {}
        begin = {} if self._unfinished == "up" else {UNFINISHED: "up", **self._undo()}
        return self._made("up", end) if self._is_new else self._around(begin, end)

    def of_rollback(self, state: State) -> Iterator[Change]:
        told = self._as_tags(PREVIOUS, state)
        return self._made("rollback", told) if self._is_new else self._around({UNFINISHED: "rollback", **told}, told)

    @cached_property
    def _begun(self) -> State | None:
        """What ran when `up` began, this one or one that it goes on with."""
        if self._unfinished:
            return before(self.switch.tags)
        return self.switch.state if self._changes_version and self.switch.holds_models else None

    @property
    def back_to(self) -> State | None:
        """Where `rollback` goes after this `up`."""
        return self._replaced or noted(PREVIOUS, self.switch.tags)

    @cached_property
    def _replaced(self) -> State | None:
        """What ran, if it is another version than the one that is wanted."""
        return None if self._begun is None or self._is_wanted(self._begun) else self._begun

    @property
    def warnings(self) -> Iterator[str]:
        if self._begun and not self._as_tags(UNDO, self._begun)["undo-config"]:
            told = f"{len(self._begun.components)} inference components beside {len(self.tags)} tags"
            yield f"{told} are more than can be noted; `rollback` will not know this version"

    @property
    def tell_the_version(self) -> bool:
        """Whether the last of them has the endpoint's tags."""
        return self._changes_version or bool(self._unfinished)

    def _undo(self) -> dict[str, str]:
        told = self._as_tags(UNDO, self._begun) if self._begun else nothing(UNDO)
        return told if told["undo-config"] else {**told, **nothing(PREVIOUS)}

    def _as_tags(self, slot: str, state: State) -> dict[str, str]:
        """Two slots and the word UNFINISHED have to fit beside all other tags."""
        others = [name for name in {**self.switch.tags, **self.tags} if not NOTE.fullmatch(name)]
        return as_tags(slot, state, (TAGS_LIMIT - len(others) - 1) // 2 - 1)

    @property
    def _is_new(self) -> bool:
        return self.switch.there is None or self.switch.there["EndpointStatus"] == "Failed"

    @cached_property
    def _changes_version(self) -> bool:
        return not self._is_new and any(map(_is_of_version, self.changes))

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
            version = {name: "" for name in VERSION if name in self.switch.tags}
            yield from self._note({**self.switch.tags, **begun}, {**version, **self.tags, **end, UNFINISHED: ""})

    def _made(self, verb: str, end: Tags) -> Iterator[Change]:
        """An endpoint that is made has its notes from the start; it is unfinished until its components are there."""
        before = {name: value for name, value in self.switch.tags.items() if name.startswith(f"{PREVIOUS}-")}
        begin = {UNFINISHED: verb} if any(map(_is_of_version, self.changes)) else {}
        notes = {**before, **end, **begin}
        for each in self.changes:
            is_it = each.verb == "create" and each.call.operation == "CreateEndpoint"
            yield self._tagged(each, notes) if is_it else each
        yield from self._note(begin, dict.fromkeys(begin, ""))

    def _tagged(self, change: Change, notes: Tags) -> Change:
        made = names.as_mapping(change.call.parameters["Tags"])
        told = {name: value for name, value in made.items() if name not in VERSION}
        parameters = {**change.call.parameters, "Tags": names.as_list({**told, **self.tags, **notes})}
        return replace(change, call=replace(change.call, parameters=parameters))

    def _note(self, now: Tags, tags: Tags) -> Iterator[Change]:
        """Nothing where all of it stands there already."""
        new = {name: value for name, value in tags.items() if now.get(name, "") != value}
        if not new:
            return
        key = f"endpoint/{self.switch.config.name}"
        arn = (self.switch.there or {}).get("EndpointArn") or answer_of(key, "EndpointArn")
        told = sorted(name for name in new if "-state-" not in name)
        fields = tuple(Field(name, now.get(name) or GONE, new[name] or GONE) for name in told)
        parameters = {"ResourceArn": arn, "Tags": names.as_list(new)}
        yield Change("update", Call("sagemaker", "AddTags", parameters, f"tags/{key}"), fields)


def _is_of_version(change: Change) -> bool:
    """Another number of copies or instances is the same version."""
    operation = change.call.operation
    if operation == "UpdateInferenceComponent":
        return "Specification" in change.call.parameters
    return change.verb != "nothing" and operation in ("UpdateEndpoint", *COMPONENT)
