"""What the user brings: rates, utilisation, PUE, contracts, grids, activities, spend. Each shows in the rate."""

from decimal import Decimal
from pathlib import Path

import pytest

from offgridflow.domain.model import Rate, Sku, SkuAttributes, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.factors import load, read_user_grid
from offgridflow.methodology.explain import explain
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import GridPrecedence, Recipe, RegionValue, SpendFactor, UserRate
from offgridflow.methodology.user import spend_estimate, spend_rows

FACTORS = load()
JUNE = Month(2025, 6)
M5 = Sku("aws", "AmazonEC2", "AmazonEC2", None, "BoxUsage:m5.large", None, "Hrs", "us-east-1")
PUE_DEU = Recipe(pue=(RegionValue("country", "DEU", 1.5),))


def rate(recipe: Recipe, wanted: Sku = M5) -> Rate:
    """Rate under a recipe; the figure must be there."""
    made = Rater(FACTORS, recipe)(wanted, JUNE)
    assert made.total_kgco2e is not None, made
    return made


def own(meter: str, unit: str, known: SkuAttributes, region: str = "DEU") -> Sku:
    """Build a SKU of the user's own hall."""
    return Sku("on-premise", "Servers", None, None, meter, None, unit, region, None, known)


def test_a_users_rate_wins_and_is_named() -> None:
    """The user's IT energy goes through PUE and grid, with its range, method and mark; explain shows it."""
    mine = UserRate(
        "aws", "hrs", meter="boxusage:m5*", it_kwh=Span(0.01, 0.02, 0.03), embodied_kgco2e=0.5, source="meter"
    )
    recipe = Recipe(user_rates=(mine,))
    made = rate(recipe)
    assert (made.method, made.it_energy_kwh, made.embodied_kgco2e) == (Method.USER_RATE, 0.02, 0.5)
    assert Assumption.USER_RATE in made.assumptions
    assert made.energy_kwh is not None
    assert made.energy_kwh.low < made.energy_kwh.central < made.energy_kwh.high
    assert explain(M5, JUNE, FACTORS, recipe).steps


def test_utilisation_and_pue_of_the_user_enter_and_are_marked() -> None:
    """A higher load draws more; the user's PUE is the only one; both leave a mark in place of the defaults."""
    idle, busy = rate(Recipe(utilisation=0.0)), rate(Recipe(utilisation=1.0))
    assert (idle.it_energy_kwh or 0) < (busy.it_energy_kwh or 0)
    made = rate(Recipe(pue=(RegionValue("aws", "us-east-1", 2.0),), utilisation=0.5))
    assert {Assumption.UTILISATION_USER, Assumption.PUE_USER} <= set(made.assumptions)
    assert Assumption.UTILISATION_DEFAULT not in made.assumptions
    assert made.energy_kwh is not None
    overhead = FACTORS.coefficient("overhead").central
    assert made.energy_kwh.central == pytest.approx((made.it_energy_kwh or 0) * overhead * 2.0)


def test_a_contract_makes_market_figures_and_no_contract_none() -> None:
    """Contracted direct and the location-based upstream make the market figure; without a contract it is null."""
    assert rate(Recipe()).operational_market_kgco2e is None
    made = rate(Recipe(contracts=(RegionValue("aws", "us-east-1", 0.0),)))
    assert made.operational_market_kgco2e == pytest.approx(made.operational_upstream_kgco2e)
    assert made.total_market_kgco2e == pytest.approx(
        (made.operational_upstream_kgco2e or 0) + (made.embodied_kgco2e or 0)
    )
    assert Assumption.MARKET_CONTRACT in made.assumptions


@pytest.mark.parametrize(("precedence", "grams"), [(GridPrecedence.USER, 1000.0), (GridPrecedence.FACTOR_SET, None)])
def test_an_hourly_grid_of_the_user_enters_by_its_precedence(
    tmp_path: Path, precedence: GridPrecedence, grams: float | None
) -> None:
    """Hours are averaged to their month; the user's factor is named in the rate, or only fills gaps."""
    path = tmp_path / "mine.csv"
    rows = [
        f"aws,us-east-1,2025-06-01T{hour:02d},{500 + 1000 * (hour % 2)},lifecycle_delivered,TSO" for hour in range(24)
    ]
    path.write_text("provider,place,period,g_per_kwh,boundary,source\n" + "\n".join(rows) + "\n", encoding="utf-8")
    laid = FACTORS.with_user_grid(read_user_grid(path), "mine", precedence.value)
    made = Rater(laid, Recipe(grid_precedence=precedence))(M5, JUNE)
    assert made.energy_kwh is not None
    intensity = (made.operational_location_kgco2e or 0) / made.energy_kwh.central
    named = any(each.startswith("user:mine") for each in made.factor_ids)
    assert named is (grams is not None)
    assert (Assumption.GRID_USER in made.assumptions) is named
    if grams is not None:
        assert intensity * 1000 == pytest.approx(grams)
        assert made.rate_id != rate(Recipe()).rate_id


def test_own_servers_are_rated_by_their_size_in_their_country() -> None:
    """32 vCPUs and 128 GiB for an hour in Germany: bucket B, the country's grid, the user's PUE."""
    made = rate(PUE_DEU, own("node-12", "hours", SkuAttributes(vcpu=32, memory_gib=128)))
    assert (made.coverage_bucket, made.method) == (CoverageBucket.FAMILY_OR_VCPU, Method.VCPU_AND_MEMORY)
    assert {Assumption.VCPU_FROM_BILL, Assumption.PUE_USER, Assumption.GRID_COUNTRY} <= set(made.assumptions)
    assert any(each.startswith("grid_lifecycle:country:DEU") for each in made.factor_ids)


def test_own_storage_and_transfers_are_rated() -> None:
    """A storage class with data over time, and a kind of transfer with data, need no machine."""
    assert rate(PUE_DEU, own("shelf", "GB-Mo", SkuAttributes(storage_class="ssd"))).method is Method.STORAGE
    assert rate(PUE_DEU, own("line", "GB", SkuAttributes(transfer_kind="internet_egress"))).method is Method.NETWORK


def test_a_country_without_a_pue_is_a_reason_and_no_region_of_a_cloud() -> None:
    """Nobody's PUE is guessed; a country code in a cloud's bill stays an unknown region."""
    node = own("node-12", "hours", SkuAttributes(vcpu=32))
    assert Rater(FACTORS, Recipe())(node, JUNE).reason is NotEstimatedReason.NO_FACTOR
    assert Rater(FACTORS, PUE_DEU)(own("x", "hours", SkuAttributes(vcpu=1), "MOON"), JUNE).reason is (
        NotEstimatedReason.UNKNOWN_REGION
    )
    cloud = Sku("aws", "AmazonEC2", "AmazonEC2", None, "BoxUsage:m5.large", None, "Hrs", "DEU")
    assert Rater(FACTORS, PUE_DEU)(cloud, JUNE).reason is NotEstimatedReason.UNKNOWN_REGION


def test_spend_is_apart_off_by_default_and_labelled() -> None:
    """Money gives kilograms only where a factor for its currency was given, in bucket D, with its range and source."""
    assert spend_estimate(Recipe(), "USD", Decimal(10)) is None
    recipe = Recipe(spend=(SpendFactor("USD", Span(0.01, 0.02, 0.04), "EEIO 2022"),))
    made = spend_estimate(recipe, "USD", Decimal(10))
    assert made is not None
    assert (made.kgco2e.low, made.kgco2e.central, made.kgco2e.high) == pytest.approx((0.1, 0.2, 0.4))
    assert (made.bucket, made.method, made.source) == (CoverageBucket.SPEND, Method.SPEND, "EEIO 2022")
    assert spend_estimate(recipe, "EUR", Decimal(10)) is None
    assert spend_estimate(recipe, "USD", Decimal(-1)) is None
    (row,) = spend_rows(recipe)
    assert row.billing_currency == "USD"
    assert row.central_kgco2e * 10 == pytest.approx(made.kgco2e.central)
    assert spend_rows(Recipe()) == ()


@pytest.mark.parametrize(
    ("service", "meter", "operation", "unit"),
    [
        ("AmazonEKS", "USE1-EKS-EC2-vCPU-Hours", "EKSPod-EC2", "vCPU-Hours"),
        ("AmazonEKS", "USE1-EKS-EC2-GB-Hours", "EKSPod-EC2", "GB-Hours"),
        ("AmazonECS", "USE1-ECS-EC2-vCPU-Hours", "ECSTask-EC2", "vCPU-Hours"),
        ("AmazonECS", "USE1-ECS-EC2-GB-Hours", "ECSTask-EC2", "GB-Hours"),
        ("AmazonEKS", "USE1-EKS-EC2-accelerator-Hours", "EKSPod-EC2", "accelerator-Hours"),
        ("AmazonEC2", "USE1-BoxUsage:m5.large", "EKSPod-EC2", "vCPU-Hours"),
    ],
)
def test_split_cost_allocation_does_not_count_the_node_again(
    service: str, meter: str, operation: str, unit: str
) -> None:
    """Lines that divide a node among its pods or tasks are counted at the node."""
    line = Sku("aws", service, service, None, meter, operation, unit, "us-east-1")
    made = Rater(FACTORS, Recipe())(line, JUNE)
    assert (made.total_kgco2e, made.reason) == (None, NotEstimatedReason.COUNTED_ELSEWHERE)
