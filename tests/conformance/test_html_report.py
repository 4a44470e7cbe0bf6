"""The page stays whole whatever a container has sent, needs nothing from elsewhere, and is as small as it can be."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

from local_test.conformance import reports
from local_test.conformance.assertion import Level
from local_test.conformance.reports import plots
from local_test.conformance.runner import Outcome, Report
from tests.conformance.sample_report import REPORT, result

VOID = {"meta", "line", "circle", "br"}


def rendered(report: Report = REPORT) -> str:
    stream = io.StringIO()
    reports.write(report, "html", stream)
    return stream.getvalue()


class Page(HTMLParser):
    """Holds that elements are nested, and collects them and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_nested_and_has_no_script_whatever_the_container_sent() -> None:
    page = Page(rendered())
    assert page.open == []
    assert "script" not in page.tags
    assert "<script>alert(1)</script>" in page.text
    assert "connect <i>: median" in page.text


def test_html_needs_nothing_from_elsewhere() -> None:
    text = rendered()
    page = Page(text)
    assert not {name for name, _ in page.attributes} & {"src", "href", "srcset", "data", "onload", "onclick"}
    assert not re.search(r"url\(|@import|https?://", text)
    assert "default-src 'none'" in text


def test_html_is_made_for_phones_and_for_the_dark() -> None:
    text = rendered()
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
    assert "prefers-color-scheme: dark" in text


def test_html_opens_groups_with_failures_and_leaves_the_others_folded() -> None:
    groups = re.findall(r"<details( open)?>\n<summary><b>(\w+)</b>", rendered())
    assert {name for is_open, name in groups if is_open} == {"RUN", "PNG"}
    assert len(groups) == 6


def test_a_plot_shows_least_and_greatest_of_many_and_nothing_of_none() -> None:
    plot = plots.strip("x", [index / 1000 for index in range(5000)])
    places = [float(place) for place in re.findall(r'cx="([\d.]+)"', plot)]
    assert (min(places), max(places), len(places)) == (0.0, plots.WIDTH, plots.DOTS)
    assert plots.strip("x", []) == plots.strip("x", [float("nan"), float("inf")]) == ""
    assert 'cx="' in plots.strip("x", [0.0])


def test_the_pages_size_does_not_grow_with_measurements() -> None:
    many = result("PNG-02", Level.MUST, Outcome.HELD, "x", timings={"x": [0.001] * 100_000})
    assert len(rendered(Report("x", (), (many,), 1.0, ""))) < 60_000
