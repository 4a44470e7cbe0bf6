"""The model registry: groups, and numbered packages in them."""

from __future__ import annotations

from typing import Any

from tests.deploy.double.call import Call, Refusal
from tests.deploy.double.shelf import GROUP, PACKAGE, Handler, Record, arn, create, describe, listed, now
from tests.deploy.double.state import Double


def create_package(double: Double, call: Call) -> Record:
    """The next version of its group, arn:.../model-package/GROUP/1, or a package of its own name."""
    given = call.parameters
    group = given.get("ModelPackageGroupName")
    if not group:
        return double.shelf.put(call, PACKAGE, given["ModelPackageName"], ModelPackageStatus="Completed")
    double.shelf.get(call, GROUP, group.rpartition("/")[2])
    version = 1 + max((each["ModelPackageVersion"] for each in versions(double, call, group)), default=0)
    return double.shelf.put(
        call, PACKAGE, f"{group}/{version}", ModelPackageVersion=version, ModelPackageStatus="Completed"
    )


def versions(double: Double, call: Call, group: str) -> list[Record]:
    return [each for each in double.shelf.all(call, PACKAGE) if each.get("ModelPackageGroupName") == group]


def package_of(double: Double, call: Call) -> Record:
    """By name, or by ARN as ModelPackageName takes it too."""
    given = call.parameters.get("ModelPackageName") or call.parameters["ModelPackageArn"]
    return double.shelf.get(call, PACKAGE, given.partition(":model-package/")[2] or given)


def update_package(double: Double, call: Call) -> Record:
    changed = {name: value for name, value in call.parameters.items() if not name.startswith("ModelPackage")}
    status = call.parameters.get("ModelApprovalStatus")
    record = package_of(double, call)
    record |= {**changed, "LastModifiedTime": now(), **({"ModelApprovalStatus": status} if status else {})}
    return record


def list_packages(double: Double, call: Call) -> Any:
    group = call.parameters.get("ModelPackageGroupName")
    found = versions(double, call, group) if group else double.shelf.all(call, PACKAGE)
    approval = call.parameters.get("ModelApprovalStatus")
    return {
        PACKAGE.listed: [each for each in reversed(found) if approval in (None, each.get("ModelApprovalStatus"))],
    }


def delete_package(double: Double, call: Call) -> Record:
    double.shelf.remove(call, PACKAGE, package_of(double, call)["ModelPackageName"])
    return {}


def delete_group(double: Double, call: Call) -> Record:
    name = call.parameters["ModelPackageGroupName"]
    if versions(double, call, name):
        raise Refusal(
            f'Model Package Group cannot be deleted as it contains model packages: "{arn(call, GROUP, name)}"'
        )
    double.shelf.remove(call, GROUP, name)
    return {}


PACKAGES: dict[str, Handler] = {
    "CreateModelPackageGroup": create(GROUP, ModelPackageGroupStatus="Completed"),
    "DescribeModelPackageGroup": describe(GROUP),
    "ListModelPackageGroups": listed(GROUP),
    "DeleteModelPackageGroup": delete_group,
    "CreateModelPackage": create_package,
    "DescribeModelPackage": package_of,
    "UpdateModelPackage": update_package,
    "ListModelPackages": list_packages,
    "DeleteModelPackage": delete_package,
}
