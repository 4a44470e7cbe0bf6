"""What plan finds and apply does: one call, and how it differs from what is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deploy.call import Call
from deploy.compare import Field

Verb = Literal["create", "update", "delete", "nothing"]


@dataclass(frozen=True)
class Change:
    verb: Verb
    call: Call
    fields: tuple[Field, ...] = ()
    instead_of: str = ""
    """The older one that the fields are compared with."""
    there: Mapping[str, Any] = field(default_factory=dict)
    """What AWS describes of it already."""
    warning: str = ""
    """What to know before it is made."""

    def as_json(self) -> dict[str, Any]:
        told = {"do": self.verb, "what": self.call.key, "call": f"{self.call.service}:{self.call.operation}"}
        differences = [{"path": each.path, "now": each.now, "wanted": each.wanted} for each in self.fields]
        return {**told, "parameters": dict(self.call.parameters), "instead_of": self.instead_of, "fields": differences}


@dataclass(frozen=True)
class Plan:
    every: tuple[Change, ...]
    endpoint: Mapping[str, Any] | None = None
    """As AWS described it."""
    warnings: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(each for each in self.every if each.verb != "nothing")
