"""Everything that can be looked at before it costs an endpoint half an hour: a check a function, findings as data.

A check only reads. What it may not see, or gets no answer to, is `unknown`, which is neither fine nor wrong.
Called by verbs/doctor.
"""

from __future__ import annotations

from collections.abc import Iterator

from deploy.config import Config
from deploy.doctor import account, image, machine, refused, role, supplies
from deploy.doctor.finding import Case, Check, Finding, Verdict, unknown
from deploy.errors import DeployError

OF_THE_ACCOUNT: tuple[tuple[str, Check], ...] = (
    ("role", role.may_be_taken),
    ("role's permissions", role.may_run),
    ("your permissions", role.may_deploy),
    ("image", image.check),
    ("artifact", supplies.artifacts_are_there),
    ("buckets", supplies.buckets_are_near),
    ("quota", supplies.quotas_suffice),
)
"""What needs a deploy.toml and somebody to ask as."""


def examined(case: Case, wrong: DeployError | None = None) -> Iterator[Finding]:
    """All findings, in the order in which they matter; `wrong` is what deploy.toml was refused for."""
    yield from _file(case, wrong)
    yield from _asked("region", account.region, case)
    identity = [*_asked("identity", account.identity, case)]
    yield from identity
    if any(each.verdict != Verdict.FINE for each in identity):
        yield unknown("all else at AWS", "nothing can be asked without an identity", "Get one first, then again.")
    elif case.config is None:
        yield unknown("all else at AWS", "deploy.toml does not say what to look for", "Mend it first, then again.")
    else:
        for subject, check in OF_THE_ACCOUNT:
            yield from _asked(subject, check, case)
    yield from machine.docker()


def _asked(subject: str, check: Check, case: Case) -> list[Finding]:
    """A check's findings; where AWS does not say, that it does not."""
    found: list[Finding] = []
    try:
        found.extend(check(case))
    except DeployError as error:
        found.append(unknown(subject, error.reason, refused.step(case, error.reason, error.next_step)))
    return found


def _file(case: Case, wrong: DeployError | None) -> Iterator[Finding]:
    if wrong:
        yield Finding("deploy.toml", Verdict.WRONG, wrong.reason, wrong.next_step)
    elif case.config:
        yield Finding("deploy.toml", Verdict.FINE, _said(case.config, len(case.calls)))
    yield from (Finding("deploy.toml", Verdict.NOTE, each) for each in case.warnings)


def _said(config: Config, calls: int) -> str:
    return (
        f"{config.name}, mode {config.mode}: {calls} request{'s' if calls > 1 else ''}, none of which AWS would refuse"
    )
