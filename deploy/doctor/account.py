"""Where and as whom AWS is asked, and whether this machine's clock is AWS's. Checks of doctor."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from deploy.doctor.finding import Case, Finding, fine, note, unknown, wrong
from deploy.errors import DeployError
from deploy.refusals import Unanswered

SKEW = dt.timedelta(minutes=5)
"""AWS refuses signatures that are older: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html"""
NOTICEABLE = dt.timedelta(minutes=1)
SET = "Set this machine's clock: `timedatectl set-ntp true`, or Docker Desktop's restart on a laptop that slept."


def region(case: Case) -> Iterator[Finding]:
    try:
        yield fine("region", case.aws.region)
    except DeployError as error:
        yield wrong("region", error.reason, error.next_step)


def identity(case: Case) -> Iterator[Finding]:
    """Everybody may ask who they are, so a refusal is a fault of the keys or of the clock."""
    try:
        told = case.aws.call("sts", "GetCallerIdentity")
    except Unanswered as error:
        yield unknown("identity", error.reason, error.next_step)
    except DeployError as error:
        yield wrong("identity", error.reason, error.next_step)
    else:
        case.account, case.arn = told["Account"], told["Arn"]
        yield fine("identity", told["Arn"])
        if told["Arn"].endswith(":root"):
            yield note(
                "identity", "this is the account's root user", "Deploy as a role: `python -m deploy iam deployer`."
            )
        yield from clock(told, case.now())


def clock(answer: dict[str, Any], now: dt.datetime) -> Iterator[Finding]:
    """This machine's time beside the one that AWS answered with."""
    told = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not told:
        yield unknown(
            "clock", "AWS's answer has no time", "Look at a clock that is right: signatures are good for 5 minutes."
        )
        return
    skew = abs(now - parsedate_to_datetime(told))
    text = f"{skew.total_seconds():.0f} s from AWS's"
    if skew >= SKEW:
        yield wrong("clock", f"{text}: signatures are refused from {SKEW.seconds} s on", SET)
    else:
        yield note("clock", text, SET) if skew >= NOTICEABLE else fine("clock", text)
