"""Inference components: models that share an endpoint's instances, and scale to zero copies."""

from __future__ import annotations

from tests.deploy.double.call import Call
from tests.deploy.double.shelf import COMPONENT, ENDPOINT, Handler, Record, arn, delete, describe, listed, now
from tests.deploy.double.state import Double


def create_component(double: Double, call: Call) -> Record:
    given = call.parameters
    double.shelf.get(call, ENDPOINT, given["EndpointName"])
    return double.shelf.put(
        call,
        COMPONENT,
        given["InferenceComponentName"],
        EndpointArn=arn(call, ENDPOINT, given["EndpointName"]),
        InferenceComponentStatus="InService",
        RuntimeConfig=copies(given.get("RuntimeConfig", {}).get("CopyCount", 1)),
    )


def copies(count: int) -> Record:
    return {"DesiredCopyCount": count, "CurrentCopyCount": count}


def update_component(double: Double, call: Call) -> Record:
    """Both updates: of what it runs, and of how often."""
    given = call.parameters
    component = double.shelf.get(call, COMPONENT, given["InferenceComponentName"])
    component["LastModifiedTime"] = now()
    if "Specification" in given:
        component["Specification"] = given["Specification"]
    wanted = given.get("RuntimeConfig") or given.get("DesiredRuntimeConfig") or {}
    if "CopyCount" in wanted:
        component["RuntimeConfig"] = copies(wanted["CopyCount"])
    return component


COMPONENTS: dict[str, Handler] = {
    "CreateInferenceComponent": create_component,
    "DescribeInferenceComponent": describe(COMPONENT),
    "ListInferenceComponents": listed(COMPONENT),
    "UpdateInferenceComponent": update_component,
    "UpdateInferenceComponentRuntimeConfig": update_component,
    "DeleteInferenceComponent": delete(COMPONENT),
}
