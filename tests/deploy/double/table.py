"""Which calls the double answers itself. All others are moto's. Read by gate."""

from __future__ import annotations

from tests.deploy.double.components import COMPONENTS
from tests.deploy.double.endpoints import ENDPOINTS
from tests.deploy.double.jobs import JOBS
from tests.deploy.double.layers import LAYERS
from tests.deploy.double.neighbours import IAM, PRICING, QUOTAS, SAVINGS, SCALING, TAGGING
from tests.deploy.double.packages import PACKAGES
from tests.deploy.double.runtime import RUNTIME
from tests.deploy.double.shelf import TAGS, Handler
from tests.deploy.double.stacks import STACKS

OURS: dict[str, dict[str, Handler]] = {
    "sagemaker": {**ENDPOINTS, **COMPONENTS, **JOBS, **PACKAGES, **TAGS},
    "sagemaker-runtime": RUNTIME,
    "iam": IAM,
    "pricing": PRICING,
    "savingsplans": SAVINGS,
    "service-quotas": QUOTAS,
    "application-autoscaling": SCALING,
    "resourcegroupstaggingapi": TAGGING,
    "cloudformation": STACKS,
    "ecr": LAYERS,
}
HANDLERS = {(service, operation): handler for service, each in OURS.items() for operation, handler in each.items()}
