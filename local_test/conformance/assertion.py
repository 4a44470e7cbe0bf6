"""What an assertion of the platform's contract is, and how its check says what it found. Used by every file of checks/.

A check is a small function that gets a Bench. If the promise holds it returns, perhaps with a note of what it measured,
and raises Broken, NotApplicable or Untestable if not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from local_test.conformance.bench import Bench

Check = Callable[["Bench"], str | None]


class Level(StrEnum):
    """How much the platform relies on it."""

    MUST = "M"
    SHOULD = "S"
    INFORMATIVE = "I"


class Claim(StrEnum):
    """What a container may be for, beside real-time endpoints. What belongs to no claim that is made is not tested."""

    TRAINING = "training"
    SCRIPTS = "scripts"
    MULTI_MODEL = "multi-model"
    PIPELINE = "pipeline"
    BIDIRECTIONAL = "bidirectional"
    STREAMING = "streaming"
    SESSIONS = "sessions"
    ADAPTERS = "adapters"
    SERVERLESS = "serverless"
    ASYNCHRONOUS = "asynchronous"
    BATCH = "batch"
    ISOLATION = "isolation"
    OPENAI = "openai"


class Broken(Exception):
    """The promise does not hold; the text says what was seen."""


class NotApplicable(Exception):
    """The promise is about something that this container does not have; the text says what."""


class Untestable(Exception):
    """Nobody can say from here; the text says what is missing."""


@dataclass(frozen=True)
class Assertion:
    """One row of the contract."""

    id: str
    level: Level
    promise: str
    source: str
    """Where the contract says so: a page or field report, by the codes of docs/conformance.md."""
    otherwise: str
    """What the platform, or the client, does where it does not hold."""
    fix: str
    pains: tuple[int, ...] = ()
    """Numbers of the known complaints behind it."""
    claim: Claim | None = None
    must_if: Claim | None = None
    """The claim that makes a MUST of this SHOULD."""
    slow: bool = False
    """Takes some seconds more than others: left out by --fast."""
    waits: bool = False
    """Mostly waits, whatever the server: it does so on a server of its own, beside the checks that follow."""
    check: Check | None = None
    untestable: str = ""
    """Why no check can exist."""

    @property
    def group(self) -> str:
        return self.id.partition("-")[0]

    def level_for(self, claims: frozenset[Claim]) -> Level:
        """The level for a container that makes these claims."""
        return Level.MUST if self.must_if in claims else self.level


class Group(list[Assertion]):
    """The assertions of one file of checks/, in the contract's order. Makes the decorators of that file."""

    def __init__(self, *, claim: Claim | None = None) -> None:
        super().__init__()
        self.claim = claim

    def must(self, id: str, promise: str, **more: object) -> Callable[[Check], Check]:
        """Decorates the check of an assertion of level M. more: the other fields of Assertion."""
        return self._add(id, Level.MUST, promise, more)

    def should(self, id: str, promise: str, **more: object) -> Callable[[Check], Check]:
        """Decorates the check of an assertion of level S."""
        return self._add(id, Level.SHOULD, promise, more)

    def informative(self, id: str, promise: str, **more: object) -> Callable[[Check], Check]:
        """Decorates the check of an assertion of level I: it is recorded, and never fails."""
        return self._add(id, Level.INFORMATIVE, promise, more)

    def untestable(self, id: str, level: Level, promise: str, reason: str, **more: object) -> None:
        """Lists an assertion that nobody can test from outside."""
        self.append(self._make(id, level, promise, {**more, "untestable": reason}))

    def _add(self, id: str, level: Level, promise: str, more: dict[str, object]) -> Callable[[Check], Check]:
        def add(check: Check) -> Check:
            self.append(self._make(id, level, promise, {**more, "check": check}))
            return check

        return add

    def _make(self, id: str, level: Level, promise: str, more: dict[str, object]) -> Assertion:
        return Assertion(id, level, promise, **{"claim": self.claim, **more})  # type: ignore[arg-type]


def expect(holds: object, seen: str) -> None:
    """Raise Broken, with what was seen, unless it holds."""
    if not holds:
        raise Broken(seen)


def untestable(reason: str) -> NoReturn:
    """Raise Untestable, where an expression is wanted."""
    raise Untestable(reason)
