"""Until AWS is done, and done with what was asked. Called by apply, down and the verbs.

Never botocore's waiter: a failed update goes back to InService with the old configuration, which it takes for success,
and it knows two of the nine states (https://github.com/hashicorp/terraform-provider-aws/issues/39099).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from deploy import signals
from deploy.aws import Aws
from deploy.call import Call
from deploy.compare import missing
from deploy.errors import DeployError
from deploy.kinds import KINDS, described
from deploy.terminal import Terminal, clock

MOVING = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}
GOOD = {"Completed", "COMPLETED"}
ENDED = {"Failed", "Stopped", "FAILED", "STOPPED"}
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
                "It goes on at AWS: `python -m deploy status` looks; the same command again goes on from there.",
            )
        self.sleep(self.poll_s)


class Failed(DeployError):
    """AWS ended in another state than the one that was asked for; failure says why."""

    def __init__(self, key: str, status: str, there: Mapping[str, Any]) -> None:
        super().__init__(f"{key} is {status}: {there.get('FailureReason') or 'AWS gives no reason'}")
        self.key, self.status, self.there = key, status, there


def until_still(aws: Aws, name: str, pace: Pace, terminal: Terminal) -> Mapping[str, Any] | None:
    """The endpoint when it no longer changes; None when it is gone."""
    call = Call("sagemaker", "CreateEndpoint", {"EndpointName": name}, f"endpoint/{name}")
    return _until_still(aws, call, pace, terminal)


def _until_still(aws: Aws, call: Call, pace: Pace, terminal: Terminal) -> Mapping[str, Any] | None:
    """What the call makes, when it no longer changes; None when it is gone."""
    while (there := described(aws, call)) and (status := there[KINDS[call.kind].status]) in MOVING:
        _wait(call.key, status, pace, terminal)
    return there


def _wait(key: str, status: str, pace: Pace, terminal: Terminal) -> None:
    terminal.progress(key, status, pace.elapsed_s, USUALLY.get(status, ""))
    pace.next(key, status)


def until_components_still(aws: Aws, app: str, pace: Pace, terminal: Terminal) -> None:
    """None of the endpoint's components changes any longer."""
    while moving := next(_moving_components(aws, app), None):
        name, status = moving
        _wait(f"inference-component/{name}", status, pace, terminal)


def _moving_components(aws: Aws, app: str) -> Iterator[tuple[str, str]]:
    found = aws.every("sagemaker", "ListInferenceComponents", "InferenceComponents", EndpointNameEquals=app)
    told = ((each["InferenceComponentName"], each["InferenceComponentStatus"]) for each in found)
    return ((name, status) for name, status in told if status in MOVING)


def until_switched(aws: Aws, name: str, wanted: str, pace: Pace, terminal: Terminal) -> Mapping[str, Any]:
    """The endpoint in service with the wanted configuration. Raises Failed for any other end, InService included."""

    def astray(there: Mapping[str, Any]) -> str:
        now = there["EndpointConfigName"]
        return "" if now == wanted else f", back on {now} instead of {wanted}"

    return _until_right(f"endpoint/{name}", lambda: until_still(aws, name, pace, terminal), astray, pace)


def until_described(aws: Aws, call: Call, pace: Pace, terminal: Terminal) -> Mapping[str, Any]:
    """A component in service as the call asks for. Raises Failed for any other end, InService included."""
    wanted = {name: call.parameters[name] for name in ("Specification",) if name in call.parameters}
    if copies := call.parameters.get("RuntimeConfig"):
        wanted["RuntimeConfig"] = {"DesiredCopyCount": copies["CopyCount"]}

    def astray(there: Mapping[str, Any]) -> str:
        return ", with what it had before" if missing(wanted, there) else ""

    return _until_right(call.key, lambda: _until_still(aws, call, pace, terminal), astray, pace)


def _until_right(
    key: str, look: Callable[[], Mapping[str, Any] | None], astray: Callable[[Mapping[str, Any]], str], pace: Pace
) -> Mapping[str, Any]:
    """What is in service, and of which astray has nothing to say. Raises Failed for any other end."""
    for last in (False,) * (STALE_LOOKS - 1) + (True,):
        if (there := look()) is None:
            raise DeployError(f"{key} is gone: somebody deleted it.", "Run `python -m deploy up` again.")
        status, how = there[KINDS[key.partition("/")[0]].status], astray(there)
        if status != "InService":
            raise Failed(key, status, there)
        if not how:
            return there
        if there.get("FailureReason") or last:
            raise Failed(key, f"{status}{how}", there)
        pace.next(key, f"{status}{how}")
    raise AssertionError("the last look returns or raises")


def until_gone(aws: Aws, call: Call, pace: Pace, terminal: Terminal) -> None:
    """Nothing has that name any more. Raises Failed where AWS could not delete it."""
    looks = 0
    while there := described(aws, call):
        status = there.get(KINDS[call.kind].status, "there")
        looks += status == "Failed"
        if looks == STALE_LOOKS:
            raise Failed(call.key, "Failed, and still there", there)
        _wait(call.key, status, pace, terminal)


def until_done(aws: Aws, call: Call, pace: Pace, terminal: Terminal) -> Mapping[str, Any]:
    """A job at its good end. Raises Failed for a bad one."""
    name = KINDS[call.kind].status
    while there := described(aws, call):
        status = there[name]
        if status in GOOD:
            return there
        if status in ENDED:
            raise Failed(call.key, status, there)
        _wait(call.key, status, pace, terminal)
    raise DeployError(f"{call.key} is gone.", "Run `python -m deploy up` again.")
