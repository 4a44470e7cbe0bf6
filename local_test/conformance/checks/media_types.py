"""INV: Content-Type, Accept and refusals of POST /invocations."""

from __future__ import annotations

from local_test.conformance.assertion import Group

GROUP = Group()
