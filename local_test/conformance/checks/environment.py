"""RUN: limits, variables and folders that it runs with."""

from __future__ import annotations

from local_test.conformance.assertion import Group

GROUP = Group()
