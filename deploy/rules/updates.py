"""Rules of CreateEndpoint: how a new configuration takes over. Part of RULES.

https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html,
deployment-guardrails-rolling.html, deployment-guardrails-exclusions.html
"""

from __future__ import annotations

from collections.abc import Iterator

from deploy.call import Call, Parameters
from deploy.problem import Problem
from deploy.rules.parts import dig, of, serverless, variants

STEP_PERCENT = {"CanarySize": (1, 50), "LinearStepSize": (10, 50), "MaximumBatchSize": (5, 50)}


def steps_are_within_percents(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpoint"):
        for name, size in _steps(call):
            least, most = STEP_PERCENT[name]
            if size.get("Type") == "CAPACITY_PERCENT" and not least <= size.get("Value", 0) <= most:
                yield Problem(call.key, f"update.size is {size.get('Value')} percent; {name} is {least} to {most}")


def an_update_ends_in_its_time(calls: list[Call]) -> Iterator[Problem]:
    for call in of(calls, "CreateEndpoint"):
        policy = dig(call.parameters, "DeploymentConfig", "BlueGreenUpdatePolicy") or {}
        wait = dig(policy, "TrafficRoutingConfiguration", "WaitIntervalInSeconds") or 0
        needed, most = wait + policy.get("TerminationWaitInSeconds", 0), policy.get("MaximumExecutionTimeoutInSeconds")
        if most is not None and needed > most:
            yield Problem(
                call.key, f"update.timeout_s is {most}, less than wait_s and terminate_wait_s together: {needed}"
            )


def rolling_is_for_one_variant(calls: list[Call]) -> Iterator[Problem]:
    several = any(len(call.parameters.get("ProductionVariants", ())) > 1 for call in of(calls, "CreateEndpointConfig"))
    for call in of(calls, "CreateEndpoint"):
        if several and dig(call.parameters, "DeploymentConfig", "RollingUpdatePolicy"):
            yield Problem(call.key, "update.strategy rolling takes one variant; take canary or linear")


def inf1_changes_at_once(calls: list[Call]) -> Iterator[Problem]:
    types = (each.get("InstanceType", "") for call in of(calls, "CreateEndpointConfig") for each in variants(call))
    if not any(each.startswith("ml.inf1.") for each in types):
        return
    for call in of(calls, "CreateEndpoint"):
        if "DeploymentConfig" in call.parameters:
            text = "AWS updates ml.inf1 instances all at once, whatever [update] says; no alarm turns it back"
            yield Problem(call.key, text, warning=True)


def serverless_has_no_guardrails(calls: list[Call]) -> Iterator[Problem]:
    if not any(True for _ in serverless(calls)):
        return
    for call in of(calls, "CreateEndpoint"):
        if "DeploymentConfig" in call.parameters:
            text = "canary, linear and rolling move instances, which serverless has none of; leave [update] out"
            yield Problem(call.key, text, warning=True)


def _steps(call: Call) -> Iterator[tuple[str, Parameters]]:
    told = call.parameters.get("DeploymentConfig", {})
    routing = dig(told, "BlueGreenUpdatePolicy", "TrafficRoutingConfiguration") or {}
    for part in (routing, told.get("RollingUpdatePolicy", {})):
        yield from ((name, part[name]) for name in STEP_PERCENT if name in part)


UPDATE_RULES = (
    steps_are_within_percents,
    an_update_ends_in_its_time,
    rolling_is_for_one_variant,
    inf1_changes_at_once,
    serverless_has_no_guardrails,
)
