"""The report for CI systems, as the XML that JUnit's runners write: a suite for each group, a case for each assertion.

A broken M is a failure; a broken S is one with --strict, else a skipped case whose message says so. What does not apply
and what was not tested is skipped, with the reason.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET

from local_test.conformance.assertion import Level
from local_test.conformance.reports import facts
from local_test.conformance.runner import Outcome, Report, Result


def render(report: Report, *, strict: bool = False) -> str:
    """One XML document."""
    parts = facts.parts(report)
    root = ET.Element("testsuites", name=report.subject, time=f"{report.seconds:.3f}")
    for part in parts:
        root.append(_suite(report, part, strict=strict))
    _count(root)
    del root.attrib["skipped"]  # which Jenkins knows of suites only
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(report: Report, part: facts.Part, *, strict: bool) -> ET.Element:
    seconds = sum(result.seconds for result in part.results)
    suite = ET.Element("testsuite", name=f"{part.group} {part.name}", time=f"{seconds:.3f}")
    suite.set("timestamp", report.started.removesuffix("Z"))
    suite.extend(_case(result, strict=strict) for result in part.results)
    _count(suite)
    return suite


def _count(element: ET.Element) -> None:
    element.set("tests", str(len(element.findall(".//testcase"))))
    element.set("failures", str(len(element.findall(".//failure"))))
    element.set("errors", "0")
    element.set("skipped", str(len(element.findall(".//skipped"))))


def _case(result: Result, *, strict: bool) -> ET.Element:
    assertion = result.assertion
    name = f"{assertion.id} {result.level}: {assertion.promise}"
    case = ET.Element("testcase", classname=f"conformance.{assertion.group}", name=name, time=f"{result.seconds:.3f}")
    if result.outcome is Outcome.HELD:
        if result.seen:
            ET.SubElement(case, "system-out").text = result.seen
        return case
    counts = result.level is Level.MUST or (strict and result.level is Level.SHOULD)
    if result.outcome is Outcome.FAILED and counts:
        ET.SubElement(case, "failure", message=result.seen, type=f"level {result.level}").text = _advice(result)
    elif result.outcome is Outcome.FAILED:
        ET.SubElement(case, "skipped", message=f"does not hold, and is only advised: {result.seen}")
        ET.SubElement(case, "system-out").text = _advice(result)
    else:
        ET.SubElement(case, "skipped", message=f"{result.outcome}: {result.seen}")
    return case


def _advice(result: Result) -> str:
    assertion = result.assertion
    known = [f"known as: {number}. {title}" for number, title in facts.pains(result).items()]
    lines = [f"seen: {result.seen}", f"then: {assertion.otherwise}", f"fix: {assertion.fix}", *known]
    return "\n".join([*lines, f"source: {assertion.source}"])
