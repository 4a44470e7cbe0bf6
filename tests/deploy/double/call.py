"""One request to the double, and its refusal. Used by all files of the double."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ACCOUNT = "123456789012"
"""moto's own."""

Parameters = dict[str, Any]

READS = (
    "Describe",
    "Get",
    "List",
    "BatchGet",
    "BatchCheck",
    "Head",
    "Simulate",
    "Lookup",
    "Invoke",
    "Assume",
    "Filter",
)


class Refusal(Exception):
    """What AWS answers instead; more are further members of the error, as ModelError has them."""

    def __init__(self, message: str, code: str = "ValidationException", status: int = 400, **more: Any) -> None:
        super().__init__(message)
        self.message, self.code, self.status, self.more = message, code, status, more


@dataclass(frozen=True)
class Call:
    """One request, as boto3 names services and AWS operations: sagemaker, CreateModel."""

    service: str
    operation: str
    parameters: Parameters
    region: str

    @property
    def changes(self) -> bool:
        """Whether it may change anything; a dry run may not make such a call."""
        return not self.operation.startswith(READS)

    def __str__(self) -> str:
        return f"{self.service}:{self.operation}"
