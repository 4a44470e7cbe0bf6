"""The parts of docs/ that programs write, between markers. Used by report and conformance."""

from __future__ import annotations

NOT_MEASURED = "Not measured in this run."


def fill(text: str, blocks: dict[str, str]) -> str:
    """The text with these blocks written anew. ValueError for one whose markers are missing."""
    for name, content in blocks.items():
        start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        before, found_start, rest = text.partition(start)
        _, found_end, after = rest.partition(end)
        if not (found_start and found_end):
            raise ValueError(f"the page has no {start} and {end}")
        text = f"{before}{start}\n\n{content or NOT_MEASURED}\n\n{end}{after}"
    return text
