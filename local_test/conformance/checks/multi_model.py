"""MME: load, list, get, invoke and unload models."""

from __future__ import annotations

from local_test.conformance.assertion import Claim, Group

GROUP = Group(claim=Claim.MULTI_MODEL)
