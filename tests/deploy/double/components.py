"""Inference components: models that share an endpoint's instances, and scale to zero copies.

Their states follow from time, as an endpoint's do. What this double holds to be so: an update that fails goes back to
InService with the specification from before, which is told until an update has ended.
"""

from __future__ import annotations

from tests.deploy.double.call import Call, Refusal
from tests.deploy.double.hosting import are_ready
from tests.deploy.double.shelf import COMPONENT, ENDPOINT, MODEL, Handler, Record, arn, listed, now
from tests.deploy.double.state import Double

PING = "The primary container did not pass the ping health check."
BUSY = ("Creating", "Updating", "Deleting")


def create_component(double: Double, call: Call) -> Record:
    given = call.parameters
    double.shelf.get(call, ENDPOINT, given["EndpointName"])
    component = double.shelf.put(
        call,
        COMPONENT,
        given["InferenceComponentName"],
        EndpointArn=arn(call, ENDPOINT, given["EndpointName"]),
        RuntimeConfig=copies(given.get("RuntimeConfig", {}).get("CopyCount", 1)),
    )
    return enter(double, component, "Creating", double.delays.creating_s)


def copies(count: int) -> Record:
    return {"DesiredCopyCount": count, "CurrentCopyCount": count}


def update_component(double: Double, call: Call) -> Record:
    """Both updates: of what it runs, and of how often."""
    given = call.parameters
    component = not_busy(current(double, call, given["InferenceComponentName"]), "update")
    wanted = given.get("RuntimeConfig") or given.get("DesiredRuntimeConfig") or {}
    component["next"] = {"Specification": given["Specification"]} if "Specification" in given else {}
    component["next"] |= {"RuntimeConfig": copies(wanted["CopyCount"])} if "CopyCount" in wanted else {}
    return enter(double, component, "Updating", double.delays.updating_s)


def delete_component(double: Double, call: Call) -> Record:
    component = not_busy(current(double, call, call.parameters["InferenceComponentName"]), "delete")
    enter(double, component, "Deleting", double.delays.deleting_s)
    settle(double, call, component)
    return {}


def not_busy(component: Record, verb: str) -> Record:
    if component["InferenceComponentStatus"] in BUSY:
        raise Refusal(f'Cannot {verb} in-progress inference component "{component["InferenceComponentArn"]}".')
    return component


def enter(double: Double, component: Record, status: str, delay_s: float) -> Record:
    component |= {"InferenceComponentStatus": status, "due": double.clock() + delay_s, "LastModifiedTime": now()}
    return component


def current(double: Double, call: Call, name: str) -> Record:
    """The component as it is by now; a deleted one is gone."""
    settle(double, call, double.shelf.get(call, COMPONENT, name))
    return double.shelf.get(call, COMPONENT, name)


def settle(double: Double, call: Call, component: Record) -> None:
    status, name = component["InferenceComponentStatus"], component["InferenceComponentName"]
    if status not in BUSY or double.clock() < component["due"]:
        return
    if status == "Deleting":
        double.shelf.remove(call, COMPONENT, name)
        return
    model = {**component, **component.get("next", {})}["Specification"].get("ModelName")
    reason, ends_as = double.failing.pop(name, ("", ""))
    if (
        not reason
        and model
        and not are_ready(double, component["EndpointName"], [double.shelf.get(call, MODEL, model)])
    ):
        if double.clock() < component["due"] + double.delays.ping_s:
            return
        reason = PING
    coming = component.pop("next", {})
    component.pop("FailureReason", None)
    component |= {"FailureReason": reason} if reason else coming
    failed = ends_as or ("Failed" if status == "Creating" else "InService")
    component["InferenceComponentStatus"] = failed if reason else "InService"


def describe_component(double: Double, call: Call) -> Record:
    return current(double, call, call.parameters["InferenceComponentName"])


def list_components(double: Double, call: Call) -> Record:
    for each in double.shelf.all(call, COMPONENT):
        settle(double, call, each)
    answer: Record = listed(COMPONENT)(double, call)
    return answer


COMPONENTS: dict[str, Handler] = {
    "CreateInferenceComponent": create_component,
    "DescribeInferenceComponent": describe_component,
    "ListInferenceComponents": list_components,
    "UpdateInferenceComponent": update_component,
    "UpdateInferenceComponentRuntimeConfig": update_component,
    "DeleteInferenceComponent": delete_component,
}
