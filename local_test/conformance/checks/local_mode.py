"""LOC: the SDK's local mode."""

from __future__ import annotations

from local_test.conformance.assertion import Group

GROUP = Group()
