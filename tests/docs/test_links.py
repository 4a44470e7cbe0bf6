"""Every link, file, folder and make word that a page names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import CODE, FENCED, PAGES, ROOT, anchors, page_name

LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
SUFFIXES = (".py", ".sh", ".md", ".conf", ".toml", ".lock", ".txt")
MADE_BY_US = ("build/", "local_test/test_dir/model", "local_test/test_dir/output")
WRITTEN_BY_USERS = {"inference.py", "deploy.toml"}
TOP = {path.name for path in ROOT.iterdir()}


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_local_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in LINK.findall(page.read_text()) if "://" not in link and not leads(page, link)]
    assert broken == []


def leads(page: Path, link: str) -> bool:
    """Whether the file is there, and has the heading."""
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_files_named_in_a_page_are_there(page: Path) -> None:
    text = page.read_text()
    words = CODE.findall(FENCED.sub("", text)) + " ".join(block for _, block in FENCED.findall(text)).split()
    named = {word.removeprefix("./") for word in words if PATH.fullmatch(word.removeprefix("./"))}
    assert {name for name in named if is_of_this_repository(name) and not (ROOT / name).exists()} == set()


def is_of_this_repository(name: str) -> bool:
    """Names below a folder of ours, and plain file names with a suffix that we have; not what lies in an artifact."""
    first, slash, _ = name.partition("/")
    if slash:
        return first in TOP and not name.startswith(MADE_BY_US)
    return name.endswith(SUFFIXES) and name not in WRITTEN_BY_USERS and not any(ROOT.glob(f"*/{name}"))


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_make_words_named_in_a_page_are_in_the_makefile(page: Path) -> None:
    words = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = page.read_text()
    named = re.findall(r"`make ([a-z-]+)", text)
    named += re.findall(r"^(?:\$ )?make ([a-z-]+)", "\n".join(block for _, block in FENCED.findall(text)), re.MULTILINE)
    assert set(named) <= words
