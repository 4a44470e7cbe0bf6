"""The report as one page that needs nothing else: it may be mailed, or kept by CI. Everything in it is escaped."""

from __future__ import annotations

from html import escape
from pathlib import Path

from local_test.conformance.assertion import Level
from local_test.conformance.reports import facts, plots
from local_test.conformance.runner import Outcome, Report, Result

CSS = (Path(__file__).parent / "page.css").read_text()
POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # should a container's text get through after all
SIGNS = {
    Outcome.HELD: "✓",
    Outcome.FAILED: "✗",
    Outcome.NOT_APPLICABLE: "·",
    Outcome.NOT_TESTED: "?",
}


def render(report: Report, *, strict: bool = False) -> str:
    """A whole document."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(report.subject)}: the platform's contract</title>
<style>
{CSS}</style>
</head>
<body>
<main>
{_head(report, strict=strict)}
{_counts(report)}
{_failures(report)}
{_untested(report)}
<h2>All assertions</h2>
{"".join(_part(part) for part in facts.parts(report))}
<footer>M: the platform relies on it. S: it is better so. I: it is noted and never fails.
Codes such as PNG-04 are explained by <code>python -m local_test.conformance --explain PNG-04</code>.</footer>
</main>
</body>
</html>
"""


def _head(report: Report, *, strict: bool) -> str:
    kind = "held" if report.conforms(strict=strict) else "failed"
    claims = ", ".join(report.claims) or "nothing beside real-time endpoints"
    return f"""<h1>Container contract of Amazon SageMaker</h1>
<p class="verdict {kind}">{escape(facts.verdict(report, strict=strict))}</p>
<p class="quiet">Tested {escape(report.started)} in {report.seconds:.0f} s. It claims {escape(claims)}.</p>"""


def _counts(report: Report) -> str:
    heads = "".join(f'<th scope="col">{outcome}</th>' for outcome in Outcome)
    rows = "".join(
        f'<tr><th scope="row">{name}</th>'
        + "".join(
            f'<td class="{_kind(outcome, level) if count else "quiet"}">{count}</td>'
            for outcome, count in counts.items()
        )
        + "</tr>\n"
        for level, name in facts.LEVEL_NAMES.items()
        for counts in [facts.counts(report, level)]
    )
    return f"<table>\n<thead><tr><th></th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"


def _failures(report: Report) -> str:
    broken = facts.failed(report)
    return "<h2>What does not hold</h2>\n" + "".join(_failure(result) for result in broken) if broken else ""


def _failure(result: Result) -> str:
    assertion = result.assertion
    complaints = "; ".join(f"{number}. {title}" for number, title in facts.pains(result).items())
    fields = {"Seen": result.seen, "Then": assertion.otherwise, "Fix": assertion.fix, "Known as": complaints}
    rows = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>\n" for name, text in fields.items() if text)
    kind = _kind(result.outcome, result.level)
    return f"""<article class="{kind}-card">
<h3><span class="{kind}">{assertion.id} {result.level}</span> {escape(assertion.promise)}</h3>
<dl>
{rows}</dl>
</article>
"""


def _untested(report: Report) -> str:
    reasons = facts.untested(report)
    if not reasons:
        return ""
    count = sum(len(ids) for ids in reasons.values())
    rows = "".join(f"<p><b>{', '.join(ids)}</b>: {escape(reason)}</p>\n" for reason, ids in reasons.items())
    return f"<h2>{count} M could not be tested</h2>\n{rows}"


def _part(part: facts.Part) -> str:
    is_open = " open" if part.count(Outcome.FAILED) else ""
    bar = "".join(
        f'<i class="{_kind(result.outcome, result.level)}" style="flex:1"></i>'
        for result in sorted(part.results, key=lambda result: list(Outcome).index(result.outcome))
    )
    return f"""<details{is_open}>
<summary><b>{part.group}</b>{escape(part.name)} <span class="quiet">{part.counts}</span>
<span class="bar" aria-hidden="true">{bar}</span></summary>
{"".join(_row(result) for result in part.results)}</details>
"""


def _row(result: Result) -> str:
    kind = _kind(result.outcome, result.level)
    seen = f'<div class="seen">{escape(result.seen)}</div>\n' if result.seen else ""
    figures = "".join(plots.strip(label, seconds) for _, label, seconds in facts.timings([result]))
    return f"""<div class="row">
<span class="id">{result.assertion.id}</span><span class="level">{result.level}</span>
<span class="promise">{escape(result.assertion.promise)}</span>
<span class="outcome {kind}">{SIGNS[result.outcome]} {result.outcome}</span>
{seen}{figures}</div>
"""


def _kind(outcome: Outcome, level: Level) -> str:
    """The class that colours it: a broken S is not as loud as a broken M."""
    if outcome is Outcome.FAILED and level is not Level.MUST:
        return "advised"
    return outcome.replace(" ", "-")
