"""Media types are read as clients write them, and Accept is answered as RFC 9110 says."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from container.errors import NotAcceptable, UnsupportedMediaType
from container.media_types import MediaType, negotiate

OFFERED = ("application/json", "application/jsonlines", "text/csv", "application/x-npy")
JSON = "application/json"


def test_type_and_parameter_names_ignore_case():
    media = MediaType.parse("Text/CSV; Charset=utf-8; HEADER=present")
    assert (media.essence, dict(media.params)) == ("text/csv", {"charset": "utf-8", "header": "present"})


def test_parameter_values_keep_their_case():
    assert MediaType.parse("text/csv; profile=AbC").params["profile"] == "AbC"


def test_a_quoted_parameter_may_hold_separators():
    assert MediaType.parse(r'text/csv; a="x;y,\"z"; b=1').params == {"a": 'x;y,"z', "b": "1"}


def test_parameters_without_a_value_are_ignored():
    assert MediaType.parse("text/csv;;header; charset=utf-8;").params == {"charset": "utf-8"}


@pytest.mark.parametrize("text", ["", "json", "text/", "/csv", "text/c sv", "text/csv/x", "tëxt/csv"])
def test_what_is_no_media_type_is_415(text):
    with pytest.raises(UnsupportedMediaType, match="write one such as text/csv"):
        MediaType.parse(text)


@given(st.text(max_size=200))
def test_any_text_is_a_media_type_or_415(text):
    try:
        media = MediaType.parse(text)
    except UnsupportedMediaType:
        return
    assert media == MediaType.parse(media.essence) or media.params


@pytest.mark.parametrize("accept", [None, "", "  ", "*/*", "*", "*/*;q=0.1", "text/html, */*"])
def test_who_does_not_care_gets_the_default(accept):
    assert negotiate(accept, OFFERED, "text/csv") == "text/csv"


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("text/csv", "text/csv"),
        ("TEXT/CSV; header=absent", "text/csv"),
        ("text/csv;q=0.5, application/jsonlines;q=0.6", "application/jsonlines"),
        ("text/csv, */*", "text/csv"),
        ("*/*, text/csv", "text/csv"),
        ("text/*, application/json;q=0.9", "text/csv"),
        ("application/*", JSON),
        ("*/*, application/json;q=0", "application/jsonlines"),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", JSON),
        ("application/x-npy, application/json", "application/x-npy"),
        ("application/json;q=2, text/csv;q=0.9", JSON),
        ("application/json;q=x, text/csv", JSON),
    ],
)
def test_the_best_liked_type_is_chosen(accept, chosen):
    assert negotiate(accept, OFFERED, JSON) == chosen


@pytest.mark.parametrize("accept", ["image/png", "json", "*/*;q=0", "application/json;q=0", "*/csv", ","])
def test_what_cannot_be_answered_is_406_naming_what_can(accept):
    with pytest.raises(NotAcceptable, match=r"application/json, application/jsonlines, text/csv, application/x-npy"):
        negotiate(accept, OFFERED, JSON)


def test_a_default_keeps_its_parameters():
    """SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT may carry some."""
    assert negotiate("text/csv", OFFERED, "text/csv; charset=utf-8") == "text/csv; charset=utf-8"


RANGES = ["*/*", "text/*", "application/*", "text/csv", "application/json", "application/x-npy", "image/png"]
ENTRIES = st.lists(st.tuples(st.sampled_from(RANGES), st.integers(0, 10)), min_size=1, max_size=6)


@given(ENTRIES, st.sampled_from(OFFERED))
def test_negotiation_agrees_with_a_slow_reference(entries, default):
    """The reference fills a table of every offered type and range, then sorts it all."""
    accept = ", ".join(f"{name};q={tenths / 10}" for name, tenths in entries)
    try:
        chosen = negotiate(accept, OFFERED, default)
    except NotAcceptable:
        chosen = None
    assert chosen == slow_reference(entries, default)


def slow_reference(entries: list[tuple[str, int]], default: str) -> str | None:
    matches = []
    for (preference, offer), (order, (name, tenths)) in itertools.product(
        enumerate([default, *OFFERED]), enumerate(entries)
    ):
        levels = ["*/*", offer.split("/")[0] + "/*", offer]
        if name in levels:
            matches.append((preference, offer, levels.index(name), order, tenths))
    deciding = []
    for match in matches:
        rivals = [m for m in matches if m[0] == match[0]]
        if match == sorted(rivals, key=lambda m: (-m[2], m[3]))[0] and match[4] > 0:
            deciding.append(match)
    deciding.sort(key=lambda m: (-m[4], -m[2], m[3], m[0]))
    return deciding[0][1] if deciding else None
