"""The catalogue is whole: every assertion of the contract is in it, at its level, with a check that is tested."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from local_test.conformance.assertion import Assertion, Level
from local_test.conformance.catalogue import ALL, GROUP_NAMES, select
from local_test.conformance.pains import TITLES
from local_test.conformance.sources import ADDRESSES, addresses

HERE = Path(__file__).parent
CONTRACT = [line.split() for line in (HERE / "contract_ids.txt").read_text().splitlines() if not line.startswith("#")]
NAMES = [name for name, _ in CONTRACT]
PAIN_COUNT = 75


def counter_examples() -> dict[str, set[str]]:
    """The modules that break an assertion, by its id."""
    found: dict[str, set[str]] = {}
    for path in sorted(HERE.glob("test_*.py")):
        if "COUNTER_EXAMPLES" in names_in(path) and path != Path(__file__):
            module = __import__(f"tests.conformance.{path.stem}", fromlist=["COUNTER_EXAMPLES"])
            for name in module.COUNTER_EXAMPLES:
                found.setdefault(name, set()).add(path.stem)
    return found


def names_in(path: Path) -> set[str]:
    """The names that a module assigns: looked up before it is imported."""
    assigned = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign | ast.AnnAssign)]
    targets = [target for node in assigned for target in getattr(node, "targets", [getattr(node, "target", None)])]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def test_the_contract_has_181_assertions_each_once() -> None:
    assert (len(NAMES), len(set(NAMES))) == (181, 181)
    assert {level for _, level in CONTRACT} == {"M", "S", "I"}


def test_the_catalogue_is_the_contract_in_its_order() -> None:
    """The table gives the stricter level of one that depends on what is claimed."""
    levels = [[each.id, str(Level.MUST if each.must_if else each.level)] for each in ALL]
    assert levels == CONTRACT


@pytest.mark.parametrize("name", NAMES)
def test_an_assertion_has_a_check_that_a_fault_breaks_or_a_reason_why_not(name: str) -> None:
    found = next((each for each in ALL if each.id == name), None)
    assert found, "is not in the catalogue"
    if found.check is None:
        assert len(found.untestable.split()) > 4, "says no reason why nobody can test it"
        assert name not in EXAMPLES, "is untestable, and yet has a counter-example"
    else:
        assert not found.untestable, "has a check, and a reason why there is none"
        assert name in EXAMPLES, "has no counter-example: no COUNTER_EXAMPLES of a test_*.py names it"


EXAMPLES = counter_examples()


def test_counter_examples_are_of_assertions_that_are_there() -> None:
    assert set(EXAMPLES) <= set(NAMES)


@pytest.mark.parametrize("each", ALL, ids=lambda each: each.id)
def test_an_assertion_says_what_why_and_what_to_do(each: Assertion) -> None:
    assert each.promise.endswith("."), each.promise
    assert "\n" not in each.promise
    assert addresses(each.source) != [each.source] or not each.source, f"{each.source}: no known code of a source"
    assert each.source
    assert each.untestable or (each.otherwise and each.fix), "says not what happens, or what to change"
    assert set(each.pains) <= set(TITLES)


def test_each_group_has_a_name_and_the_contracts_order() -> None:
    assert list(GROUP_NAMES) == list(dict.fromkeys(name.partition("-")[0] for name in NAMES))


def test_every_complaint_has_a_title() -> None:
    assert list(TITLES) == list(range(1, PAIN_COUNT + 1))
    assert len(set(TITLES.values())) == PAIN_COUNT


def test_every_address_is_public() -> None:
    links = [text for text in ADDRESSES.values() if "://" in text]
    assert all(text.startswith(("https://docs.aws.amazon.com/", "https://github.com/")) for text in links)


def test_select_takes_groups_and_ids_in_any_case_and_keeps_the_contracts_order() -> None:
    assert [each.id for each in select(["png-04", "PNG-01"])] == ["PNG-01", "PNG-04"]
    assert {each.group for each in select(["PNG"])} == {"PNG"}
    assert "PNG-02" not in {each.id for each in select(["PNG"], ["png-02"])}
    assert select() == list(ALL)


def test_select_names_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="PNG-99, XYZ: no group or id of that name"):
        select(["XYZ", "PNG-01"], ["PNG-99"])
