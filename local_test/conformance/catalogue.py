"""All assertions in the contract's order. The one list that everything else reads."""

from __future__ import annotations

from collections.abc import Iterable

from local_test.conformance.assertion import Assertion
from local_test.conformance.checks import GROUPS

GROUP_NAMES = {
    "IMG": "The image",
    "RUN": "Start, life and stop",
    "PNG": "GET /ping",
    "INV": "POST /invocations",
    "STR": "Streaming answers",
    "BID": "Streaming in both directions",
    "SES": "Sessions",
    "LOR": "Adapters",
    "MME": "Many models in one container",
    "MCE": "Many containers on one endpoint",
    "SIP": "Serial inference pipelines",
    "SLS": "Serverless",
    "ASY": "Asynchronous",
    "BT": "Batch transform",
    "OBS": "Metrics",
    "OAI": "OpenAI's interface",
    "PKG": "The model artifact",
    "TRN": "Training",
    "SCR": "Scripts made for managed containers",
    "LOC": "The SDK's local mode",
    "REQ": "The requests that deploy it",
}


def _place(assertion: Assertion) -> tuple[int, str]:
    return list(GROUP_NAMES).index(assertion.group), assertion.id


ALL: tuple[Assertion, ...] = tuple(sorted((each for group in GROUPS for each in group), key=_place))
BY_ID = {assertion.id: assertion for assertion in ALL}


def select(only: Iterable[str] = (), skip: Iterable[str] = ()) -> list[Assertion]:
    """Those of groups or ids (RUN, PNG-04), without others. Raises ValueError for a name that is neither."""
    wanted, unwanted = {name.upper() for name in only}, {name.upper() for name in skip}
    if unknown := sorted((wanted | unwanted) - BY_ID.keys() - GROUP_NAMES.keys()):
        raise ValueError(f"{', '.join(unknown)}: no group or id of that name; --list shows them")
    return [each for each in ALL if (not wanted or _in(each, wanted)) and not _in(each, unwanted)]


def _in(assertion: Assertion, names: set[str]) -> bool:
    return assertion.id in names or assertion.group in names
