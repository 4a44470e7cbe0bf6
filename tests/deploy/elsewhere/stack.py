"""A stack beside `up`: whether both make the same. Used by the tests of templates."""

from __future__ import annotations

import json
from typing import Any

from deploy.config import Config
from tests.deploy.flow.conftest import Cloud


def same_as_up(cloud: Cloud, config: Config, template: str) -> None:
    """But for names that CloudFormation makes up, and tags that say whose it is. Nothing is left of either."""
    cloud.up(config)
    ours = snapshot(cloud)
    cloud.down()
    before = len(cloud.double.calls)
    cloud.aws.call("cloudformation", "CreateStack", StackName="s", TemplateBody=template)
    (stack,) = cloud.aws.call("cloudformation", "DescribeStacks", StackName="s")["Stacks"]
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["Outputs"] == [{"OutputKey": "EndpointName", "OutputValue": config.name}]
    assert snapshot(cloud) == ours
    cloud.aws.call("cloudformation", "DeleteStack", StackName="s")
    assert cloud.left() == []
    del cloud.double.calls[before:]  # CloudFormation's own, for which our policy is none


def snapshot(cloud: Cloud) -> list[str]:
    """All that is there, without times, tags and made-up names, in an order of its own."""
    shelf = [(noun, record) for (_, noun, _), record in cloud.double.shelf.records.items() if not noun.endswith("Job")]
    made_up = {record["ModelName"]: "MODEL" for noun, record in shelf if noun == "Model"}
    made_up |= {record["EndpointConfigName"]: "CONFIGURATION" for noun, record in shelf if noun == "EndpointConfig"}
    scaling = [
        item
        for operation, items in (
            ("DescribeScalableTargets", "ScalableTargets"),
            ("DescribeScalingPolicies", "ScalingPolicies"),
            ("DescribeScheduledActions", "ScheduledActions"),
        )
        for item in cloud.aws.call("application-autoscaling", operation, ServiceNamespace="sagemaker")[items]
    ]
    alarms = cloud.aws.call("cloudwatch", "DescribeAlarms")["MetricAlarms"]
    told = [
        json.dumps(plain(each), sort_keys=True, default=str) for each in [*(r for _, r in shelf), *scaling, *alarms]
    ]
    for name, word in made_up.items():
        told = [each.replace(name, word) for each in told]
    return sorted(told)


def plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items() if not changing(name)}
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return [plain(each) for each in value] if isinstance(value, list) else value


def changing(name: str) -> bool:
    return name in ("Tags", "due", "Alarms") or name.lower().endswith(("time", "arn", "timestamp", "arns", "actions"))
