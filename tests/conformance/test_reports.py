"""The four formats say the same, stay whole whatever a container has sent, and need nothing from elsewhere."""

from __future__ import annotations

import io
import json
import re
import xml.etree.ElementTree as ET
from typing import TextIO

import pytest

from local_test.conformance import reports
from local_test.conformance.reports import as_json, facts
from local_test.conformance.runner import Report
from tests.conformance.sample_report import REPORT

ESCAPED = "\\x1b[31mred"
IDS = [each.assertion.id for each in REPORT.results]


class Terminal(io.StringIO):
    """What rich takes for a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def rendered(output: str, stream: TextIO | None = None, *, strict: bool = False, report: Report = REPORT) -> str:
    stream = stream or io.StringIO()
    reports.write(report, output, stream, strict=strict)
    return stream.getvalue()  # type: ignore[attr-defined, no-any-return]


# all


@pytest.mark.parametrize("output", ["text", "json", "junit", "html"])
def test_every_assertion_is_in_it_and_no_character_that_does_harm(output: str) -> None:
    text = rendered(output)
    assert [name for name in IDS if name not in text] == ([] if output != "text" else ["SES-01", "SES-02"])
    assert all(each.isprintable() or each == "\n" for each in text)
    text.encode()


def test_the_verdict_tells_how_many_of_those_tested_do_not_hold() -> None:
    assert facts.verdict(REPORT).endswith("does not keep the contract: 1 of 5 M do not hold.")
    assert facts.verdict(REPORT, strict=True).endswith("2 of 6 M and S do not hold.")
    held = Report("x", (), REPORT.results[1:3], 1.0, "")
    assert facts.verdict(held) == "x keeps the contract: all 2 M that were tested hold."
    assert facts.verdict(Report("x", (), (), 1.0, "")) == "Nothing is known of x: no M could be tested."


def test_what_could_not_be_tested_is_told_by_reason_the_most_frequent_first() -> None:
    assert list(facts.untested(REPORT).values()) == [["INV-01", "INV-02"], ["IMG-01"]]


def test_broken_m_come_before_broken_s() -> None:
    assert [each.assertion.id for each in facts.failed(REPORT)] == ["RUN-08", "PNG-03"]


# text


def test_text_fits_into_80_columns() -> None:
    assert max(len(line) for line in rendered("text").splitlines()) <= 80


@pytest.mark.parametrize("columns", ["40", "80", "200"])
def test_text_fits_into_any_terminal(columns: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    text = re.sub(r"\x1b\[[\d;]*m", "", rendered("text", Terminal()))
    assert max(len(line) for line in text.splitlines()) <= int(columns)


def test_text_says_all_of_a_failure() -> None:
    text = " ".join(rendered("text").split())
    for part in (
        "killed after 30.4 s",
        "taken out of service <and> replaced.",
        "with no body.",
        "16. The health check",
    ):
        assert part in text


def test_a_group_that_does_not_apply_takes_two_lines() -> None:
    lines = [line.strip() for line in rendered("text").splitlines()]
    assert lines[lines.index("SES  Sessions: 2 not applicable") + 1 :][:2] == ["it does not claim sessions", ""]


def test_text_has_counts_and_the_verdict_last() -> None:
    lines = rendered("text").split("\n")
    assert lines[-2] == facts.verdict(REPORT)
    assert "must (M)       4       1               1           3" in lines
    assert "3 M could not be tested:" in lines


def test_text_has_no_colour_but_on_a_terminal() -> None:
    assert "\x1b" not in rendered("text")
    assert "\x1b[1;31m" in rendered("text", Terminal())


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert not re.search(r"\x1b\[[\d;]*3\d", rendered("text", Terminal()))


# JSON


def test_json_is_a_stable_document() -> None:
    document = json.loads(rendered("json"))
    assert list(document) == [
        "schema", "subject", "started", "seconds", "claims", "strict", "conforms", "verdict", "counts", "results",
    ]  # fmt: skip
    assert document["schema"] == 1
    assert (document["strict"], document["conforms"]) == (False, False)
    assert document["counts"]["M"] == {"held": 4, "failed": 1, "not applicable": 1, "not tested": 3}
    assert document["results"][5]["timings"]["ping at full load"][0] == pytest.approx(0.052)
    first = document["results"][3] | {"seconds": 0.0}
    assert first == {
        "id": "RUN-08",
        "group": "RUN",
        "level": "M",
        "outcome": "failed",
        "promise": "It ends within 30 s of SIGTERM.",
        "source": "inf DG:host",
        "seen": "it was killed after 30.4 s, exit code 137",
        "otherwise": "The instance is taken out of service <and> replaced.",
        "fix": "Answer /ping outside of what predicts & with no body.",
        "pains": [
            {"number": 1, "title": "The endpoint fails with no more than: did not pass the ping health check"},
            {"number": 16, "title": "The health check starves while the server is busy"},
        ],
        "seconds": 0.0,
        "timings": {},
    }


def test_every_field_of_the_json_is_documented() -> None:
    document = as_json.document(REPORT)
    for name in (*document, *document["results"][0]):
        assert re.search(rf"\b{name}\b", as_json.__doc__ or ""), name


# JUnit


def test_junit_counts_a_broken_m_as_a_failure_and_a_broken_s_only_if_strict() -> None:
    for strict, names in ((False, ["RUN-08"]), (True, ["RUN-08", "PNG-03"])):
        root = ET.fromstring(rendered("junit", strict=strict))  # noqa: S314 - ours
        cases = [case for case in root.iter("testcase") if case.find("failure") is not None]
        assert [case.get("name", "").split()[0] for case in cases] == names
        assert root.get("failures") == str(len(names))


def test_junit_says_of_a_broken_s_that_it_does_not_hold() -> None:
    root = ET.fromstring(rendered("junit"))  # noqa: S314 - ours
    case = next(case for case in root.iter("testcase") if case.get("name", "").startswith("PNG-03"))
    skipped = case.find("skipped")
    assert skipped is not None
    assert skipped.get("message", "").startswith("does not hold, and is only advised: <script>")
    assert ESCAPED in skipped.get("message", "")


def test_junit_has_the_shape_that_ci_systems_read() -> None:
    """The elements and attributes of the schema that Jenkins publishes, in its order."""
    allowed = {
        "testsuites": {"name", "time", "tests", "failures", "errors"},
        "testsuite": {"name", "time", "timestamp", "tests", "failures", "errors", "skipped"},
        "testcase": {"classname", "name", "time"},
        "skipped": {"message"},
        "failure": {"message", "type"},
        "system-out": set(),
    }
    root = ET.fromstring(rendered("junit"))  # noqa: S314 - ours
    for element in root.iter():
        assert set(element.attrib) <= allowed[element.tag], element.tag
    for suite in root.iter("testsuite"):
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
        assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped"))
    order = ["skipped", "failure", "system-out"]
    for case in root.iter("testcase"):
        assert [each.tag for each in case] == sorted((each.tag for each in case), key=order.index)
