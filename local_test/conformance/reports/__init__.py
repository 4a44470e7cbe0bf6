"""The report in each format that --output names. All of them read runner.Report; facts.py has what they share."""

from __future__ import annotations

from typing import TextIO

from local_test.conformance.reports import as_json, html, junit, text
from local_test.conformance.runner import Report

RENDERERS = {"json": as_json.render, "junit": junit.render, "html": html.render}


def write(report: Report, output: str, stream: TextIO, *, strict: bool = False) -> None:
    """strict: a broken S counts as a broken M does."""
    if output == "text":
        text.write(report, stream, strict=strict)
    else:
        stream.write(RENDERERS[output](report, strict=strict))
