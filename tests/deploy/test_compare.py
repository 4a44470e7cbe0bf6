"""What is wanted beside what AWS describes: differences that are some, and those that are none."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.compare import different, missing


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ({"A": 1}, {"A": 1.0, "B": 2}),
        ({"A": 1, "Tags": [1], "ClientToken": "x"}, {"A": 1}),
        ({"Subnets": ["b", "a"]}, {"Subnets": ["a", "b"]}),
        ({"Containers": [{"Image": "i"}]}, {"Containers": [{"Image": "i", "Mode": "SingleModel"}]}),
    ],
    ids=["what AWS adds", "tags", "another order", "defaults deep inside"],
)
def test_what_is_so_is_no_difference(wanted: dict[str, Any], there: dict[str, Any]) -> None:
    assert missing(wanted, there) == ()


@pytest.mark.parametrize(
    ("wanted", "there", "told"),
    [
        ({"A": 1}, {"A": 2}, "A: 2 -> 1"),
        ({"A": {"B": "x"}}, {"A": {}}, "A.B: not set -> x"),
        ({"A": [1, 1]}, {"A": [1]}, "A: [1] -> [1, 1]"),
        ({"A": [{"B": 1}]}, {"A": [{"B": 2}]}, "A[0].B: 2 -> 1"),
        ({"A": 0}, {}, "A: not set -> 0"),
    ],
)
def test_difference_has_its_path_and_both_values(wanted: dict[str, Any], there: dict[str, Any], told: str) -> None:
    assert [str(each) for each in missing(wanted, there)] == [told]


def test_members_that_come_and_go_are_told_one_by_one() -> None:
    """Of an unnamed structure its place, of a named one its name, of a word the word."""
    kept, changed = {"VariantName": "kept", "InitialVariantWeight": 1.0}, {"VariantName": "other", "Type": "b"}
    there = {"Subnets": ["a", "b"], "Variants": [{**kept, "Filled": "in"}, {**changed, "Type": "a"}], "X": [{"Y": 1}]}
    wanted = {
        "Subnets": ["a", "c", "d"],
        "Variants": [{"VariantName": "new", "Serverless": {"Memory": 1}}, changed, kept],
        "X": [{"Y": 1}, {"Y": 2}],
    }
    assert [str(each) for each in different(wanted, there)] == [
        "Subnets[c]: not set -> c",
        "Subnets[d]: not set -> d",
        "Subnets[b]: b -> not set",
        "Variants[new].VariantName: not set -> new",
        "Variants[new].Serverless.Memory: not set -> 1",
        "Variants[other].Type: a -> b",
        "X[1].Y: not set -> 2",
    ]


def test_what_would_no_longer_be_so_is_shown_without_awss_own_defaults() -> None:
    there = {
        "PrimaryContainer": {
            "Image": "i",
            "ModelDataUrl": "u",
            "ModelDataSource": {"S3DataSource": {}},
            "Mode": "SingleModel",
            "Environment": {"A": "1"},
        },
        "VpcConfig": {"Subnets": ["a"]},
        "EnableNetworkIsolation": False,
    }
    told = [str(each) for each in different({"PrimaryContainer": {"Image": "i", "ModelDataUrl": "u"}}, there)]
    assert told == ["PrimaryContainer.Environment: {'A': '1'} -> not set", "VpcConfig: {'Subnets': ['a']} -> not set"]
