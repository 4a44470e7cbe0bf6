"""What the verbs cost, plan and status say of hours, money and requests."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.session import get_session

from deploy.aws import Aws
from deploy.verbs import cost
from tests.deploy.configs import TABLE
from tests.deploy.flow.conftest import Cloud, Deploy
from tests.deploy.test_cost import FILE

pytestmark = pytest.mark.usefixtures("file")
HOURS = "main: 1 x ml.m5.large, 24 instance-hours a day, until `down`, idle or not"


def test_cost_is_hours_and_with_a_price_money(deploy: Deploy, cloud: Cloud) -> None:
    assert deploy("cost").out == f"{HOURS}\n"
    with open("prices.toml", "w") as file:
        file.write(FILE)
    assert deploy("cost", "--prices", "prices.toml").out == (
        f"{HOURS}: 12.00 EUR a day\nprices: prices.toml of 2026-11-01\n"
    )
    (told,) = deploy("cost", "--prices", "prices.toml", "--savings-plan", "1", "--output", "json").json()["uses"]
    assert (told["hours"], told["cost"], told["zero"]) == ([24, 24], [6, 6], False)


def test_job_of_which_nobody_knows_how_long_it_runs_costs_by_the_hour(deploy: Deploy, file: Path) -> None:
    Path("prices.toml").write_text(FILE)
    done = deploy("cost", "batch", "--prices", "prices.toml", "--set", "batch.count=3")
    assert "3 x ml.m5.large, until the job ends, then nothing: 1.50 EUR an hour while it runs\n" in done.out
    told = deploy("cost", "batch", "--prices", "prices.toml", "--output", "json").json()["uses"][0]
    assert (told["hours"], told["hourly"], told["cost"]) == ([0, None], 0.5, None)
    sample = "recommend.sample=s3://bucket/sample.tar.gz"
    tries = deploy("cost", "recommend", "--prices", "prices.toml", "--set", sample).out
    assert "how many at once AWS decides: 0.50 EUR an hour of each\n" in tries
    assert "tries ml.c5.large, until the job ends" in deploy("plan", "recommend", "--set", sample).out


def test_unknown_price_is_said_and_a_plan_without_prices_refused(deploy: Deploy, cloud: Cloud) -> None:
    assert "no price of ml.m5.large" in deploy("cost", "--price-list").out
    assert deploy("cost", "--savings-plan", "3").code == 1


def test_status_says_what_runs_costs_and_how_often_it_was_asked(deploy: Deploy, cloud: Cloud) -> None:
    deploy("up")
    told = deploy("status", "--output", "json").json()["endpoint"]["cost"]
    assert told == [HOURS, f"{TABLE['name']}: no request since it was made, just now"]
    assert deploy("cost", "--idle", "3").out == f"{told[1]}\n"


def test_endpoints_that_nobody_asks_are_looked_for_in_the_region_of_the_file(
    deploy: Deploy, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(Aws, "_client", lambda self, service: asked.append(self.region) or cloud.aws._client(service))
    assert deploy("cost", "--idle", "3").out == "no endpoint was deployed from here\n"
    assert set(asked) == {"eu-west-1"}
    deploy("cost", "--idle", "3", "--region", "eu-north-1")
    assert asked[-1] == "eu-north-1"


def test_payments_are_those_that_aws_has() -> None:
    model = get_session().get_service_model("savingsplans")
    known = model.operation_model("DescribeSavingsPlansOfferingRates").input_shape.members["savingsPlanPaymentOptions"]
    assert set(cost.PAYMENTS.values()) == set(known.member.enum)
