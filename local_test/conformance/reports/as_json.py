"""The report for programs. Fields are added only; one that changes or goes raises "schema".

schema        1
subject       the image, address or folder, as it was given
started       the beginning, RFC 3339 in UTC;  seconds: how long the run took
claims        what it was taken to be for, beside real-time endpoints: "training", "batch", ...
strict        whether a broken S counts;  conforms: whether all that counts and was tested holds
verdict       a sentence that says so
counts        by level "M", "S", "I", then by outcome: how many
results       in the contract's order, each with
  id, group     "PNG-04", "PNG"
  level         "M", "S" or "I", for this container: a claim may make an M of an S
  outcome       "held", "failed", "not applicable" or "not tested"
  promise       what should hold;  source: who says so
  seen          what was measured or wrong, or why it was not tested; may be empty
  otherwise, fix  what happens where it does not hold, and what to change; may be empty
  pains         the known complaints behind it: [{"number": 16, "title": "..."}]
  seconds       how long the check took;  timings: {"connect": [0.001, ...]}, seconds by what they are of
"""

from __future__ import annotations

import json
import math
from typing import Any

from local_test.conformance.reports import facts
from local_test.conformance.runner import Report, Result

SCHEMA = 1


def render(report: Report, *, strict: bool = False) -> str:
    """One JSON document and a newline."""
    return json.dumps(document(report, strict=strict), indent=2, allow_nan=False) + "\n"


def document(report: Report, *, strict: bool = False) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "subject": report.subject,
        "started": report.started,
        "seconds": round(report.seconds, 3),
        "claims": list(report.claims),
        "strict": strict,
        "conforms": report.conforms(strict=strict),
        "verdict": facts.verdict(report, strict=strict),
        "counts": {str(level): _by_name(facts.counts(report, level)) for level in facts.LEVEL_NAMES},
        "results": [_result(result) for result in report.results],
    }


def _by_name(counts: dict[Any, int]) -> dict[str, int]:
    return {str(outcome): count for outcome, count in counts.items()}


def _result(result: Result) -> dict[str, Any]:
    assertion = result.assertion
    return {
        "id": assertion.id,
        "group": assertion.group,
        "level": str(result.level),
        "outcome": str(result.outcome),
        "promise": assertion.promise,
        "source": assertion.source,
        "seen": result.seen,
        "otherwise": assertion.otherwise,
        "fix": assertion.fix,
        "pains": [{"number": number, "title": title} for number, title in facts.pains(result).items()],
        "seconds": round(result.seconds, 3),
        "timings": {label: _finite(seconds) for label, seconds in result.timings.items()},
    }


def _finite(seconds: list[float]) -> list[float]:
    """JSON has no infinity."""
    return [round(each, 6) for each in seconds if math.isfinite(each)]
