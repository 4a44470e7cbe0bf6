"""What a deployment takes for granted: artifacts, buckets, quotas. Checks of doctor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from deploy import artifacts, iam, s3
from deploy.doctor import refused
from deploy.doctor.finding import Case, Finding, fine, note, unknown, wrong
from deploy.errors import DeployError
from deploy.refusals import NotFound
from deploy.requests.scaling import INSTANCES
from deploy.rules.parts import of, variants

HIGHER = (
    "Ask for more: `aws service-quotas request-service-quota-increase --service-code sagemaker {} --desired-value {}`"
)


def artifacts_are_there(case: Case) -> Iterator[Finding]:
    try:
        found, unseen = artifacts.sizes(case.aws, case.wanted)
    except DeployError as error:
        yield wrong("artifact", error.reason, error.next_step)
        return
    yield from (fine("artifact", f"{address}, {size / 1e6:,.1f} MB") for address, size in found.items())
    for each in unseen:
        yield unknown("artifact", each, refused.step(case, each, "See what S3 says, then again."))


def buckets_are_near(case: Case) -> Iterator[Finding]:
    """Each bucket of the requests is there and in the deployment's region."""
    for bucket in sorted(_buckets(case)):
        try:
            told = case.aws.call("s3", "HeadBucket", Bucket=bucket)
        except NotFound:
            yield wrong("buckets", f"there is no bucket {bucket}", f"Make it: `aws s3 mb s3://{bucket}`.")
        except DeployError as error:
            text = f"{bucket}: {error.reason}"
            yield unknown("buckets", text, refused.step(case, error.reason, error.next_step))
        else:
            where = told.get("BucketRegion", case.aws.region)
            if where != case.aws.region:
                text = f"{bucket} is in {where}, the deployment in {case.aws.region}"
                yield wrong("buckets", text, "Take a bucket of the same region, or change region.")
            else:
                yield fine("buckets", f"{bucket}, in {where}")


def _buckets(case: Case) -> set[str]:
    told = (each for call in case.calls for _, each in iam.strings(call.parameters))
    return {s3.split(each)[0] for each in told if each.startswith(s3.SCHEME)}


def quotas_suffice(case: Case) -> Iterator[Finding]:
    """Of each instance type; what else runs in the account is not counted."""
    needed = _needed(case)
    if not needed:
        return
    listed = case.aws.every("service-quotas", "ListServiceQuotas", "Quotas", ServiceCode="sagemaker")
    known = {each["QuotaName"]: each for each in listed}
    for name, count in sorted(needed.items()):
        if name not in known:
            yield unknown("quota", f"`{name}` is not in the list of quotas", "Look: Service Quotas, Amazon SageMaker.")
            continue
        value, code = known[name]["Value"], known[name].get("QuotaCode", "")
        ask = HIGHER.format(f"--quota-code {code}" if code else "--quota-code CODE", 2 * count)
        if value < count:
            yield wrong("quota", f"{name}: {value:g}, and {count} are wanted", f"{ask}; or take another type.")
        elif value < 2 * count and name.endswith("endpoint usage") and case.wanted.update.strategy != "rolling":
            text = f"{name}: {value:g} do for {count}, not for an update, which has old and new side by side"
            yield note("quota", text, f'{ask}; or write update.strategy = "rolling".')
        else:
            yield fine("quota", f"{name}: {value:g}, {count} wanted; what else runs is not counted")


def _needed(case: Case) -> Counter[str]:
    """Name of a quota -> the most instances that the deployment may come to."""
    needed: Counter[str] = Counter()
    for call in of(case.calls, "CreateEndpointConfig"):
        for each in variants(call):
            if "InstanceType" in each:
                needed[f"{each['InstanceType']} for endpoint usage"] += _most(case, each)
    for call in of(case.calls, "CreateTransformJob"):
        told = call.parameters["TransformResources"]
        needed[f"{told['InstanceType']} for transform job usage"] += told["InstanceCount"]
    for call in of(case.calls, "CreateTrainingJob"):
        told, spot = call.parameters["ResourceConfig"], call.parameters.get("EnableManagedSpotTraining")
        needed[f"{told['InstanceType']} for {'spot ' if spot else ''}training job usage"] += told["InstanceCount"]
    return needed


def _most(case: Case, variant: Mapping[str, Any]) -> int:
    """Its instances now, or as many as scaling may make of them."""
    counts = [variant.get("InitialInstanceCount", 1)]
    counts.append(variant.get("ManagedInstanceScaling", {}).get("MaxInstanceCount", 0))
    for call in of(case.calls, "RegisterScalableTarget"):
        mine = call.parameters["ResourceId"].endswith(f"/variant/{variant['VariantName']}")
        if mine and call.parameters["ScalableDimension"] == INSTANCES:
            counts.append(call.parameters["MaxCapacity"])
    return int(max(counts))
