"""What an hour of a use costs: of the user's file, or AWS's price list and savings plans. Called by verbs/cost."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from deploy.aws import Aws
from deploy.cost.uses import Use
from deploy.errors import DeployError

SERVICE = "AmazonSageMaker"
REGION = "us-east-1"
"""Where the Pricing and Savings Plans APIs are, whatever region they tell of."""
YEAR_S = 365 * 24 * 3600

FORM = """\
date = 2026-01-31        # when you looked
currency = "USD"
[hourly]                 # an hour of one instance, on demand
"ml.m5.large" = ...
[savings]                # the same with your savings plan
"ml.m5.large" = ..."""


class Prices(Protocol):
    source: str
    """Where from, and of when."""
    currency: str

    def hourly(self, use: Use) -> float | None:
        """An hour of one instance; None for what is not known."""


@dataclass(frozen=True)
class Plan:
    """A savings plan: for how long, and how it is paid."""

    years: int
    payment: str = "No Upfront"

    def __str__(self) -> str:
        return f"{self.years} year{'s' if self.years > 1 else ''}, {self.payment}"


class FilePrices:
    """Of a file that the user keeps."""

    def __init__(self, path: Path, plan: Plan | None = None) -> None:
        told = self._read(path)
        self._section = "savings" if plan else "hourly"
        self._prices = _numbers(told, self._section, path)
        self.currency = told.get("currency", "USD")
        self.source = f"{path} of {told['date']}{', with a savings plan' if plan else ''}"

    @staticmethod
    def _read(path: Path) -> dict[str, Any]:
        try:
            told = tomllib.loads(path.read_text())
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise DeployError(f"{path} has no prices: {error}", f"Write it as:\n{FORM}") from None
        if "date" not in told:
            raise DeployError(f"{path} does not say of when its prices are.", f"Write it as:\n{FORM}")
        return told

    def hourly(self, use: Use) -> float | None:
        return self._prices.get(use.type)


def _numbers(told: Mapping[str, Any], section: str, path: Path) -> Mapping[str, float]:
    """The prices of a section. Raises DeployError for each that is none."""
    prices = told.get(section, {})
    if not isinstance(prices, Mapping):
        raise DeployError(f"{section} in {path} is {prices!r}, which is no section.", f"Write it as:\n{FORM}")
    wrong = [f'{section}."{key}" is {each!r}' for key, each in prices.items() if not _is_price(each)]
    if wrong:
        raise DeployError(f"{path}: {'; '.join(wrong)}", "A price is a number without quotes, 0 or more.")
    return prices


def _is_price(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf


class ListPrices:
    """Of AWS's price list, on demand; or of a savings plan's rates."""

    def __init__(self, aws: Aws, region: str, plan: Plan | None = None) -> None:
        self._aws, self._region, self._plan = aws, region, plan
        self.currency = "USD"
        self.source = f"AWS's rates of a savings plan, {plan}" if plan else "AWS's price list"

    def hourly(self, use: Use) -> float | None:
        for product in self._products(use.type):
            usage = product["product"]["attributes"].get("usagetype", "")
            if usage.endswith(f"{use.kind}:{use.type}"):
                return self._rate(usage, self._plan) if self._plan else _on_demand(product)
        return None

    def _products(self, type: str) -> Iterator[Mapping[str, Any]]:
        wanted = {"regionCode": self._region, "instanceName": type}
        filters = [{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in wanted.items()]
        found = self._aws.every("pricing", "GetProducts", "PriceList", ServiceCode=SERVICE, Filters=filters)
        yield from (json.loads(str(each)) for each in found)

    def _rate(self, usage: str, plan: Plan) -> float | None:
        told = self._aws.call(
            "savingsplans",
            "DescribeSavingsPlansOfferingRates",
            products=["SageMaker"],
            savingsPlanPaymentOptions=[plan.payment],
            usageTypes=[usage],
        )
        fitting = [
            float(each["rate"])
            for each in told["searchResults"]
            if each["usageType"] == usage and each["savingsPlanOffering"]["durationSeconds"] // YEAR_S == plan.years
        ]
        return min(fitting, default=None)


def _on_demand(product: Mapping[str, Any]) -> float | None:
    """The one price by the hour of its terms."""
    terms = product.get("terms", {}).get("OnDemand", {}).values()
    prices = [each for term in terms for each in term["priceDimensions"].values() if each["unit"] == "Hrs"]
    return float(prices[0]["pricePerUnit"]["USD"]) if len(prices) == 1 else None
