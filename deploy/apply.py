"""Makes a plan's changes true, one by one, each written down; then sees that it is so. Called by up and down."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy import owned
from deploy.aws import Aws
from deploy.call import Call, filled
from deploy.change import Change, Plan
from deploy.compare import missing
from deploy.errors import DeployError
from deploy.kinds import JOBS, described
from deploy.record import Journal
from deploy.refusals import AlreadyThere, Busy, NotFound
from deploy.terminal import Terminal
from deploy.wait import Pace, until_described, until_done, until_gone, until_still, until_switched

WAITED_FOR = ("endpoint", "inference-component")
SAID = {"create": "creating", "update": "updating", "delete": "removing"}


class Apply:
    """One run over a plan."""

    def __init__(self, aws: Aws, journal: Journal, pace: Pace, terminal: Terminal, *, wait: bool = True) -> None:
        self.aws, self.journal, self.pace, self.terminal, self.wait = aws, journal, pace, terminal, wait
        self.answers: dict[str, Mapping[str, Any]] = {}
        self.done: list[str] = []
        self.left: list[str] = []
        """What is still to be done where nobody waited."""

    def run(self, plan: Plan) -> None:
        """Raises wait.Failed where AWS ends elsewhere. Without waiting it stops where the rest needs what has begun."""
        with self.journal.watched():
            self._run(plan)

    def _run(self, plan: Plan) -> None:
        self.answers = {each.call.key: each.there for each in plan.every if each.there}
        begun = ""
        for index, change in enumerate(plan.every):
            if begun and change.call.kind != begun:
                self.left = [f"{each.verb} {each.call.key}" for each in plan.every[index:] if each.verb != "nothing"]
                return
            if change.verb == "nothing":
                self._follow_job(change)
                continue
            self._make(change)
            if self.wait or change.verb == "delete":
                self._follow(change)
            elif change.call.kind in WAITED_FOR:
                begun = change.call.kind

    def _make(self, change: Change) -> None:
        call = change.call
        if change.verb == "delete" and call.kind == "endpoint-config" and self._in_use(call.name):
            return self.terminal.warn(f"{call.key} is in use again and stays.")
        self.terminal.say(f"{SAID[change.verb]} {call.key}")
        self.answers[call.key] = self._called(change)
        self.journal.step(change.verb, call.key)
        self.done.append(f"{change.verb} {call.key}")
        return None

    def _called(self, change: Change) -> Mapping[str, Any]:
        """What AWS answers. A call whose answer was lost may have been done: then it is not done twice."""
        call = change.call
        parameters = filled(call.parameters, self.answers)
        try:
            return self.aws.call(call.service, call.operation, **parameters)
        except NotFound:
            if change.verb != "delete":
                raise
            return {}
        except AlreadyThere:
            return self._same(Call(call.service, call.operation, parameters, call.key))
        except Busy:
            if call.operation == "UpdateInferenceComponent":  # whether it is this update, the wait for its end tells
                return {}
            if call.operation == "UpdateEndpoint" and self._is_coming(parameters):
                return {}
            raise

    def _same(self, call: Call) -> Mapping[str, Any]:
        there = described(self.aws, call)
        if there is None or (call.kind not in ("endpoint", "inference-component") and missing(call.parameters, there)):
            raise DeployError(f"{call.key} was made by somebody else meanwhile.", "Run `python -m deploy plan`.")
        return there

    def _is_coming(self, parameters: Mapping[str, Any]) -> bool:
        there = owned.endpoint(self.aws, parameters["EndpointName"]) or {}
        pending = there.get("PendingDeploymentSummary", {}).get("EndpointConfigName", there.get("EndpointConfigName"))
        return bool(pending == parameters["EndpointConfigName"])

    def _in_use(self, configuration: str) -> bool:
        app = self.journal.path.stem
        there = owned.endpoint(self.aws, app) or {}
        pending = there.get("PendingDeploymentSummary", {}).get("EndpointConfigName")
        return configuration in (there.get("EndpointConfigName"), pending)

    def _follow(self, change: Change) -> None:
        call, pace = change.call, self.pace.again()
        if change.verb == "delete":
            if call.kind in ("endpoint", "inference-component"):
                until_gone(self.aws, call, pace, self.terminal)
        elif call.operation == "UpdateEndpointWeightsAndCapacities":
            until_still(self.aws, call.name, pace, self.terminal)
        elif call.kind == "endpoint":
            until_switched(self.aws, call.name, call.parameters["EndpointConfigName"], pace, self.terminal)
        elif call.kind == "inference-component":
            until_described(self.aws, call, pace, self.terminal)
        else:
            self._follow_job(change)

    def _follow_job(self, change: Change) -> None:
        """Also of a job that an earlier run began."""
        if change.call.kind in JOBS and self.wait:
            self.answers[change.call.key] = until_done(self.aws, change.call, self.pace.again(), self.terminal)
