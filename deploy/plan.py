"""Calls beside what AWS has: what to create, update, delete, and what to leave. Reads only; called by plan and up.

The order of the changes is the order in which they are made: what scaling holds up, the new, the switch, what comes on
top, and last what is no longer wanted.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from deploy import leftovers, names, shapes, tagging
from deploy.aws import Aws
from deploy.call import Call, filled
from deploy.change import Change, Plan
from deploy.compare import Field, different, missing
from deploy.config import Config
from deploy.errors import DeployError
from deploy.kinds import JOBS, KINDS, described
from deploy.notes import Notes
from deploy.previous import State
from deploy.requests.components import name_of
from deploy.rules.parts import of
from deploy.switch import Switch
from deploy.wait import GOOD, MOVING

ENDED_BADLY = {"Failed", "Stopped", "FAILED", "STOPPED", "Stopping", "STOPPING"}


def make(
    aws: Aws, config: Config, calls: list[Call], *, again: bool = False, warnings: list[str] | None = None
) -> Plan:
    """What to do. Raises DeployError where something of another owner or another content has one of our names."""
    switch = Switch(aws, config, calls)
    changes = _to_wanted(aws, config, calls, switch, again)
    gone = {each.call.key for each in switch.before}
    changes += (each for each in leftovers.of_what_runs(aws, calls, switch) if each.call.key not in gone)
    notes = Notes(switch, changes, tags := _tags(calls))
    changes += tagging.changes(switch, changes, tags, endpoint=not notes.tell_the_version)
    every = [*notes.of_up(), *leftovers.unused(aws, calls, switch, notes.back_to)]
    told = (each.warning for each in every if each.warning)
    return Plan(tuple(every), switch.there, (*(warnings or ()), *_moving(switch), *notes.warnings, *told))


def back(aws: Aws, switch: Switch, state: State) -> Plan:
    """To that version, which the switch's calls make. Nothing of the one that runs is removed, `up` goes forth."""
    changes = _to_wanted(aws, switch.config, switch.calls, switch, again=False)
    changes = [each for each in changes if each.call.operation != "UpdateEndpointWeightsAndCapacities"]
    return Plan(tuple(Notes(switch, changes, state.tags).of_rollback(state)), switch.there)


def _to_wanted(aws: Aws, config: Config, calls: list[Call], switch: Switch, again: bool) -> list[Change]:
    answers: dict[str, Any] = {}
    changes: list[Change] = [*switch.before]
    for call in calls:
        found = [*_changes(aws, config, _resolved(call, answers), switch, again)]
        answers |= {each.call.key: each.there for each in found}
        changes += found
    return changes


def _tags(calls: list[Call]) -> dict[str, str]:
    """Those of the endpoint, which tell the version."""
    return names.as_mapping(each for call in of(calls, "CreateEndpoint") for each in call.parameters["Tags"])


def _moving(switch: Switch) -> Iterator[str]:
    there = switch.there or {}
    if there.get("EndpointStatus") in MOVING:
        yield f"the endpoint is {there['EndpointStatus']}; `up` waits for that, and then looks again"


def _changes(aws: Aws, config: Config, call: Call, switch: Switch, again: bool) -> Iterator[Change]:
    if call.kind == "endpoint":
        yield from switch.changes(call)
    elif call.kind in JOBS:
        yield _job(aws, call, again)
    elif switch.is_unhooked(call) or (there := described(aws, call)) is None:
        yield _new(aws, call, switch)
    elif call.kind == "inference-component":
        yield from _component(call, there, scaled=_is_scaled(config, call))
    elif call.kind == "model-package":
        yield _package(call, there)
    else:
        yield _kept(call, there)


def _new(aws: Aws, call: Call, switch: Switch) -> Change:
    """Beside what it comes after, so that people see what is new about it."""
    before = switch.predecessor(call)
    if before is None:
        return Change("create", call)
    old = described(aws, before)
    if old is None:
        return Change("create", call)
    members = shapes.service(call.service).operation_model(call.operation).input_shape.members
    told = {name: value for name, value in old.items() if name in members and name != KINDS[call.kind].name}
    wanted = {name: value for name, value in call.parameters.items() if name != KINDS[call.kind].name}
    return Change("create", call, different(wanted, told), instead_of=before.name)


def _kept(call: Call, there: Any) -> Change:
    fields = missing(call.parameters, there)
    if not fields:
        return Change("nothing", call, there=there)
    if call.kind in ("model", "endpoint-config"):
        told = "; ".join(str(each) for each in fields)
        raise DeployError(
            f"{call.key} is there, and is not what its name says: {told}", "Remove it, then run this again."
        )
    return Change("update", call, fields, there=there)


def _component(call: Call, there: Any, *, scaled: bool) -> Iterator[Change]:
    name = {"InferenceComponentName": call.name}
    if there.get("InferenceComponentStatus") == "Failed":
        yield Change("delete", Call("sagemaker", "DeleteInferenceComponent", name, call.key))
        yield Change("create", call)
        return
    wanted = {"Specification": call.parameters["Specification"]}
    fields = missing(wanted, there)
    update = wanted if fields else {}
    copies, now = call.parameters["RuntimeConfig"], there.get("RuntimeConfig", {}).get("DesiredCopyCount")
    if not scaled and now not in (None, copies["CopyCount"]):
        fields += (Field("RuntimeConfig.CopyCount", now, copies["CopyCount"]),)
        update = {**update, "RuntimeConfig": copies}
    if not fields:
        yield Change("nothing", call, there=there)
    else:
        yield Change(
            "update", Call("sagemaker", "UpdateInferenceComponent", name | update, call.key), fields, there=there
        )


def _is_scaled(config: Config, call: Call) -> bool:
    return any(each.scaling and name_of(config, each) == call.name for each in config.components)


def _package(call: Call, there: Any) -> Change:
    status = "ModelApprovalStatus"
    now, wanted = there.get(status), call.parameters[status]
    if wanted != "Approved" or now == wanted:  # what somebody approved or rejected stays so
        return Change("nothing", call, there=there)
    approve = {"ModelPackageArn": there["ModelPackageArn"], status: wanted}
    return Change("update", Call("sagemaker", "UpdateModelPackage", approve, call.key), (Field(status, now, wanted),))


def _job(aws: Aws, call: Call, again: bool) -> Change:
    """The newest run of that name; the next number if there is none, it ended badly, or another is asked for."""
    kind, newest = KINDS[call.kind], Change("create", call)
    for number in itertools.count(1):
        name = call.name if number == 1 else f"{call.name}-{number}"
        run = Call(call.service, call.operation, {**call.parameters, kind.name: name}, f"{call.kind}/{name}")
        there = described(aws, run)
        if there is None:
            break
        newest = Change("nothing", run, there=there)
    status = newest.there.get(kind.status)
    if status in ENDED_BADLY:
        reason = newest.there.get("FailureReason", "AWS gives no reason").rstrip(".")
        told = f"{newest.call.key} is {status}: {reason}. It is to run once more, and to be paid for again."
        return Change("create", run, warning=told)
    return Change("create", run) if again and status in GOOD else newest


def _resolved(call: Call, answers: dict[str, Any]) -> Call:
    """With what AWS has answered already in the place of ${KEY.FIELD}."""
    return Call(call.service, call.operation, filled(call.parameters, answers), call.key)
