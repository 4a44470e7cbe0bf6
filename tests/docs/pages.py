"""Reads the repository's pages: their code blocks, sections, tables and links. Used by all tests of this folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).absolute().parents[2]
README, CONTRACT, OPERATIONS, ARCHITECTURE = (
    ROOT / name for name in ("README.md", "docs/contract.md", "docs/operations.md", "docs/architecture.md")
)
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])

FENCED = re.compile(r"^```(\w+)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Section:
    """What stands between one heading and the next, of any level."""

    title: str
    text: str

    def blocks(self, language: str) -> list[str]:
        """The fenced blocks of a language."""
        return [text for each, text in FENCED.findall(self.text) if each == language]

    def rows(self) -> list[list[str]]:
        """The cells of every table row, without headings."""
        lines = [line.strip("|").split("|") for line in self.text.splitlines() if line.startswith("| ")]
        rules = [line for line in self.text.splitlines() if line.startswith("|---")]
        heads = {self.text.splitlines()[self.text.splitlines().index(rule) - 1] for rule in rules}
        return [[cell.strip() for cell in cells] for cells in lines if f"|{'|'.join(cells)}|" not in heads]

    def names(self, column: int = 0) -> set[str]:
        """What stands as code in one column of the tables."""
        return {name for row in self.rows() for name in CODE.findall(row[column])}


def sections(page: Path) -> list[Section]:
    """The page cut at its headings; a # in a code block is none."""
    text = page.read_text()
    fences = [match.span() for match in FENCED.finditer(text)]
    heads = [m for m in HEADING.finditer(text) if not any(start < m.start() < end for start, end in fences)]
    ends = [match.start() for match in heads[1:]] + [len(text)]
    return [Section(head[1], text[head.end() : end]) for head, end in zip(heads, ends, strict=True)]


def section(page: Path, title: str) -> Section:
    """The one section with this title."""
    (found,) = [each for each in sections(page) if each.title == title]
    return found


def anchors(page: Path) -> set[str]:
    """What a link may name after #: the headings as GitHub spells them."""
    words = (re.sub(r"[^\w\- ]", "", each.title.lower()) for each in sections(page))
    return {each.replace(" ", "-") for each in words}


def page_name(page: Path) -> str:
    return str(page.relative_to(ROOT))
