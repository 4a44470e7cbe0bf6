"""Until AWS is done, and done with what was asked. Called by apply, down and the verbs.

Never botocore's waiter: a failed update goes back to InService with the old configuration, which it takes for success,
and it knows two of the nine states (https://github.com/hashicorp/terraform-provider-aws/issues/39099).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy import signals
from deploy.aws import Aws
from deploy.call import Call
from deploy.errors import DeployError
from deploy.kinds import JOBS, KINDS, described
from deploy.terminal import Terminal, clock

MOVING = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}
ENDED = {"Completed", "Failed", "Stopped", "COMPLETED", "FAILED", "STOPPED"}
STALE_LOOKS = 3
"""How often an endpoint may look as before an update until that is believed: AWS's answers may be a moment old."""

USUALLY = {
    "Creating": "3 to 10 min",
    "Updating": "5 to 15 min",
    "RollingBack": "5 to 15 min",
    "Deleting": "1 min",
    "InProgress": "4 min and the work itself",
    "IN_PROGRESS": "45 min",
}


@dataclass
class Pace:
    """How often AWS is asked, and for how long at most."""

    poll_s: float = 10.0
    timeout_s: float = 3600.0
    sleep: Callable[[float], object] = time.sleep
    begin: float = field(default_factory=time.monotonic)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self.begin

    def again(self) -> Pace:
        """From now on, for something else."""
        return Pace(self.poll_s, self.timeout_s, self.sleep)

    def next(self, what: str, status: str) -> None:
        signals.check()
        if self.elapsed_s >= self.timeout_s:
            raise DeployError(
                f"{what} is still {status} after {clock(self.elapsed_s)}.",
                "It goes on at AWS: `python -m deploy status` looks, `python -m deploy up` takes it on.",
            )
        self.sleep(self.poll_s)


class Failed(DeployError):
    """AWS ended in another state than the one that was asked for; failure says why."""

    def __init__(self, key: str, status: str, there: Mapping[str, Any]) -> None:
        super().__init__(f"{key} is {status}: {there.get('FailureReason') or 'AWS gives no reason'}")
        self.key, self.status, self.there = key, status, there


def until_still(aws: Aws, name: str, pace: Pace, terminal: Terminal) -> Mapping[str, Any] | None:
    """The endpoint when it no longer changes; None when it is gone."""
    while there := aws.find("sagemaker", "DescribeEndpoint", EndpointName=name):
        status = there["EndpointStatus"]
        if status not in MOVING:
            return there
        terminal.progress(f"endpoint/{name}", status, pace.elapsed_s, USUALLY.get(status, ""))
        pace.next(f"endpoint/{name}", status)
    return None


def until_switched(aws: Aws, name: str, wanted: str, pace: Pace, terminal: Terminal) -> Mapping[str, Any]:
    """The endpoint in service with the wanted configuration. Raises Failed for any other end, InService included."""
    for look in range(STALE_LOOKS):
        there = until_still(aws, name, pace, terminal)
        if there is None:
            raise DeployError(f"endpoint/{name} is gone: somebody deleted it.", "Run `python -m deploy up` again.")
        status = there["EndpointStatus"]
        if status == "InService" and there["EndpointConfigName"] == wanted:
            return there
        if status != "InService" or there.get("FailureReason") or look == STALE_LOOKS - 1:
            old = f", back on {there['EndpointConfigName']} instead of {wanted}" if status == "InService" else ""
            raise Failed(f"endpoint/{name}", status + old, there)
        pace.next(f"endpoint/{name}", "InService with the old configuration")
    raise AssertionError("the last look returns or raises")


def until_gone(aws: Aws, call: Call, pace: Pace, terminal: Terminal) -> None:
    """Nothing has that name any more. Raises Failed where AWS could not delete it."""
    looks = 0
    while there := described(aws, call):
        status = there.get(KINDS[call.kind].status, "there")
        looks += status == "Failed"
        if looks == STALE_LOOKS:
            raise Failed(call.key, "Failed, and still there", there)
        terminal.progress(call.key, status, pace.elapsed_s, USUALLY.get(status, ""))
        pace.next(call.key, status)


def until_ready(aws: Aws, call: Call, pace: Pace, terminal: Terminal) -> Mapping[str, Any]:
    """A component in service, or a job at its good end. Raises Failed for a bad one."""
    name = KINDS[call.kind].status
    good = {"Completed", "COMPLETED"} if call.kind in JOBS else {"InService"}
    while there := described(aws, call):
        status = there[name]
        if status in good:
            return there
        if status in ENDED:
            raise Failed(call.key, status, there)
        terminal.progress(call.key, status, pace.elapsed_s, USUALLY.get(status, ""))
        pace.next(call.key, status)
    raise DeployError(f"{call.key} is gone.", "Run `python -m deploy up` again.")
