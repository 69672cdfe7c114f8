"""Laws of the numbers in an explanation: none stands bare, whatever the method, the profile and the user's settings."""

import re
from collections.abc import Iterator

import pytest

from offgridflow.domain.model import Sku, SkuAttributes, Span, Step, Term
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Method
from offgridflow.domain.trace import TermKind
from offgridflow.factors import load
from offgridflow.methodology.explain import Explanation, explain
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Profile, Recipe, RegionValue, UserRate

from .test_rating_explain import evaluate

FACTORS = load()
JUNE = Month(2025, 6)
NUMBER = re.compile(r"(?<![A-Za-z_\d.])\d+(?:\.\d+)?(?:e[-+]?\d+)?")


def aws(service: str, meter: str, unit: str, **known: float) -> Sku:
    """Build an AWS SKU in us-east-1."""
    return Sku("aws", service, service, None, meter, None, unit, "us-east-1", None, SkuAttributes(**known))  # type: ignore[arg-type]


def azure(service: str, meter: str, unit: str) -> Sku:
    """Build an Azure SKU in westeurope."""
    return Sku("azure", service, None, None, meter, None, unit, "westeurope")


def gcp(service: str, meter: str, unit: str) -> Sku:
    """Build a Google SKU in us-central1."""
    return Sku("gcp", service, None, None, meter, None, unit, "us-central1")


SKUS = {
    "machine": aws("AmazonEC2", "BoxUsage:m5.large", "Hrs"),
    "measured machine": aws("AmazonEC2", "BoxUsage:m5.24xlarge", "Hrs"),
    "Arm machine": aws("AmazonEC2", "BoxUsage:m6g.large", "Hrs"),
    "burstable machine": aws("AmazonEC2", "BoxUsage:t3.micro", "Hrs"),
    "machine with cards and disks": aws("AmazonEC2", "BoxUsage:g4dn.xlarge", "Hrs"),
    "machine with hard disks": aws("AmazonEC2", "BoxUsage:d2.xlarge", "Hrs"),
    "family": aws("AmazonEC2", "BoxUsage:m5.5xlarge", "Hrs"),
    "vCPUs of the bill": aws("AmazonEC2", "BoxUsage:zz9.8xlarge", "Hrs", vcpu=8.0, memory_gib=32.0),
    "vCPUs by the name": aws("AmazonEC2", "BoxUsage:zz9.8xlarge", "Hrs"),
    "median of a service": azure("Azure Synapse Analytics", "Dedicated SQL Pool - 100 DWUs", "1 Hour"),
    "cores": gcp("Compute Engine", "N2 Instance Core running in Americas", "hour"),
    "RAM": gcp("Compute Engine", "N2 Instance Ram running in Americas", "gibibyte hour"),
    "memory": aws("AmazonElastiCache", "CachedData:Redis", "GB-Hours"),
    "function": aws("AWSLambda", "Lambda-GB-Second", "Lambda-GB-Second"),
    "accelerator": gcp("Compute Engine", "Nvidia Tesla T4 GPU running in Americas", "hour"),
    "storage": aws("AmazonS3", "TimedStorage-ByteHrs", "GB-Mo"),
    "storage in two regions": azure("Storage", "Tables - GRS Data Stored", "1 GB/Month"),
    "disk": azure("Storage", "Premium SSD Managed Disks - P10 LRS Disk", "1/Month"),
    "transfer": aws("AWSDataTransfer", "DataTransfer-Out-Bytes", "GB"),
    "transfer billed at both ends": aws("AWSDataTransfer", "DataTransfer-Regional-Bytes", "GB"),
    "database with a standby": aws("AmazonRDS", "Multi-AZUsage:db.m5.large", "Hrs"),
    "input tokens": aws("AmazonBedrock", "USE1-Llama3-1-70B-input-tokens", "1K tokens"),
    "output tokens": aws("AmazonBedrock", "USE1-openai.gpt-oss-20b-mantle-output-tokens-batch", "1K tokens"),
    "unused reservation": aws("AmazonEC2", "UnusedBox:m5.large", "Hrs"),
    "own energy": aws("Own", "own-energy", "Hrs"),
    "own kilograms": aws("Own", "own-kilograms", "Hrs"),
}
OWN = (
    UserRate("aws", "Hrs", meter="own-energy", it_kwh=Span(0.1, 0.2, 0.4), embodied_kgco2e=0.03, source="us"),
    UserRate("aws", "Hrs", meter="own-kilograms", operational_kgco2e=Span(0.1, 0.2, 0.4), source="us"),
)
SETTINGS = Recipe(
    utilisation=0.35,
    lifetime_years=5.0,
    pue=(RegionValue("aws", "us-east-1", 1.3),),
    grid=(RegionValue("aws", "us-east-1", 0.4),),
    contracts=(RegionValue("aws", "us-east-1", 0.01),),
    user_rates=OWN,
)
RECIPES = {
    **{profile.value: Recipe(profile=profile, user_rates=OWN) for profile in Profile if profile is not Profile.ASSURED},
    "settings": SETTINGS,
}


def _rated() -> Iterator[tuple[str, str]]:
    for recipe in RECIPES:
        for name in SKUS:
            yield recipe, name


def _numbers_of(step: Step) -> list[float]:
    return [float(number) for number in NUMBER.findall(step.expression)]


def _check(term: Term, before: dict[str, Step], shown: Explanation) -> None:
    """A number is an earlier result, or a coefficient with factors and range, or has a name and a kind."""
    assert term.name
    if term.kind is TermKind.RESULT:
        assert float(term.text) == before[term.name].value, term
    elif term.kind is TermKind.COEFFICIENT:
        known = {factor.factor_id: factor for factor in shown.factors}
        assert term.factor_ids, term
        assert set(term.factor_ids) <= set(shown.rate.factor_ids), term
        assert all(known[each].source and known[each].licence for each in term.factor_ids), term
        assert term.low is not None
        assert term.high is not None
        assert min(term.low, term.high) <= float(term.text) <= max(term.low, term.high), term
    else:
        assert not term.factor_ids
        assert "for this meter" not in term.name, term


@pytest.mark.parametrize(("recipe", "name"), list(_rated()))
def test_every_number_of_an_explanation_is_accounted_for(recipe: str, name: str) -> None:
    """Each number in an expression has its term, in order, and each expression computes to the step's value."""
    shown = explain(SKUS[name], JUNE, FACTORS, RECIPES[recipe])
    if shown.rate.reason is not None:
        assert recipe == "ccf"
        return
    assert shown.steps
    before: dict[str, Step] = {}
    for step in shown.steps:
        assert [abs(float(term.text)) for term in step.terms] == _numbers_of(step), step
        assert evaluate(step.expression) == pytest.approx(step.value, rel=1e-9, abs=1e-15), step
        for term in step.terms:
            _check(term, before, shown)
        before[step.name] = step


def test_the_skus_of_these_laws_are_of_every_method() -> None:
    """Every way to make a rate is among them; spend rates money and has no rate."""
    found = {explain(sku, JUNE, FACTORS, RECIPES["default"]).rate.method for sku in SKUS.values()}
    assert found == set(Method) - {Method.SPEND}


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recorded_rating_is_the_rating(recipe: str) -> None:
    """The figures that the steps end in are those of an ordinary rating, before and after an explanation."""
    rater = Rater(FACTORS, RECIPES[recipe])
    for sku in SKUS.values():
        before = rater(sku, JUNE)
        shown = explain(sku, JUNE, FACTORS, RECIPES[recipe])
        assert shown.rate == before == Rater(FACTORS, RECIPES[recipe])(sku, JUNE)
        if before.total_kgco2e is not None:
            assert {type(value) for value in (before.total_kgco2e.low, before.embodied_kgco2e)} <= {float}


def test_numbers_of_the_users_settings_are_called_so() -> None:
    """Utilisation, lifetime, PUE, grid and contract of the settings are numbers of kind ``setting``, not factors."""
    shown = explain(SKUS["machine"], JUNE, FACTORS, SETTINGS)
    own = {term.name: float(term.text) for step in shown.steps for term in step.terms if term.kind is TermKind.SETTING}
    assert own == {
        "methodology.utilisation": 0.35,
        "methodology.lifetime_years": 5.0,
        "PUE of aws us-east-1": 1.3,
        "grid factor of aws us-east-1": 0.4,
        "contractual grid factor of aws us-east-1": 0.01,
    }
