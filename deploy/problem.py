"""What is wrong with a request before it is made. Found by rules and shapes, told by plan, up and doctor."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    key: str
    """Of the call."""
    text: str
    """What is wrong, and what to change."""
    warning: bool = False
    """AWS may know more than this program: said, not refused."""

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"
