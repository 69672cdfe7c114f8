"""Laws of explanations: the arithmetic holds, and it ends at the figures of the rate."""

import ast
import math
import operator
from collections.abc import Callable

import pytest

from offgridflow.domain.model import Rate, Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.methodology.explain import explain
from offgridflow.methodology.rating import rate
from offgridflow.methodology.recipe import Profile, Recipe, RegionValue

from .conftest import SmallSet

JUNE = Month(2025, 6)
SET = SmallSet()
_BINARY: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_NAMED: dict[str, Callable[..., float]] = {"sqrt": math.sqrt, "min": min, "max": max}


def evaluate(expression: str) -> float:
    """Compute an expression of numbers, + - * / ( ), sqrt, min and max; anything else is an error."""
    return _value(ast.parse(expression, mode="eval").body)


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](_value(node.left), _value(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _NAMED[node.func.id](*(_value(each) for each in node.args))
    raise AssertionError(ast.dump(node))


def aws(meter: str, unit: str, region: str = "us-east-1", service: str = "AmazonEC2") -> Sku:
    """Build an AWS SKU."""
    return Sku("aws", service, service, None, meter, None, unit, region, None, SkuAttributes())


SKUS = [
    aws("BoxUsage:m5.large", "Hrs"),
    aws("BoxUsage:m6g.large", "Hrs"),
    aws("BoxUsage:t3.micro", "Hrs"),
    aws("BoxUsage:g4dn.xlarge", "Hrs"),
    aws("UnusedBox:m5.large", "Hrs"),
    aws("BoxUsage:m5.8xlarge", "Hrs"),
    aws("BoxUsage:zz9.8xlarge", "Hrs"),
    aws("EU-TimedStorage-ByteHrs", "GB-Mo", "eu-west-1", "AmazonS3"),
    aws("DataTransfer-Out-Bytes", "GB", service="AWSDataTransfer"),
    aws("Lambda-GB-Second", "Lambda-GB-Second", service="AWSLambda"),
    Sku("azure", "Virtual Machines", None, None, "Dsv5 Series - D4s v5", None, "1 Hour", "westeurope"),
    Sku(
        "gcp", "Compute Engine", None, None, "N2 Instance Ram running in Americas", None, "gibibyte hour", "us-central1"
    ),
]
CONTRACT = Recipe(contracts=(RegionValue("aws", "us-east-1", 0.01),))


def figures(made: Rate) -> dict[str, float | None]:
    """The figures of a rate by column name."""
    total, energy = made.total_kgco2e, made.energy_kwh
    return {
        "it_energy_kwh": made.it_energy_kwh,
        "energy_kwh": energy.central if energy else None,
        "operational_direct_kgco2e": made.operational_direct_kgco2e,
        "operational_upstream_kgco2e": made.operational_upstream_kgco2e,
        "operational_location_kgco2e": made.operational_location_kgco2e,
        "operational_market_kgco2e": made.operational_market_kgco2e,
        "embodied_kgco2e": made.embodied_kgco2e,
        "water_l": made.water_l,
        "total_market_kgco2e": made.total_market_kgco2e,
        "total_kgco2e": total.central if total else None,
        "total_low_kgco2e": total.low if total else None,
        "total_high_kgco2e": total.high if total else None,
    }


@pytest.mark.parametrize("recipe", [Recipe(), CONTRACT, Recipe(profile=Profile.SCI), Recipe(profile=Profile.CCF)])
@pytest.mark.parametrize("sku", SKUS, ids=lambda sku: sku.sku_meter)
def test_every_step_recomputes_and_the_last_ones_are_the_rate(sku: Sku, recipe: Recipe) -> None:
    """Each expression evaluates to its value, and the steps named like columns equal the rate's figures exactly."""
    explained = explain(sku, JUNE, SET, recipe)
    made = rate(sku, JUNE, SET, recipe)
    assert explained.rate == made
    assert made.reason is None
    for step in explained.steps:
        assert evaluate(step.expression) == pytest.approx(step.value, rel=1e-9, abs=1e-15), step
        assert step.unit
    expected = {name: value for name, value in figures(made).items() if value is not None}
    named = {step.name: step.value for step in explained.steps if step.name in figures(made)}
    assert named == expected
    assert explained.steps[-1].name == "total_high_kgco2e"


@pytest.mark.parametrize("sku", SKUS, ids=lambda sku: sku.sku_meter)
def test_intermediate_steps_lead_to_the_figures(sku: Sku) -> None:
    """IT energy and embodied of the parts sum to the rate's, so no part is hidden."""
    explained = explain(sku, JUNE, SET, Recipe())
    energy = sum(step.value for step in explained.steps if step.name.startswith("IT energy of"))
    kg = sum(step.value for step in explained.steps if step.name.startswith("embodied of") and "whole" not in step.name)
    assert energy == pytest.approx(explained.rate.it_energy_kwh, rel=1e-12)
    assert kg == pytest.approx(explained.rate.embodied_kgco2e, rel=1e-12)


def test_every_factor_of_a_rate_is_shown_with_its_provenance() -> None:
    """The factors of an explanation are those of the rate, in its order, of the set or of the ccf profile."""
    for profile in Profile:
        explained = explain(SKUS[0], JUNE, SET, Recipe(profile=profile))
        assert tuple(each.factor_id for each in explained.factors) == explained.rate.factor_ids
        assert explained.factors
        assert all(each.source and each.licence for each in explained.factors)


def test_a_refusal_is_explained_in_words() -> None:
    """A SKU that is not rated has no steps and says which text was not understood."""
    explained = explain(aws("BoxUsage:m5.large", "Hrs", "mars-1"), JUNE, SET, Recipe())
    assert explained.steps == ()
    assert "mars-1" in explained.detail
