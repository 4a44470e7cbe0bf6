"""MCE: many containers in one network."""

from __future__ import annotations

from local_test.conformance.assertion import Claim, Group

GROUP = Group(claim=Claim.PIPELINE)
