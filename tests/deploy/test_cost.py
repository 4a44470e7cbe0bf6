"""What a deployment costs in hours and money, and which endpoints nobody asks: no price is ever ours."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest

from deploy import requests
from deploy.aws import Aws
from deploy.cost import idle, prices, uses
from deploy.errors import DeployError
from deploy.names import MANAGED_BY
from tests.deploy.configs import FEATURES, IMAGE, JOBS, MODES, ROLE, TABLE, config
from tests.deploy.double import Double
from tests.dockerfile import ROOT

REGION = TABLE["region"]
NOW = dt.datetime.now(dt.UTC)


def said(**over: Any) -> list[str]:
    return [str(each) for each in uses.of(requests.build(config(**over)))]


@pytest.mark.parametrize(
    ("over", "told"),
    [
        ({}, "main: 1 x ml.m5.large, 24 instance-hours a day, until `down`, idle or not"),
        (
            FEATURES["scaling by invocations"],
            "main: 1 to 4 x ml.m5.large, 24 to 96 instance-hours a day, until `down`, idle or not",
        ),
        (FEATURES["async to zero"], "main: 0 to 3 x ml.m5.large, 0 to 72 instance-hours a day, nothing while idle"),
        ({"mode": "serverless", **MODES["serverless"]}, "main: serverless, paid by request, nothing while idle"),
        (
            FEATURES["serverless, always warm"],
            "main: serverless, 1 to 5 kept warm, 24 to 120 hours a day, idle or not, the rest by request",
        ),
    ],
)
def test_hours_a_day_and_what_goes_to_zero_are_told(over: dict[str, Any], told: str) -> None:
    assert said(**over) == [told]


def test_shadow_and_every_variant_are_counted() -> None:
    assert [each.partition(",")[0] for each in said(**FEATURES["a shadow"])] == [
        "main: 1 x ml.m5.large",
        "shadow: 1 x ml.m5.large",
    ]


def test_jobs_end_by_themselves() -> None:
    (batch,) = said(mode="batch", **MODES["batch"])
    assert batch.endswith(": 1 x ml.m5.large, until the job ends, then nothing")
    training = {"output": "s3://bucket/out/", "max_runtime_s": 7200, "count": 2, "type": "ml.c5.large"}
    (job,) = said(mode="training", training=training)
    assert job.endswith(": 2 x ml.c5.large, at most 4 instance-hours, then nothing")


@pytest.mark.parametrize(
    ("over", "limit"), [({}, "until the job ends"), ({"users": 4, "duration_s": 7200}, "at most 2 hours")]
)
def test_recommendation_tells_the_types_that_it_tries_and_that_their_number_is_awss(
    over: dict[str, Any], limit: str
) -> None:
    types = ["ml.m5.large", "ml.g5.xlarge"]
    recommend = JOBS["recommend"]["recommend"] | {"instance_types": types} | over
    told = said(mode="recommend", recommend=recommend)
    assert [each.partition(": ")[2] for each in told] == [
        f"tries {each}, {limit}, then nothing; how many at once AWS decides" for each in types
    ]


@pytest.mark.parametrize(
    ("copies", "scaled", "machines"),
    [
        (1, None, "1 to 2"),
        (0, None, "0 to 2"),
        (1, {"min": 0, "max": 2}, "0 to 2"),
        (1, {"min": 1, "max": 2}, "1 to 2"),
    ],
)
def test_instances_go_to_zero_only_if_no_copy_stays_on_them(
    copies: int, scaled: dict[str, Any] | None, machines: str
) -> None:
    there = {"name": "b", "copies": copies, **({"scaling": {"target": 3, **scaled}} if scaled else {})}
    to_zero = FEATURES["components to zero"]["components"][0]
    (told,) = said(**{**FEATURES["components to zero"], "components": [to_zero, there]})
    assert told.startswith(f"main: {machines} x ml.g5.xlarge")
    assert ("nothing while idle" in told) == machines.startswith("0")


@pytest.mark.parametrize("name", MODES)
def test_every_mode_has_a_use(name: str) -> None:
    assert len(said(mode=name, **MODES[name])) == 1


# prices


FILE = """date = 2026-11-01
currency = "EUR"
[hourly]
"ml.m5.large" = 0.5
[savings]
"ml.m5.large" = 0.25
"""
REAL_TIME, ASYNC = (uses.Use("main", kind, "ml.m5.large", 1, 1) for kind in (uses.HOST, uses.ASYNC))


@pytest.fixture(scope="module")
def one_aws() -> Aws:
    return Aws(REGION)


def test_price_is_of_the_users_file_and_says_of_when(tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text(FILE)
    plain = prices.FilePrices(tmp_path / "prices.toml")
    saving = prices.FilePrices(tmp_path / "prices.toml", prices.Plan(1))
    assert (plain.hourly(REAL_TIME), saving.hourly(REAL_TIME), plain.currency) == (0.5, 0.25, "EUR")
    assert plain.source.endswith("prices.toml of 2026-11-01")
    assert plain.hourly(uses.Use("main", uses.HOST, "ml.g5.xlarge", 1, 1)) is None


@pytest.mark.parametrize("text", ["", "nonsense", None])
def test_file_without_prices_or_date_shows_how_it_is_written(text: str | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "prices.toml").write_text(text)
    with pytest.raises(DeployError) as caught:
        prices.FilePrices(tmp_path / "prices.toml")
    assert "[hourly]" in caught.value.next_step


@pytest.mark.parametrize("price", ['"0.5"', "-0.5", "true", "nan", "inf", "[0.5]"])
def test_price_that_is_none_is_told_by_key_and_file(price: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(FILE.replace("= 0.5\n", f"= {price}\n"))
    with pytest.raises(DeployError, match=re.escape(f'{path}: hourly."ml.m5.large" is ')):
        prices.FilePrices(path)


def test_prices_without_their_section_are_told(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text("date = 2026-11-01\nhourly = 0.5\n")
    with pytest.raises(DeployError, match=r"hourly in .*prices\.toml is 0\.5, which is no section"):
        prices.FilePrices(path)


def product(usage: str, price: str) -> dict[str, Any]:
    attributes = {"regionCode": REGION, "instanceName": "ml.m5.large", "usagetype": usage}
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": price}}
    return {
        "product": {"attributes": attributes},
        "terms": {"OnDemand": {"t": {"priceDimensions": {"d": dimension}}}},
    }


def test_price_list_is_asked_for_the_use_of_the_type(double: Double, one_aws: Aws) -> None:
    double.prices = [product("EU-Train:ml.m5.large", "9"), product("EU-Host:ml.m5.large", "0.5")]
    told = prices.ListPrices(one_aws, REGION)
    assert (told.hourly(REAL_TIME), told.hourly(ASYNC)) == (0.5, None)
    (asked, _) = double.calls
    assert {each["Field"]: each["Value"] for each in asked.parameters["Filters"]} == {
        "regionCode": REGION,
        "instanceName": "ml.m5.large",
    }


def test_rate_of_a_savings_plan_is_that_of_its_years(double: Double, one_aws: Aws) -> None:
    double.prices = [product("EU-Host:ml.m5.large", "0.5")]
    double.savings = [
        {
            "usageType": "EU-Host:ml.m5.large",
            "rate": rate,
            "savingsPlanOffering": {"durationSeconds": years * prices.YEAR_S, "paymentOption": "No Upfront"},
        }
        for years, rate in ((1, "0.4"), (3, "0.3"))
    ]
    assert prices.ListPrices(one_aws, REGION, prices.Plan(1)).hourly(REAL_TIME) == 0.4
    assert prices.ListPrices(one_aws, REGION, prices.Plan(3)).hourly(REAL_TIME) == 0.3


def test_no_price_is_written_into_the_code() -> None:
    priced = re.compile(r"ml\.[a-z0-9]+\.[a-z0-9]+\"[:,]? *=? *[0-9]")
    assert [path for path in (ROOT / "deploy").rglob("*.py") if priced.search(path.read_text())] == []


# idle endpoints


def deployed(aws: Aws, name: str, **more: Any) -> None:
    tags = [{"Key": MANAGED_BY[0], "Value": MANAGED_BY[1]}]
    variant = {"VariantName": "main", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    aws.call("sagemaker", "CreateModel", ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE})
    aws.call("sagemaker", "CreateEndpointConfig", EndpointConfigName=name, ProductionVariants=[variant], **more)
    aws.call("sagemaker", "CreateEndpoint", EndpointName=name, EndpointConfigName=name, Tags=tags)


def was_asked(aws: Aws, days_ago: int, metric: str = "Invocations", **named: str) -> None:
    datum = {
        "MetricName": metric,
        "Dimensions": [{"Name": key, "Value": value} for key, value in named.items()],
        "Timestamp": NOW - dt.timedelta(days=days_ago, minutes=1),
        "Value": 5,
    }
    aws.call("cloudwatch", "PutMetricData", Namespace="AWS/SageMaker", MetricData=[datum])


ASYNC_CONFIG = {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://bucket/answers/"}}}


@pytest.fixture
def cloud(double: Double, one_aws: Aws) -> Aws:
    """In which an endpoint is there at once."""
    double.delays.creating_s = 0
    return one_aws


def aged(double: Double, *names: str) -> None:
    for name in names:
        double.shelf.records[REGION, "Endpoint", name]["CreationTime"] = NOW - dt.timedelta(days=30)


def asked(aws: Aws, days: int = 7) -> dict[str, str]:
    return {each.name: str(each).removeprefix(f"{each.name}: ") for each in idle.endpoints(aws, days)}


def test_endpoint_that_nobody_asked_for_days_is_idle(double: Double, cloud: Aws) -> None:
    for name in ("busy", "forgotten", "young"):
        deployed(cloud, name)
    aged(double, "busy", "forgotten")
    was_asked(cloud, 2, EndpointName="busy", VariantName="main")
    was_asked(cloud, 20, EndpointName="forgotten", VariantName="main")
    told = {each.name: (each.requests, each.idle) for each in idle.endpoints(cloud, 7)}
    assert told == {"busy": (5, False), "forgotten": (0, True), "young": (0, False)}
    assert asked(cloud) == {
        "busy": "5 requests in 7 days",
        "forgotten": "no request in 7 days; remove it with `down --name forgotten`",
        "young": "no request since it was made, just now",
    }


def test_async_endpoint_is_asked_by_what_it_processes_and_what_waits(double: Double, cloud: Aws) -> None:
    """https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html: it publishes no Invocations."""
    for name in ("busy", "full", "forgotten"):
        deployed(cloud, name, **ASYNC_CONFIG)
    aged(double, "busy", "full", "forgotten")
    was_asked(cloud, 2, "InvocationsProcessed", EndpointName="busy", VariantName="main")
    was_asked(cloud, 2, "ApproximateBacklogSize", EndpointName="full")
    assert asked(cloud) == {
        "busy": "5 requests in 7 days",
        "full": "no request answered, up to 5 waiting, in 7 days",
        "forgotten": "no request in 7 days; remove it with `down --name forgotten`",
    }


def test_endpoint_of_components_is_asked_by_component(double: Double, cloud: Aws) -> None:
    deployed(cloud, "shared")
    aged(double, "shared")
    part = {"ModelName": "shared", "ComputeResourceRequirements": {"MinMemoryRequiredInMb": 1024}}
    cloud.call(
        "sagemaker",
        "CreateInferenceComponent",
        InferenceComponentName="shared-a",
        EndpointName="shared",
        VariantName="main",
        Specification=part,
    )
    was_asked(cloud, 2, InferenceComponentName="shared-a")
    assert asked(cloud) == {"shared": "5 requests in 7 days"}


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (dt.timedelta(minutes=1, seconds=5), "no request since it was made, 1 minute ago"),
        (dt.timedelta(hours=2, minutes=50), "no request since it was made, 2 hours ago"),
        (dt.timedelta(days=6, hours=23), "no request since it was made, 6 days ago"),
        (dt.timedelta(days=7), "no request in 7 days; remove it with `down --name a`"),
    ],
)
def test_days_that_are_told_are_no_more_than_it_was_there(age: dt.timedelta, told: str) -> None:
    assert str(idle.Asked("a", age, 0, 0, 7)) == f"a: {told}"
