"""Every row of the platform's contract has a test that is named after it, or a reason why it needs none.

The rows are in contract_rows.toml. Tests are found by parsing the files, so that none has to run for this one.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROWS: dict[str, dict[str, Any]] = tomllib.loads((HERE / "contract_rows.toml").read_text())
LAST = {"IMG": 15, "RUN": 22, "PNG": 9, "INV": 27}
"""The highest number of each family that concerns the image of one model: all of their rows have to be there."""

NUMBER = r"\d\d(?!\d|_mb(?![a-z]))"  # 1000_rows and 25_mb are sizes
NUMBERS_IN_NAME = re.compile(rf"test_([a-z]{{2,3}})_({NUMBER}(?:_(?:and_|to_)?{NUMBER})*)_")
KEYS = {"M", "S", "also", "without_a_test"}


def ids_in(name: str) -> set[str]:
    """The rows that a test's name claims: {"IMG-01", "IMG-02", "IMG-03"} for test_img_01_to_03_..."""
    if not (found := NUMBERS_IN_NAME.match(name)):
        return set()
    numbers: list[int] = []
    for to, digits in re.findall(r"(to_)?(\d\d)", found[2]):
        numbers += range(numbers[-1] + 1, int(digits) + 1) if to else [int(digits)]
    return {f"{found[1].upper()}-{number:02}" for number in numbers}


def all_tests() -> set[str]:
    """tests/image/test_run.py::test_run_01_... of every test function there is."""
    return {
        f"{path.relative_to(HERE.parent).as_posix()}::{node.name}"
        for path in HERE.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


TESTS = all_tests()


def claims(row_id: str) -> set[str]:
    """The tests that hold a row."""
    return {test for test in TESTS if row_id in ids_in(test.partition("::")[2])} | set(ROWS[row_id].get("also", ()))


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("test_run_04_obeys", {"RUN-04"}),
        ("test_inv_03_and_04_25_mb_go_in", {"INV-03", "INV-04"}),
        ("test_inv_03_04_24_25_mb_come_back", {"INV-03", "INV-04", "INV-24"}),
        ("test_img_01_to_03_hold", {"IMG-01", "IMG-02", "IMG-03"}),
        ("test_bt_05_1000_rows", {"BT-05"}),
        ("test_the_25_mb", set()),
    ],
)
def test_name_of_a_test_tells_its_rows(name: str, ids: set[str]) -> None:
    assert ids_in(name) == ids


@pytest.mark.parametrize("family", LAST)
def test_no_row_of_the_family_is_missing(family: str) -> None:
    numbers = [int(row_id.partition("-")[2]) for row_id in ROWS if row_id.startswith(f"{family}-")]
    assert sorted(numbers) == list(range(1, LAST[family] + 1))


def test_each_row_has_one_level_and_one_promise() -> None:
    assert [row_id for row_id, row in ROWS.items() if not row.keys() <= KEYS or len(row.keys() & {"M", "S"}) != 1] == []


def test_each_row_has_either_a_test_or_a_reason() -> None:
    assert [row_id for row_id, row in ROWS.items() if bool(claims(row_id)) == bool(row.get("without_a_test"))] == []


def test_what_the_platform_relies_on_is_asked_of_the_built_image() -> None:
    wanted = [row_id for row_id, row in ROWS.items() if "M" in row and row_id[:3] in LAST]
    held = [row_id for row_id in wanted if any(test.startswith("tests/image/") for test in claims(row_id))]
    assert [row_id for row_id in wanted if row_id not in held and "without_a_test" not in ROWS[row_id]] == []


def test_each_test_that_a_row_names_exists() -> None:
    assert {test for row in ROWS.values() for test in row.get("also", ())} - TESTS == set()


def test_each_id_in_the_name_of_a_test_is_a_row() -> None:
    assert [test for test in sorted(TESTS) if not ids_in(test.partition("::")[2]) <= ROWS.keys()] == []
