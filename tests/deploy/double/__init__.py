"""AWS on loopback: moto's server, with SageMaker's hosting as it behaves and what else moto lacks.

For tests alone; nothing of the product imports it. A request goes through gate.py: it is read, written down, spoilt
if a test says so, held to botocore's limits, then answered by our own handlers (table.py) or by moto.

What it does not know: who may do what (all may, but for `denied`), quotas, VPCs, scaling, and what time real AWS takes.
"""

from __future__ import annotations

from tests.deploy.double.call import ACCOUNT
from tests.deploy.double.faults import LOST, THROTTLED, UNHEARD, Fault
from tests.deploy.double.server import running
from tests.deploy.double.state import Double

__all__ = ["ACCOUNT", "LOST", "THROTTLED", "UNHEARD", "Double", "Fault", "running"]
