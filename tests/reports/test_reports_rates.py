"""The rate card, the sensitivity, and the same use under another card."""

from collections.abc import Callable
from decimal import Decimal
from typing import cast

import duckdb
import pytest

from offgridflow.domain.errors import LedgerError, UsageError
from offgridflow.domain.model import Rate, Sku, SkuAttributes, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import CoverageBucket, Method, NotEstimatedReason, Status
from offgridflow.reports import whatif
from offgridflow.reports.rates import rate_card, sensitivity
from offgridflow.reports.swap import Swap
from offgridflow.reports.totals import report
from offgridflow.reports.whatif import RERATED, rerate, what_if

Con = duckdb.DuckDBPyConnection
MakeRow = Callable[..., dict[str, object]]
Add = Callable[..., None]

SKU = Sku("aws", "Amazon EC2", None, "ABC", "BoxUsage:m5.large", None, "Hours", "us-east-1", "m5 hour")


def put_rate(con: Con, rate_id: str, meter: str, central: float, swings: list[tuple[str, float, float]]) -> None:
    """Add a rate to the view that stands for the ledger's."""
    groups = [{"group": group, "low_kgco2e": low, "high_kgco2e": high} for group, low, high in swings]
    con.execute(
        "INSERT INTO rates BY NAME SELECT ? AS rate_id, '2025-06' AS period, 'aws' AS provider, 'EC2' AS service_name, "
        "? AS sku_meter, 'us-east-1' AS region_id, 'estimated' AS status, ? AS total_kgco2e_central, ? AS swings",
        [rate_id, meter, central, groups],
    )


def test_the_card_lists_each_rate_once_and_filters(empty: Con) -> None:
    """Rates stand in the order of their meters; keys, the empty value and a search narrow them; others are refused."""
    put_rate(empty, "r2", "b-meter", 2.0, [])
    put_rate(empty, "r1", "a-meter", 1.0, [])
    put_rate(empty, "r1", "a-meter", 1.0, [])
    assert [rate["rate_id"] for rate in rate_card(empty).rates] == ["r1", "r2"]
    assert [rate["rate_id"] for rate in rate_card(empty, {"sku_meter": "b-meter"}).rates] == ["r2"]
    assert len(rate_card(empty, {"sku_id": ""}).rates) == 2
    assert [rate["rate_id"] for rate in rate_card(empty, search="A-MET").rates] == ["r1"]
    assert rate_card(empty, search="%").rates == ()
    with pytest.raises(UsageError, match="not a key that rates know"):
        rate_card(empty, {"colour": "red"})


def test_the_worked_case_of_ranges(empty: Con, make_row: MakeRow, add: Add) -> None:
    """T = 100, falls 26/11/9/5/1, rises 48/12/11/20/8: 69.93 to 155.07, envelope 48 to 199."""
    falls, rises = (26, 11, 9, 5, 1), (48, 12, 11, 20, 8)
    groups = ("power", "utilisation", "memory", "pue", "grid")
    swings = [(group, 10 - fall / 10, 10 + rise / 10) for group, fall, rise in zip(groups, falls, rises, strict=True)]
    put_rate(empty, "r1", "m", 10.0, swings)
    add(empty, *(make_row(kg=20.0, kwh=1.0, consumed_quantity=Decimal(2)) for _ in range(5)))
    found = sensitivity(empty)
    assert found.total_kgco2e == 100
    assert found.low is not None
    assert found.high is not None
    assert (round(found.low, 2), round(found.high, 2)) == (Decimal("69.93"), Decimal("155.07"))
    assert found.envelope is not None
    assert [round(side, 9) for side in found.envelope] == [48, 199]
    assert found.groups[0]["group"] == "power"


def test_a_group_that_falls_when_it_rises_still_has_low_below_high(empty: Con, make_row: MakeRow, add: Add) -> None:
    """A utilisation whose low raises the figure per unit counts as a rise, never as a negative fall."""
    put_rate(empty, "r1", "m", 10.0, [("utilisation", 13.0, 8.0)])
    add(empty, make_row(kg=10.0, kwh=1.0))
    (group,) = sensitivity(empty).groups
    assert (group["low_kgco2e"], group["high_kgco2e"]) == (8, 13)


def test_without_estimates_there_is_no_sensitivity(empty: Con) -> None:
    """Nothing estimated, nothing claimed."""
    assert sensitivity(empty).to_json() == {
        "total_kgco2e": None,
        "range_kgco2e": {"low": None, "high": None},
        "envelope_kgco2e": None,
        "groups": [],
    }


def flat(sku: Sku, month: Month) -> Rate:
    """Rate everything but unknown regions at 1 kg per unit, in Stockholm at 0.25 kg."""
    unknown = sku.region_id in {None, "mars-1"}
    kilogram = 0.25 if sku.region_id == "eu-north-1" else 1.0
    return Rate(
        rate_id=f"{sku.region_id}",
        sku=sku,
        period=str(month),
        status=Status.NOT_ESTIMATED if unknown else Status.ESTIMATED,
        reason=NotEstimatedReason.UNKNOWN_REGION if unknown else None,
        method=None if unknown else Method.INSTANCE,
        coverage_bucket=CoverageBucket.PHYSICAL_NOT_ESTIMATED if unknown else CoverageBucket.SKU,
        energy_kwh=None if unknown else Span.exactly(2.0),
        total_kgco2e=None if unknown else Span(kilogram / 2, kilogram, kilogram * 2),
    )


@pytest.fixture
def mixed(empty: Con, make_row: MakeRow, add: Add) -> Con:
    """Three units in Virginia, one in an unknown region, a missing and a negative quantity, and a tax."""
    add(
        empty,
        make_row(kg=9.0, kwh=9.0, consumed_quantity=Decimal(3)),
        make_row(kg=9.0, kwh=9.0, region_id=None),
        make_row(kg=9.0, kwh=9.0, consumed_quantity=None),
        make_row(kg=9.0, kwh=9.0, consumed_quantity=Decimal(-1)),
        make_row(charge_class="tax", status="excluded", reason="tax", billed_cost=Decimal(7)),
    )
    return empty


def test_rating_anew_keeps_money_and_lines_and_gives_reasons(mixed: Con) -> None:
    """Only known, non-negative quantities of rated SKUs have an impact; the rest has a reason; the tax stays a tax."""
    assert not any(sku.is_moved for sku in rerate(mixed, flat))
    found = report(mixed, ["status", "reason"], view=RERATED)
    rows = {row["reason"]: row for row in found.rows}
    assert rows[None]["total_kgco2e"] == 3
    assert set(rows) == {None, "unknown_region", "quantity_missing", "negative_net_quantity"}
    assert {row["total_kgco2e"] for reason, row in rows.items() if reason} == {None}
    assert found.total[0]["billed_cost"] == report(mixed).total[0]["billed_cost"]
    assert found.excluded == report(mixed).excluded
    assert report(mixed).impact_total["total_kgco2e"] == 36


def test_what_if_shows_the_difference_that_the_change_alone_makes(mixed: Con) -> None:
    """Three units moved to Stockholm emit a quarter; what has no figure on one side has no difference."""
    found = what_if(mixed, flat, Swap(region=("us-east-1", "eu-north-1")), ["region_id"])
    (virginia, unknown) = found.rows()
    assert (virginia["total_kgco2e_before"], virginia["total_kgco2e_after"]) == (3, Decimal("0.75"))
    assert virginia["total_kgco2e_difference"] == Decimal("-2.25")
    assert virginia["energy_kwh_difference"] == 0
    assert unknown["total_kgco2e_difference"] is None
    assert found.changed_skus == 1


def test_use_that_would_have_no_rate_is_no_saving(mixed: Con, make_row: MakeRow, add: Add) -> None:
    """Three units moved to where nothing is known: no total after, no difference, and how much is missing, and why."""
    add(mixed, make_row(kg=9.0, kwh=9.0, region_id="eu-west-1", consumed_quantity=Decimal(2)))
    found = what_if(mixed, flat, Swap(region=("us-east-1", "mars-1")), ["region_id"])
    rows = {row["region_id"]: row for row in found.rows()}
    lost = rows["us-east-1"]
    assert (lost["total_kgco2e_before"], lost["total_kgco2e_without_rate"]) == (3, 3)
    for name in ("total_kgco2e", "energy_kwh"):
        assert (lost[f"{name}_after"], lost[f"{name}_difference"]) == (None, None)
    assert (rows["eu-west-1"]["total_kgco2e_difference"], rows["eu-west-1"]["total_kgco2e_without_rate"]) == (0, 0)
    told = found.to_json()
    total = cast("dict[str, object]", told["impact_total"])
    assert (total["total_kgco2e_before"], total["total_kgco2e_after"]) == (5, None)
    assert (total["total_kgco2e_difference"], total["total_kgco2e_without_rate"]) == (None, 3)
    assert told["without_rate"] == [{"reason": "unknown_region", "skus": 1, "total_kgco2e_before": 3}]
    assert [move.rate_reason for move in found.moves] == ["unknown_region"]


def test_use_that_gains_a_rate_is_no_increase(mixed: Con) -> None:
    """Where only the change makes use known, both totals stand and their difference does not."""
    found = what_if(mixed, flat, Swap(region=("*", "eu-north-1")), ["region_id"])
    rows = {row["region_id"]: row for row in found.rows()}
    assert rows["us-east-1"]["total_kgco2e_difference"] == Decimal("-2.25")
    assert rows[None]["total_kgco2e_after"] == Decimal("0.25")
    total = cast("dict[str, object]", found.to_json()["impact_total"])
    assert (total["total_kgco2e_before"], total["total_kgco2e_after"]) == (3, 1)
    assert total["total_kgco2e_difference"] is None
    assert found.without_rate == ()


def test_an_empty_ledger_can_be_rated(empty: Con) -> None:
    """No activities, no rates, no figures."""
    assert rerate(empty, flat) == ()
    assert report(empty, view=RERATED).rows == ()


def test_skus_that_cannot_be_told_apart_are_refused(mixed: Con, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two SKUs under one hash would share a rate, so that nothing is rated."""
    monkeypatch.setattr(whatif, "_KEY", "0::UBIGINT")
    with pytest.raises(LedgerError, match="same 64-bit hash"):
        rerate(mixed, flat)


@pytest.mark.parametrize(
    ("swap", "field", "expected"),
    [
        (Swap(region=("us-east-1", "eu-north-1")), "region_id", "eu-north-1"),
        (Swap(region=("*", "eu-north-1")), "region_id", "eu-north-1"),
        (Swap(region=("eu-west-1", "eu-north-1")), "region_id", "us-east-1"),
        (Swap(family=("m5", "m7g")), "sku_meter", "BoxUsage:m7g.large"),
        (Swap(family=("m", "c")), "sku_meter", "BoxUsage:m5.large"),
        (Swap(storage=("Standard", "Glacier")), "sku_meter", "BoxUsage:m5.large"),
    ],
)
def test_a_swap_changes_what_it_fits_and_nothing_else(swap: Swap, field: str, expected: str) -> None:
    """Whole families and regions are compared, not parts of names; a changed SKU loses id and description."""
    changed = swap(SKU)
    assert getattr(changed, field) == expected
    assert (changed.sku_id is None) is (changed != SKU)
    assert (changed.description is None) is (changed != SKU)


def test_a_known_attribute_decides_over_the_meter() -> None:
    """Where the bill names instance type or storage class, that is what is swapped."""
    typed = Sku("gcp", "GCE", None, None, "N2 core", None, "h", "r", None, SkuAttributes(instance_type="n2-standard-4"))
    assert Swap(family=("n2", "n2d"))(typed).attributes.instance_type == "n2d-standard-4"
    assert Swap(family=("n1", "n2d"))(typed) == typed
    stored = Sku("aws", "S3", None, None, "TimedStorage", None, "h", "r", None, SkuAttributes(storage_class="STANDARD"))
    assert Swap(storage=("STANDARD", "GLACIER"))(stored).attributes.storage_class == "GLACIER"
