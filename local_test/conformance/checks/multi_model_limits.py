"""MME: memory, races and bad input of many models in one container."""

from __future__ import annotations

from local_test.conformance.assertion import Claim, Group

GROUP = Group(claim=Claim.MULTI_MODEL)
