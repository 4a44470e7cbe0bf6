"""LOR: adapters that are loaded beside a model."""

from __future__ import annotations

from local_test.conformance.assertion import Claim, Group

GROUP = Group(claim=Claim.ADAPTERS)
