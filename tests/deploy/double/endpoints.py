"""Endpoints and what they run: models, configurations, and the nine states an endpoint can be in.

The states follow from time (state.Delays) whenever somebody looks. What this double holds to be so, and where from:
an update that fails goes back to InService with the old configuration, and the stock waiter calls that success
(https://github.com/hashicorp/terraform-provider-aws/issues/39099). While Updating, the old configuration is still told,
the new one stands in PendingDeploymentSummary.
"""

from __future__ import annotations

from typing import Any

from tests.deploy.double.call import Call, Refusal
from tests.deploy.double.hosting import are_ready
from tests.deploy.double.shelf import (
    CONFIG,
    ENDPOINT,
    MODEL,
    Handler,
    Record,
    delete,
    describe,
    images_of,
    listed,
    now,
)
from tests.deploy.double.state import Double

BUSY = {"Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting"}
PING = (
    "The primary container for production variant {} did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)


def create_model(double: Double, call: Call) -> Record:
    if ("PrimaryContainer" in call.parameters) == ("Containers" in call.parameters):
        raise Refusal("Exactly one of PrimaryContainer and Containers must be given.")
    return double.shelf.put(call, MODEL, call.parameters["ModelName"])


def create_config(double: Double, call: Call) -> Record:
    given = call.parameters
    for variant in [*given["ProductionVariants"], *given.get("ShadowProductionVariants", [])]:
        if "ModelName" in variant:
            double.shelf.get(call, MODEL, variant["ModelName"])
        memory = variant.get("ServerlessConfig", {}).get("MemorySizeInMB", 1024)
        if memory % 1024:
            raise Refusal(f"MemorySizeInMB {memory} is not one of 1024, 2048, 3072, 4096, 5120 and 6144.")
    return double.shelf.put(call, CONFIG, given["EndpointConfigName"])


def create_endpoint(double: Double, call: Call) -> Record:
    name, config = call.parameters["EndpointName"], call.parameters["EndpointConfigName"]
    variants = variants_of(double, call, config)
    coming = models_of(double, call, config)
    endpoint = double.shelf.put(call, ENDPOINT, name, ProductionVariants=variants, coming=coming)
    enter(double, endpoint, "Creating", double.delays.creating_s)
    return endpoint


def variants_of(double: Double, call: Call, config_name: str) -> list[Record]:
    """The variants as DescribeEndpoint tells them, all that was asked for given."""
    config = double.shelf.get(call, CONFIG, config_name)
    return [running(double, call, each) for each in config["ProductionVariants"]]


def models_of(double: Double, call: Call, config_name: str) -> list[Record]:
    """Whose containers have to be ready."""
    variants = double.shelf.get(call, CONFIG, config_name)["ProductionVariants"]
    return [double.shelf.get(call, MODEL, each["ModelName"]) for each in variants if "ModelName" in each]


def running(double: Double, call: Call, variant: Record) -> Record:
    told: Record = {"VariantName": variant["VariantName"]}
    for given, name in (
        ("InitialInstanceCount", "InstanceCount"),
        ("InitialVariantWeight", "Weight"),
        ("ServerlessConfig", "ServerlessConfig"),
    ):
        if given in variant:
            told |= {f"Current{name}": variant[given], f"Desired{name}": variant[given]}
    told.setdefault("CurrentWeight", 1.0)
    told.setdefault("DesiredWeight", 1.0)
    if "ModelName" in variant:
        images = [each["Image"] for each in images_of(double.shelf.get(call, MODEL, variant["ModelName"]))]
        told["DeployedImages"] = [{"SpecifiedImage": each, "ResolvedImage": each} for each in images]
    return told


def update_endpoint(double: Double, call: Call) -> Record:
    given = call.parameters
    endpoint = current(double, call, given["EndpointName"])
    not_busy(endpoint, "update")
    if given["EndpointConfigName"] == endpoint["EndpointConfigName"]:
        raise Refusal("Cannot update an endpoint to the endpoint configuration that it has already.")
    variants = variants_of(double, call, given["EndpointConfigName"])
    if given.get("RetainAllVariantProperties"):
        kept = {each["VariantName"]: each for each in endpoint["ProductionVariants"]}
        for each in variants:
            before = kept.get(each["VariantName"], {})
            each |= {name: value for name, value in before.items() if "Count" in name or "Weight" in name}
    endpoint["PendingDeploymentSummary"] = {"EndpointConfigName": given["EndpointConfigName"], "StartTime": now()}
    endpoint["next"] = (given["EndpointConfigName"], variants, given.get("DeploymentConfig"))
    endpoint["coming"] = models_of(double, call, given["EndpointConfigName"])
    enter(double, endpoint, "Updating", double.delays.updating_s)
    return endpoint


def update_weights(double: Double, call: Call) -> Record:
    endpoint = current(double, call, call.parameters["EndpointName"])
    not_busy(endpoint, "update")
    variants = [dict(each) for each in endpoint["ProductionVariants"]]
    for wanted in call.parameters["DesiredWeightsAndCapacities"]:
        (variant,) = [each for each in variants if each["VariantName"] == wanted["VariantName"]]
        for name in ("InstanceCount", "Weight"):
            if f"Desired{name}" in wanted:
                variant |= {f"Desired{name}": wanted[f"Desired{name}"], f"Current{name}": wanted[f"Desired{name}"]}
    endpoint["next"] = (endpoint["EndpointConfigName"], variants, None)
    enter(double, endpoint, "Updating", double.delays.updating_s)
    return endpoint


def delete_endpoint(double: Double, call: Call) -> Record:
    endpoint = current(double, call, call.parameters["EndpointName"])
    not_busy(endpoint, "delete")
    enter(double, endpoint, "Deleting", double.delays.deleting_s)
    current(double, call, call.parameters["EndpointName"], or_gone=True)
    return {}


def not_busy(endpoint: Record, verb: str) -> None:
    if endpoint["EndpointStatus"] in BUSY:
        raise Refusal(f'Cannot {verb} in-progress endpoint "{endpoint["EndpointArn"]}".')


# states


def enter(double: Double, endpoint: Record, status: str, delay_s: float) -> None:
    endpoint |= {"EndpointStatus": status, "due": double.clock() + delay_s, "LastModifiedTime": now()}


def current(double: Double, call: Call, name: str, *, or_gone: bool = False) -> Record:
    """The endpoint as it is by now; a deleted one is gone."""
    endpoint = double.shelf.get(call, ENDPOINT, name)
    while endpoint["EndpointStatus"] in BUSY and double.clock() >= endpoint["due"]:
        if endpoint["EndpointStatus"] == "Deleting":
            double.shelf.remove(call, ENDPOINT, name)
            return endpoint if or_gone else double.shelf.get(call, ENDPOINT, name)
        if not move_on(double, endpoint):
            break
    return endpoint


def move_on(double: Double, endpoint: Record) -> bool:
    """The next state; False where the container is still waited for."""
    status, (reason, ends_as) = endpoint["EndpointStatus"], double.failing.pop(endpoint["EndpointName"], ("", ""))
    if status == "RollingBack":
        settle(endpoint, endpoint.pop("ends_as"), endpoint["FailureReason"])
        return True
    if not reason and not are_ready(double, endpoint["EndpointName"], endpoint["coming"]):
        if double.clock() < endpoint["due"] + double.delays.ping_s:
            return False
        reason = PING.format(endpoint["ProductionVariants"][0]["VariantName"])
    if reason and status == "Updating":
        endpoint |= {"FailureReason": reason, "ends_as": ends_as or "InService"}
        enter(double, endpoint, "RollingBack", double.delays.rolling_back_s)
    elif reason:
        settle(endpoint, "Failed", reason)
    else:
        switch(endpoint)
        settle(endpoint, "InService")
    return True


def switch(endpoint: Record) -> None:
    if "next" in endpoint:
        endpoint["EndpointConfigName"], endpoint["ProductionVariants"], deployment = endpoint["next"]
        if deployment:
            endpoint["LastDeploymentConfig"] = deployment


def settle(endpoint: Record, status: str, reason: str = "") -> None:
    for name in ("next", "PendingDeploymentSummary", "FailureReason"):
        endpoint.pop(name, None)
    endpoint |= {"EndpointStatus": status, "LastModifiedTime": now()}
    if reason:
        endpoint["FailureReason"] = reason


def describe_endpoint(double: Double, call: Call) -> Record:
    """With AsyncInferenceConfig, if it has one; the configuration itself may be gone."""
    endpoint = current(double, call, call.parameters["EndpointName"])
    config = double.shelf.records.get((call.region, CONFIG.noun, endpoint["EndpointConfigName"]), {})
    return endpoint | {name: config[name] for name in ("AsyncInferenceConfig",) if name in config}


def list_endpoints(double: Double, call: Call) -> Any:
    for each in double.shelf.all(call, ENDPOINT):
        current(double, call, each["EndpointName"], or_gone=True)
    return listed(ENDPOINT)(double, call)


ENDPOINTS: dict[str, Handler] = {
    "CreateModel": create_model,
    "DescribeModel": describe(MODEL),
    "ListModels": listed(MODEL),
    "DeleteModel": delete(MODEL),
    "CreateEndpointConfig": create_config,
    "DescribeEndpointConfig": describe(CONFIG),
    "ListEndpointConfigs": listed(CONFIG),
    "DeleteEndpointConfig": delete(CONFIG),
    "CreateEndpoint": create_endpoint,
    "DescribeEndpoint": describe_endpoint,
    "ListEndpoints": list_endpoints,
    "UpdateEndpoint": update_endpoint,
    "UpdateEndpointWeightsAndCapacities": update_weights,
    "DeleteEndpoint": delete_endpoint,
}
