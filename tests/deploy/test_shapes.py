"""Each constraint of botocore's model is checked, also those that botocore itself does not."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.call import Call
from deploy.shapes import problems


def found(operation: str, service: str = "sagemaker", **parameters: Any) -> list[tuple[str, bool]]:
    return [(each.text, each.warning) for each in problems([Call(service, operation, parameters, "k/n")])]


def of_model(**parameters: Any) -> list[str]:
    return [text for text, _ in found("CreateModel", ModelName="a", **parameters)]


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"Nope": 1}, "Nope is not known to the installed botocore; update it, or leave this out"),
        ({"EnableNetworkIsolation": "yes"}, "EnableNetworkIsolation has to be a boolean, not 'yes'"),
        ({"PrimaryContainer": {"Image": "a b"}}, r"PrimaryContainer.Image 'a b' does not match [\S]+"),
        ({"Containers": [{}] * 16}, "Containers has 16 of what may be, at most 15"),
        (
            {"PrimaryContainer": {"Environment": {"1A": "x"}}},
            "PrimaryContainer.Environment['1A'] as a name '1A' does not",
        ),
        (
            {"PrimaryContainer": {"Environment": {"A": "x" * 1025}}},
            "PrimaryContainer.Environment['A'] has 1025 of what",
        ),
        ({"PrimaryContainer": {"ModelDataUrl": "bucket/x"}}, "PrimaryContainer.ModelDataUrl 'bucket/x' does not match"),
        ({"Tags": [{"Key": "a"}]}, "Tags[0].Value is missing"),
        (
            {"VpcConfig": {"Subnets": [], "SecurityGroupIds": ["sg-1"]}},
            "VpcConfig.Subnets has 0 of what may be, at least 1",
        ),
    ],
)
def test_what_breaks_the_model_is_named_with_its_path(parameters: dict[str, Any], text: str) -> None:
    (only,) = of_model(**parameters)
    assert only.startswith(text)


def test_a_name_is_at_most_63_characters() -> None:
    ((text, _), *_) = found("CreateModel", ModelName="a" * 64)
    assert text == "ModelName has 64 of what may be, at most 63"


def test_an_underscore_in_a_name_is_refused() -> None:
    ((text, warning),) = found("CreateModel", ModelName="a_b")
    assert (text.split(" does")[0], warning) == ("ModelName 'a_b'", False)


def test_a_number_out_of_range_is_refused() -> None:
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "VolumeSizeInGB": 513}
    ((text, warning),) = found("CreateEndpointConfig", EndpointConfigName="a", ProductionVariants=[variant])
    assert (text, warning) == ("ProductionVariants[0].VolumeSizeInGB is 513, at most 512", False)


def test_a_word_that_this_botocore_does_not_know_is_a_warning() -> None:
    """A newer service may: instance types come every month."""
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m99.large"}
    ((text, warning),) = found("CreateEndpointConfig", EndpointConfigName="a", ProductionVariants=[variant])
    assert warning
    assert text.startswith("ProductionVariants[0].InstanceType 'ml.m99.large' is none of the ")


def test_a_short_list_of_words_is_said() -> None:
    ((text, _),) = found("CreateModel", ModelName="a", InferenceExecutionConfig={"Mode": "Parallel"})
    assert text.endswith("knows: Serial, Direct")


def test_all_faults_of_all_calls_come_together() -> None:
    assert len(of_model(Nope=1, PrimaryContainer={"Image": "a b", "ModelDataUrl": "x"})) == 3


@pytest.mark.parametrize("value", ["churn model", "ünïcode", "a/b=c+d@e:f_g.h-i"])
def test_javas_letters_are_read(value: str) -> None:
    assert of_model(Tags=[{"Key": "k", "Value": value}]) == []


def test_javas_printable_characters_are_read_outside_of_brackets() -> None:
    policy = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": "r",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    assert found("PutScalingPolicy", "application-autoscaling", PolicyName="a b", **policy) == []
