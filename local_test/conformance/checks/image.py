"""IMG: what the image says of itself, before it runs."""

from __future__ import annotations

from local_test.conformance.assertion import Group

GROUP = Group()
