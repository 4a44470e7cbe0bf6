"""What a check says, and what it looks at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from deploy.aws import Aws
from deploy.call import Call
from deploy.config import Config
from deploy.errors import DeployError


class Verdict(StrEnum):
    FINE = "fine"
    NOTE = "note"
    """To know; nothing has to change."""
    UNKNOWN = "unknown"
    """Could not be checked."""
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    subject: str
    verdict: Verdict
    text: str
    change: str = ""
    """What to change, or how it can be checked."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass
class Case:
    """One deployment beside one account. Without a config where deploy.toml is wrong."""

    aws: Aws
    config: Config | None = None
    calls: list[Call] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    now: Callable[[], dt.datetime] = _now
    account: str = ""
    arn: str = ""
    """Who is asked, and who asks, once that is known."""

    @property
    def wanted(self) -> Config:
        """Raises DeployError where deploy.toml says none."""
        if self.config is None:
            raise DeployError("deploy.toml does not say what to look for.", "Mend it first, then again.")
        return self.config


Check = Callable[[Case], Iterable[Finding]]


def fine(subject: str, text: str) -> Finding:
    return Finding(subject, Verdict.FINE, text)


def note(subject: str, text: str, change: str = "") -> Finding:
    return Finding(subject, Verdict.NOTE, text, change)


def unknown(subject: str, text: str, change: str = "") -> Finding:
    return Finding(subject, Verdict.UNKNOWN, text, change)


def wrong(subject: str, text: str, change: str) -> Finding:
    return Finding(subject, Verdict.WRONG, text, change)
