"""Laws of rating by the hour: the grid alone follows the hour, and only where the place has hours."""

from pathlib import Path

import pytest

from offgridflow.domain.model import Rate, Sku, Span
from offgridflow.domain.periods import Hour, Month
from offgridflow.domain.reasons import Assumption
from offgridflow.factors import load, read_user_grid
from offgridflow.factors.catalogue import Catalogue
from offgridflow.methodology.explain import explain
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Profile, Recipe, RegionValue, UserRate

FACTORS = load()
JUNE = Month(2025, 6)
TEN, ELEVEN, NOON = (Hour(JUNE, 3, hour) for hour in (10, 11, 12))
M5 = Sku("aws", "AmazonEC2", "AmazonEC2", None, "BoxUsage:m5.large", None, "Hrs", "eu-west-1")
VAULT = Sku("azure", "Storage", "Storage", None, "GRS Data Stored", None, "1 GB/Month", "northeurope", "Hot GRS Blob")
NOWHERE = Sku("aws", "AmazonEC2", "AmazonEC2", None, "BoxUsage:m5.large", None, "Hrs", "mars-1")
LICENCE = Sku("aws", "AmazonEC2", "AmazonEC2", None, "what is this", None, "Quantity", "eu-west-1")


def laid(folder: Path, *places: str) -> Catalogue:
    """Return the set with hours of 100 and 900 g/kWh laid over these places, ``provider,place``."""
    rows = [
        f"{place},2025-06-03T{hour},{grams},lifecycle_delivered,TSO"
        for place in places
        for hour, grams in ((10, 100), (11, 900))
    ]
    path = folder / "own.csv"
    path.write_text("provider,place,period,g_per_kwh,boundary,source\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return FACTORS.with_user_grid(read_user_grid(path), "own")


def grams(made: Rate) -> float:
    """Return grams per kWh at the meter that a rate came to."""
    assert made.energy_kwh is not None
    assert made.operational_location_kgco2e is not None
    return made.operational_location_kgco2e / made.energy_kwh.central * 1000


def test_a_month_with_hours_is_named_and_no_other(tmp_path: Path) -> None:
    """The set names the months that have hours; without a file there is none."""
    assert FACTORS.hourly_months == frozenset()
    assert laid(tmp_path, "aws,eu-west-1").hourly_months == {JUNE}


def test_an_hour_changes_the_grid_and_nothing_else(tmp_path: Path) -> None:
    """Hour by hour the grid is the user's; energy, embodied, water and their hours of the month stay."""
    rater = Rater(laid(tmp_path, "aws,eu-west-1"), Recipe())
    month, clean, dirty, noon = (rater(M5, period) for period in (JUNE, TEN, ELEVEN, NOON))
    assert [grams(each) for each in (month, clean, dirty, noon)] == pytest.approx([500, 100, 900, 500])
    assert [each.period for each in (month, clean, dirty, noon)] == ["2025-06", *map(str, (TEN, ELEVEN, NOON))]
    assert len({each.rate_id for each in (month, clean, dirty, noon)}) == 4
    assert {each.energy_kwh for each in (clean, dirty, noon)} == {month.energy_kwh}
    assert {each.embodied_kgco2e for each in (clean, dirty, noon)} == {month.embodied_kgco2e}
    assert [Assumption.GRID_HOUR_MISSING in each.assumptions for each in (month, clean, noon)] == [False, False, True]


@pytest.mark.parametrize("sku", [M5, NOWHERE, LICENCE])
def test_an_hour_that_makes_no_difference_has_the_rate_of_its_month(tmp_path: Path, sku: Sku) -> None:
    """Elsewhere, in another month, or where there is no figure, hour and month have one rate, whichever came first."""
    factors = laid(tmp_path, "aws,us-east-1")
    first, second = Rater(factors, Recipe()), Rater(factors, Recipe())
    hour, month = first(sku, TEN), first(sku, JUNE)
    assert (second(sku, JUNE), second(sku, TEN)) == (month, hour)
    assert hour == month
    july = Hour(Month(2025, 7), 1, 0)
    assert Rater(laid(tmp_path, "aws,eu-west-1"), Recipe())(sku, july).period == "2025-07"


def test_what_overrides_the_grid_overrides_its_hours(tmp_path: Path) -> None:
    """A rate in kilograms, a grid of the recipe and the ccf profile know no hours."""
    factors = laid(tmp_path, "aws,eu-west-1")
    kilograms = UserRate("aws", "Hrs", meter="BoxUsage*", operational_kgco2e=Span.exactly(1.0), source="meter")
    energy = UserRate("aws", "Hrs", meter="BoxUsage*", it_kwh=Span.exactly(1.0), source="meter")
    for recipe in (
        Recipe(user_rates=(kilograms,)),
        Recipe(grid=(RegionValue("aws", "eu-west-1", 0.3),)),
        Recipe(profile=Profile.CCF),
    ):
        assert Rater(factors, recipe)(M5, TEN) == Rater(factors, recipe)(M5, JUNE)
    assert grams(Rater(factors, Recipe(user_rates=(energy,)))(M5, TEN)) == pytest.approx(100)


def test_copies_in_a_paired_region_follow_its_hours(tmp_path: Path) -> None:
    """Where only the region of the second copies has hours, the SKU has a rate of the hour, between both grids."""
    region = FACTORS.region("azure", "northeurope")
    assert region is not None
    assert region.paired is not None
    rater = Rater(laid(tmp_path, f"azure,{region.paired}"), Recipe())
    clean, dirty = rater(VAULT, TEN), rater(VAULT, ELEVEN)
    assert (clean.period, dirty.period) == (str(TEN), str(ELEVEN))
    assert grams(dirty) - grams(clean) == pytest.approx(800 / 2, rel=0.05), "half of the copies, at a PUE of its own"


def test_a_country_with_hours_gives_them_to_its_regions(tmp_path: Path) -> None:
    """Hours of a country or a grid area hold for the regions that have that grid."""
    assert grams(Rater(laid(tmp_path, ",IRL"), Recipe())(M5, ELEVEN)) == pytest.approx(900)


@pytest.mark.parametrize("hour", [TEN, NOON])
def test_the_explanation_of_an_hour_is_that_of_its_rate(tmp_path: Path, hour: Hour) -> None:
    """Explaining an hour gives the rate of the hour, and its arithmetic has that hour's number."""
    factors = laid(tmp_path, "aws,eu-west-1")
    told = explain(M5, hour, factors, Recipe())
    made = Rater(factors, Recipe())(M5, hour)
    assert told.rate == made
    (step,) = [each for each in told.steps if each.name == "operational_location_kgco2e"]
    assert step.value == made.operational_location_kgco2e
    terms = [term for each in told.steps for term in each.terms if term.name.startswith("lifecycle grid factor")]
    period = {TEN: "2025-06-03T10", NOON: "2025-06"}[hour]
    assert {term.text for term in terms} == {{TEN: "0.1", NOON: "0.5"}[hour]}
    assert {term.name for term in terms} == {f"lifecycle grid factor, delivered of eu-west-1 {hour}"}
    assert {term.factor_ids for term in terms} == {(f"user:own:aws:eu-west-1:{period}:lifecycle_delivered",)}
