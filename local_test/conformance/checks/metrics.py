"""OBS: GET /metrics."""

from __future__ import annotations

from local_test.conformance.assertion import Group

GROUP = Group()
