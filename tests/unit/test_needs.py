"""What a requirements.txt asks for, whether it is installed, and what is said where it is not."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from container import needs
from container.settings import Settings


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "code").mkdir()
    return tmp_path / "code" / "requirements.txt"


def lacking(file: Path, text: str) -> list[tuple[str, str]]:
    file.write_text(text, encoding="utf-8")
    return [(line.text, why) for line, why in needs.missing(file)]


def tell(file: Path) -> None:
    settings = {"SM_MODEL_DIR": str(file.parent.parent), "SERVING_RUN_DIR": str(file.parent)}
    needs.tell(Settings.from_environ(settings))


def test_what_is_not_there_is_missing_and_what_is_there_is_not(file: Path) -> None:
    text = "numpy\nno-such-package>=1 # a comment\n# another\n\n"
    assert lacking(file, text) == [("no-such-package>=1", "not installed")]


def test_another_version_than_the_installed_is_missing(file: Path) -> None:
    assert lacking(file, "numpy==1.0") == [("numpy==1.0", f"installed is {version('numpy')}")]


def test_hashes_and_continued_lines_are_no_part_of_a_requirement(file: Path) -> None:
    text = "no-such-package==1.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\nnumpy\n"
    assert lacking(file, text) == [("no-such-package==1.0", "not installed")]


def test_a_marker_that_does_not_hold_asks_for_nothing(file: Path) -> None:
    assert lacking(file, 'no-such-package; python_version < "3"\n') == []


def test_paths_addresses_and_options_are_left_to_pip(file: Path) -> None:
    assert lacking(file, "./wheels/a.whl\nhttps://127.0.0.1/a.whl\n-e .\n--no-index\n-r nowhere.txt\n") == []


def test_an_included_file_asks_too(file: Path) -> None:
    file.with_name("more.txt").write_text("no-such-package\n")
    assert lacking(file, "-r more.txt\n") == [("no-such-package", "not installed")]


def test_the_advice_names_the_line_that_would_have_brought_it(file: Path) -> None:
    file.write_text("numpy\nother-missing\nNo_Such.Package==2\n")
    told = needs.advice("no-such-package", file.parent)
    assert "The artifact asks for it" in told
    assert "No_Such.Package==2 (requirements.txt, line 3)" in told
    assert "other-missing" not in told
    assert "make image MODEL=model.tar.gz" in told
    assert "SERVING_INSTALL_REQUIREMENTS=true" in told


def test_the_advice_names_all_that_is_missing_where_no_name_is_the_same(file: Path) -> None:
    """Nothing says which package brings a module before it is installed."""
    file.write_text("numpy\nother-missing\n")
    told = needs.advice("surprise", file.parent)
    assert "asks for what may bring it" in told
    assert "other-missing" in told
    assert "numpy" not in told


def test_there_is_no_advice_where_all_is_installed(file: Path) -> None:
    file.write_text("numpy\n")
    assert needs.advice("surprise", file.parent) == ""


def test_what_is_missing_is_told_once_with_both_ways(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    file.write_text("no-such-package\n")
    tell(file)
    tell(file)
    (record,) = caplog.records
    told = vars(record)
    assert (record.getMessage(), told["missing"]) == ("requirements_not_installed", ["no-such-package: not installed"])
    assert (told["build_in"], told["at_start"]) == (needs.BUILD_IN, needs.AT_START)


def test_an_image_that_was_built_for_another_file_is_told(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (file.parent / needs.RECORD).write_text('{"sha256": "of another", "packages": []}')
    monkeypatch.setattr("sys.prefix", str(file.parent))
    file.write_text("no-such-package\n")
    tell(file)
    assert "the image was built for another requirements.txt" in vars(caplog.records[0])["detail"]


def test_a_file_whose_packages_are_all_there_is_no_warning(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    file.write_text("numpy\n")
    tell(file)
    assert [(each.getMessage(), each.levelname) for each in caplog.records] == [("requirements_met", "INFO")]
