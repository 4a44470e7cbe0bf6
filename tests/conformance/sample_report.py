"""A report with every level and outcome, and with texts that a hostile container could have sent. Used by tests."""

from __future__ import annotations

import math
from dataclasses import replace

from local_test.conformance.assertion import Assertion, Claim, Level
from local_test.conformance.runner import Outcome, Report, Result, printable

HOSTILE = (
    "<script>alert(1)</script> & \"quoted\" 'single' </style> <![CDATA[ ]]> ]]> %s {x} [bold]no markup[/bold] "
    "\x1b[31mred \x1b]0;title\x07 \x00 \x0b \ufffe \ud800 \u202e right to left, \U0001f600\nsecond line"
)

MUST, SHOULD, INFORMATIVE = Level.MUST, Level.SHOULD, Level.INFORMATIVE
HELD, FAILED, NOT_APPLICABLE, NOT_TESTED = Outcome


def assertion(name: str, level: Level, promise: str) -> Assertion:
    return Assertion(
        name, level, promise, source="inf DG:host", otherwise="The instance is taken out of service <and> replaced.",
        fix="Answer /ping outside of what predicts & with no body.", pains=(1, 16),
    )  # fmt: skip


def result(name: str, level: Level, outcome: Outcome, promise: str, seen: str = "", **more: object) -> Result:
    made = Result(assertion(name, level, promise), level, outcome, printable(seen), seconds=1.25)
    return replace(made, **more)  # type: ignore[arg-type]


SPREAD = [0.002 + 0.0004 * abs(math.sin(index * 7)) + (0.05 if index % 37 == 0 else 0) for index in range(400)]
TIMINGS = {"ping at full load": SPREAD, "connect <i>": [0.0001, 0.0002], "nothing": [], "odd": [math.inf, math.nan]}
NO_SAMPLE = "needs a request that works: --payload FILE --content-type TYPE, or --model-dir with a manifest.json"

REPORT = Report(
    subject=printable("my-image:latest <b>"),
    claims=(Claim.BATCH.value, Claim.SCRIPTS.value),
    results=(
        result("IMG-01", MUST, NOT_TESTED, "The manifest is no OCI index.", "the image was not pushed from here"),
        result("IMG-04", MUST, HELD, "The architecture is the instance's.", "amd64"),
        result("RUN-01", MUST, HELD, "It stays up and listens."),
        result("RUN-08", MUST, FAILED, "It ends within 30 s of SIGTERM.", "it was killed after 30.4 s, exit code 137"),
        result("PNG-01", MUST, HELD, "200 when the container can serve.", "1.2 ms"),
        result("PNG-02", MUST, HELD, "Every answer comes within 2 s.", "slowest of 400: 52 ms", timings=TIMINGS),
        result("PNG-03", SHOULD, FAILED, "The body is empty <always>.", HOSTILE),
        result("PNG-06", SHOULD, NOT_TESTED, "Once 200, it stays 200.", "takes long: left out by --fast"),
        result("INV-01", MUST, NOT_TESTED, "200 for a request that works.", NO_SAMPLE),
        result("INV-02", MUST, NOT_TESTED, "The answer comes within 60 s.", NO_SAMPLE),
        result("SES-01", MUST, NOT_APPLICABLE, "A new session has a header.", "it does not claim sessions"),
        result("SES-02", SHOULD, NOT_APPLICABLE, "In both forms.", "it does not claim sessions"),
        result("LOC-03", INFORMATIVE, NOT_TESTED, "The strategy's spelling is noted.", "MULTI_RECORD"),
    ),
    seconds=83.2,
    started="2026-01-02T03:04:05Z",
)
