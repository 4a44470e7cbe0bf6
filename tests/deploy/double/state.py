"""What a double knows: what tests set, what was asked of it, and SageMaker's resources. Read by all handlers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.deploy.double.call import Call, Parameters
from tests.deploy.double.faults import Faults
from tests.deploy.double.hosting import Host
from tests.deploy.double.shelf import Shelf


@dataclass
class Delays:
    """How long each state lasts, in seconds; AWS takes minutes."""

    creating_s: float = 0.05
    updating_s: float = 0.05
    rolling_back_s: float = 0.05
    deleting_s: float = 0.05
    job_s: float = 0.05
    ping_s: float = 10.0
    """How long a container may take until its first 200 on /ping."""


@dataclass
class Double:
    url: str = ""
    registry: str = ""
    """Host and port of a Docker registry that takes ECR's part; repositories then lie there."""
    delays: Delays = field(default_factory=Delays)
    faults: Faults = field(default_factory=Faults)
    routes: dict[str, str | list[str]] = field(default_factory=dict)
    """Endpoint (or ENDPOINT/HOSTNAME, or *) -> base URL of a container; a list is a pipeline, one after the other."""
    host: Host | None = None
    """Runs the containers of models, and says where they answer; a route goes before it."""
    failing: dict[str, tuple[str, str]] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    """Actions such as iam:PassRole that the policy simulator says no to."""
    prices: list[Parameters] = field(default_factory=list)
    """What the Pricing API knows: products as it tells them."""
    savings: list[Parameters] = field(default_factory=list)
    """What the Savings Plans API knows: rates as it tells them."""
    quotas: dict[str, float] = field(default_factory=dict)
    """Names of SageMaker quotas, as Service Quotas has them, and their values."""
    calls: list[Call] = field(default_factory=list)
    shelf: Shelf = field(default_factory=Shelf)
    clock: Callable[[], float] = time.monotonic
    broken: list[str] = field(default_factory=list)
    """What went wrong inside the double itself; the fixture fails a test that finds something here."""

    @property
    def changes(self) -> list[str]:
        """The calls that may have changed something: ["sagemaker:CreateModel", ...]."""
        return [str(call) for call in self.calls if call.changes]

    def fail_next(self, name: str, reason: str, ends_as: str = "") -> None:
        """The next creation or update of this endpoint or component fails.

        A creation ends as Failed. An update goes back to the old configuration and ends as InService, as AWS does it,
        or as what ends_as says: UpdateRollbackFailed, OutOfService, Failed.
        """
        self.failing[name] = (reason, ends_as)
