"""The worked cases of methodology.md section 8, to all the digits given."""

import math

import pytest

from offgridflow.domain.reasons import Group
from offgridflow.methodology import embodied
from offgridflow.methodology.calibration import Published, RowKey, spread_cell
from offgridflow.methodology.coefficients import Settings, settings_of
from offgridflow.methodology.compute import Watts, spread_of, watts_of_machine
from offgridflow.methodology.ranges import Spread, combined, envelope, spans
from offgridflow.methodology.recipe import Recipe

from .conftest import SmallSet

HALF = 0.5
HOURS_4Y, HOURS_6Y = 35_040, 52_560


@pytest.fixture
def settings(small_set: SmallSet) -> Settings:
    """Settings of the small set under the default recipe."""
    return settings_of(small_set, Recipe())


def _watts(small_set: SmallSet, settings: Settings, provider: str, name: str) -> Watts:
    machine = small_set.machine(provider, name)
    assert machine is not None
    processor = small_set.processor(machine.processor)
    assert processor is not None
    return watts_of_machine(machine, processor, None, settings)


def _low_watts(watts: Watts, settings: Settings) -> float:
    return watts.at((1.0, 1.0, 1.0), HALF, settings.memory_w_per_gb.central)


def test_case_1_m5_large(small_set: SmallSet, settings: Settings) -> None:
    """m5.large in us-east-1: watts S and central, energy, direct, delivered and embodied grams of an hour."""
    watts = _watts(small_set, settings, "aws", "m5.large")
    low = _low_watts(watts, settings)
    assert low == pytest.approx(6.4407, abs=5e-5)
    kwh = low / 1000 * 1.15
    assert kwh == pytest.approx(0.00740679, abs=5e-9)
    assert kwh * 270.489 == pytest.approx(2.00346, abs=5e-6)
    assert kwh * 270.489 * (392.89 / 349.667) / 0.958 == pytest.approx(2.34980, abs=5e-6)
    assert spread_of(watts, settings).central == pytest.approx(9.5296, abs=5e-5)
    machine = small_set.machine("aws", "m5.large")
    assert machine is not None
    kg = embodied.machine_kg(machine, None, settings)
    assert kg == pytest.approx(33.558, abs=5e-4)
    assert kg / HOURS_4Y * 1000 == pytest.approx(0.95771, abs=5e-6)
    assert kg * settings.per_hour.central * 1000 == pytest.approx(0.63847, abs=5e-6)
    assert settings.per_hour.central == pytest.approx(1 / HOURS_6Y)


def test_case_2_s3_standard(settings: Settings) -> None:
    """1,000 GB-months of S3 Standard in a month of 720 hours, three copies: IT energy and lifecycle grams."""
    kwh = 1.073741824 * settings.wh_per_tbh["hdd"].central * 720 * 3 / 1000
    assert kwh == pytest.approx(1.507534, abs=5e-7)
    assert kwh * 1.11 * 256.54 == pytest.approx(429.284, abs=5e-4)


def test_case_3_egress(settings: Settings) -> None:
    """1,024 GiB out of us-central1: energy at the meter and direct grams."""
    kwh = 1024 * 1.073741824 * settings.kwh_per_gb["internet_egress"].central * 1.11
    assert kwh == pytest.approx(1.220458, abs=5e-7)
    assert kwh * 420.277 == pytest.approx(512.930, abs=5e-4)


def test_case_4_d4s_v5(small_set: SmallSet, settings: Settings) -> None:
    """D4s v5 in westeurope: watts S, energy, grams and embodied grams over four years."""
    low = _low_watts(_watts(small_set, settings, "azure", "D4sv5"), settings)
    assert low == pytest.approx(13.8092, abs=5e-5)
    kwh = low / 1000 * 1.14
    assert kwh == pytest.approx(0.0157425, abs=5e-8)
    assert kwh * 253.56 == pytest.approx(3.99167, abs=5e-6)
    machine = small_set.machine("azure", "D4sv5")
    assert machine is not None
    kg = embodied.machine_kg(machine, None, settings)
    assert kg == pytest.approx(55.889, abs=5e-4)
    assert kg / HOURS_4Y * 1000 == pytest.approx(1.59501, abs=5e-6)


def test_case_5_calibration() -> None:
    """A cell's figures spread over its rows; a support cell without rows stays with the provider; sum 185."""
    cell = Published(scope_1=2, scope_2_location=120, scope_2_market=0, scope_3_location=60)
    rows = (RowKey("A", 100, 11), RowKey("B", 300, 19), RowKey("C", None, None))
    first, second, third = spread_cell(cell, rows)
    assert (first.location_kg, second.location_kg, third.location_kg) == (52.5, 129.5, None)
    assert (first.scope_2_market, second.scope_2_market) == (0.0, 0.0)
    (support,) = spread_cell(Published(0, 3, 0, 0), ())
    assert (support.name, support.location_kg) == ("provider_unallocated", 3)
    assert 52.5 + 129.5 + 3 == 185


def test_case_6_ranges() -> None:
    """Falls and rises combine as roots of sums of squares; the envelope adds them."""
    falls, rises = (26, 11, 9, 5, 1), (48, 12, 11, 20, 8)
    span = combined(100, falls, rises)
    assert span.low == pytest.approx(69.93, abs=5e-3)
    assert span.high == pytest.approx(155.07, abs=5e-3)
    assert envelope(100, falls, rises) == (48, 199)


def test_case_6_through_a_spread() -> None:
    """The spread that rating uses gives the same ends as the formula."""
    groups = (Group.POWER, Group.UTILISATION, Group.MEMORY, Group.PUE, Group.GRID)
    falls, rises = (26, 11, 9, 5, 1), (48, 12, 11, 20, 8)
    moves = {group: (-float(fall), float(rise)) for group, fall, rise in zip(groups, falls, rises, strict=True)}
    span = spans(Spread(100, 48, 199, moves))
    assert span.low == pytest.approx(100 - math.sqrt(904))
    assert span.high == pytest.approx(100 + math.sqrt(3033))


def test_a_negative_figure_is_spread_with_its_sign() -> None:
    """A provider's correction below zero goes to the rows by their keys, and a cell without figures gives none."""
    rows = (RowKey("A", 1, 1), RowKey("B", 3, 1))
    first, second = spread_cell(Published(0, -4, None, 0), rows)
    assert (first.scope_2_location, second.scope_2_location) == (-1, -3)
    assert first.market_kg is None
    assert all(row.location_kg is None for row in spread_cell(None, rows))
