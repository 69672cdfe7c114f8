"""Laws of the cost after a change: prices that were paid, their range, and null with a reason where none was."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest

from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.reports.prices import PRICE_MEANINGS, NoPrice, PriceBasis, offer_of, paid
from offgridflow.reports.swap import Swap
from offgridflow.reports.whatif import WhatIf, what_if
from support.rates import kilogram

Con = duckdb.DuckDBPyConnection
MakeRow = Callable[..., dict[str, object]]
Add = Callable[..., None]

TO_STOCKHOLM = Swap(region=("us-east-1", "eu-north-1"))
STOCKHOLM = {"region_id": "eu-north-1", "sku_meter": "EUN1-BoxUsage:m5.large"}


@pytest.fixture
def use(make_row: MakeRow) -> Callable[..., dict[str, object]]:
    """Make a row of use: a quantity and what it cost."""

    def made(quantity: str, cost: str | None, **more: object) -> dict[str, object]:
        money = None if cost is None else Decimal(cost)
        return make_row(consumed_quantity=Decimal(quantity), billed_cost=money, **more)

    return made


def moved(con: Con, swap: Swap = TO_STOCKHOLM) -> WhatIf:
    """Return the what-if by region."""
    return what_if(con, kilogram, swap, ["region_id"])


def test_moved_use_costs_what_the_ledger_paid_there(empty: Con, add: Add, use: MakeRow) -> None:
    """10 h at 0.10 move to where hours cost 0.08: 1.00 becomes 0.80, and what stays there keeps its cost."""
    add(empty, use("10", "1.00"), use("50", "4.00", **STOCKHOLM))
    found = moved(empty)
    (virginia,) = [row for row in found.rows() if row["region_id"] == "us-east-1"]
    (stockholm,) = [row for row in found.rows() if row["region_id"] == "eu-north-1"]
    assert (virginia["cost_before"], virginia["cost_after"]) == (Decimal("1.00"), Decimal("0.80"))
    assert virginia["cost_difference"] == Decimal("-0.20")
    assert (stockholm["cost_before"], stockholm["cost_after"], stockholm["cost_moved"]) == (4, 4, 0)
    (total,) = found.cost_total
    assert (total["cost_before"], total["cost_after"], total["cost_without_price"]) == (5, Decimal("4.80"), 0)
    (move,) = found.moves
    assert move.price is not None
    assert (move.price.central, move.price.basis, move.reason) == (0.08, PriceBasis.PAID, None)


def test_a_price_is_a_median_with_the_least_and_the_most(empty: Con, add: Add, use: MakeRow) -> None:
    """Of 0.07, 0.08 and 0.12 in three months the middle one counts; low and high bound the cost after."""
    months = [datetime(2025, month, 1, tzinfo=UTC) for month in (4, 5, 6)]
    there = [
        use("100", cost, charge_period_start=month, **STOCKHOLM)
        for cost, month in zip(("7", "12", "8"), months, strict=True)
    ]
    add(empty, use("10", "1"), *there)
    (total,) = moved(empty).cost_total
    stays = 27
    assert [total[f"cost_after{side}"] for side in ("_low", "", "_high")] == [
        stays + Decimal("0.7"),
        stays + Decimal("0.8"),
        stays + Decimal("1.2"),
    ]


def test_no_price_is_null_with_its_reason_and_its_money(empty: Con, add: Add, use: MakeRow) -> None:
    """What nobody paid for there has no cost after, nor has a total that holds it; the rest is still told."""
    add(
        empty,
        use("10", "1.00"),
        use("5", "3.00", sku_meter="BoxUsage:m7i.large"),
        use("50", "4.00", **STOCKHOLM),
    )
    found = moved(empty)
    (total,) = found.cost_total
    assert total["cost_after"] is None
    assert total["cost_difference"] is None
    assert (total["cost_moved"], total["cost_without_price"]) == (4, 3)
    assert (total["cost_priced_before"], total["cost_priced_after"]) == (1, Decimal("0.8"))
    reasons = {move.before.sku_meter: move.to_json()["reason"] for move in found.moves}
    assert reasons == {"BoxUsage:m7i.large": NoPrice.NOT_IN_LEDGER, "BoxUsage:m5.large": None}


def test_another_currency_or_other_terms_are_no_price(empty: Con, add: Add, use: MakeRow) -> None:
    """A price in EUR or under a reservation says nothing of what an hour on demand costs in USD."""
    reserved = {"attributes": {"pricing_model": "reserved"}}
    add(
        empty,
        use("10", "1.00"),
        use("50", "4.00", billing_currency="EUR", **STOCKHOLM),
        use("50", "2.00", **STOCKHOLM, **reserved),
    )
    (move,) = moved(empty).moves
    assert (move.cost_after, move.reason) == (None, NoPrice.NOT_IN_LEDGER)


def test_effective_cost_counts_where_it_is_known(empty: Con, add: Add, use: MakeRow) -> None:
    """Use that a commitment paid is billed at 0; what it cost is its share of the commitment."""
    add(
        empty,
        use("10", "0", effective_cost=Decimal("0.60")),
        use("10", "0", effective_cost=Decimal("0.50"), **STOCKHOLM),
    )
    (total,) = moved(empty).cost_total
    assert (total["cost_before"], total["cost_after"]) == (Decimal("1.10"), Decimal("1.00"))


def test_another_size_of_the_same_machines_gives_a_price_by_size(empty: Con, add: Add, use: MakeRow) -> None:
    """An m6i.xlarge at 0.20 makes an m6i.large 0.10, and the price says how it was found."""
    add(empty, use("10", "2.00"), use("10", "2.00", sku_meter="BoxUsage:m6i.xlarge"))
    found = moved(empty, Swap(family=("m5", "m6i")))
    (move,) = found.moves
    assert move.price is not None
    assert (move.cost_after, move.price.basis) == (Decimal(1), PriceBasis.PAID_FOR_OTHER_SIZE)


def test_quantities_that_say_nothing_leave_the_cost_unknown(
    empty: Con, add: Add, use: MakeRow, make_row: MakeRow
) -> None:
    """Although its price is known, what was used how much of is not."""
    add(empty, make_row(consumed_quantity=None, billed_cost=Decimal(1)), use("10", "0.80", **STOCKHOLM))
    (move,) = moved(empty).moves
    assert (move.cost_after, move.reason) == (None, NoPrice.QUANTITY_UNKNOWN)


def test_nothing_that_changes_costs_what_it_cost(empty: Con, add: Add, use: MakeRow) -> None:
    """A change that fits nothing leaves every cost, and names no SKU."""
    add(empty, use("10", "1.00"), use("1", None))
    found = moved(empty, Swap(region=("atlantis-1", "eu-north-1")))
    (total,) = found.cost_total
    assert (total["cost_before"], total["cost_after"], total["cost_moved"]) == (1, 1, 0)
    assert found.moves == ()


def test_filters_and_days_narrow_the_money(empty: Con, add: Add, use: MakeRow) -> None:
    """Only the use that is asked about moves; its price may come from use outside of the question."""
    july = datetime(2025, 7, 1, tzinfo=UTC)
    add(empty, use("10", "1.00"), use("10", "3.00", charge_period_start=july), use("50", "4.00", **STOCKHOLM))
    found = what_if(
        empty, kilogram, TO_STOCKHOLM, ["month"], {"region_id": "us-east-1"}, date_from="2025-06", date_to="2025-06"
    )
    (row,) = found.rows()
    assert (row["cost_before"], row["cost_after"]) == (1, Decimal("0.80"))


def test_an_empty_ledger_has_no_prices(empty: Con) -> None:
    """Nothing paid, nothing known."""
    prices = paid(empty)
    assert (prices.exact, prices.by_size) == ({}, {})
    assert moved(empty).cost_total == ()


def sku(provider: str, meter: str, region: str, machine: str | None = None, operation: str | None = None) -> Sku:
    """Return a SKU of one service of machines."""
    return Sku(
        provider,
        "s",
        "AmazonEC2" if provider == "aws" else None,
        None,
        meter,
        operation,
        "h",
        region,
        None,
        SkuAttributes(instance_type=machine),
    )


@pytest.mark.parametrize(
    ("one", "other", "are_equal"),
    [
        (sku("aws", "EUN1-BoxUsage:m5.large", "r"), sku("aws", "BoxUsage:m5.large", "r"), True),
        (
            sku("aws", "$0.1 per Linux m5.large Instance Hour", "r"),
            sku("aws", "BoxUsage:m5.large", "r"),
            True,
        ),
        (sku("aws", "BoxUsage:m5.large", "r"), sku("aws", "SpotUsage:m5.large", "r"), False),
        (
            sku("aws", "BoxUsage:m5.large", "r", operation="RunInstances"),
            sku("aws", "BoxUsage:m5.large", "r", operation="RunInstances:0002"),
            False,
        ),
        (
            sku("aws", "EBS:VolumeUsage.gp3", "r", operation="CreateVolume-Gp2"),
            sku("aws", "EBS:VolumeUsage.gp3", "r", operation="CreateVolume-Gp3"),
            True,
        ),
        (
            sku("gcp", "N2 Instance Core running in Belgium", "r"),
            sku("gcp", "N2 Instance Core running in Finland", "r"),
            True,
        ),
        (
            sku("gcp", "N2D AMD Instance Core running in Belgium", "r", "n2d-standard-8"),
            sku("gcp", "N2 Instance Core running in Belgium", "r", "n2d-standard-4"),
            True,
        ),
        (
            sku("gcp", "Spot Preemptible N2 Instance Core running in Belgium", "r", "n2-standard-4"),
            sku("gcp", "N2 Instance Core running in Belgium", "r", "n2-standard-4"),
            False,
        ),
        (
            sku("azure", "Dsv5 Series - D4s v5", "r", "Standard_E4s_v5"),
            sku("azure", "Esv5 Series - E4s v5", "r", "Standard_E4s_v5"),
            True,
        ),
        (
            sku("azure", "Dsv5 Series Windows - D4s v5", "r", "Standard_E4s_v5"),
            sku("azure", "Esv5 Series - E4s v5", "r", "Standard_E4s_v5"),
            False,
        ),
        (
            sku("azure", "Esv5 Series - E4s v5 Spot", "r", "Standard_E4s_v5"),
            sku("azure", "Esv5 Series - E4s v5", "r", "Standard_E4s_v5"),
            False,
        ),
    ],
)
def test_one_offer_has_many_spellings_and_other_terms_are_another(one: Sku, other: Sku, *, are_equal: bool) -> None:
    """Region and price in a meter's name make no other offer; spot, licences and other machines do."""
    assert (offer_of(one) == offer_of(other)) is are_equal


@pytest.mark.parametrize(
    ("swap", "before", "after"),
    [
        (Swap(family=("Dsv5", "Easv5")), "Standard_D4s_v5", "Standard_E4as_v5"),
        (Swap(family=("D", "E")), "Standard_D4s_v5", "Standard_D4s_v5"),
        (Swap(family=("Dv3", "Dsv5")), "Standard_D2_v3", "Standard_D2s_v5"),
        (Swap(family=("Dsv5", "no series")), "Standard_D4s_v5", "Standard_D4s_v5"),
    ],
)
def test_a_series_of_azure_is_a_type_without_its_size(swap: Swap, before: str, after: str) -> None:
    """The number of vCPUs stays where it stands; another series, or what is none, changes nothing."""
    assert swap(sku("azure", "Dsv5 Series - D4s v5", "r", before)).attributes.instance_type == after


def test_a_series_of_google_stands_in_the_meter_where_no_type_is_known() -> None:
    """The series is the word before the instance's core or memory, and no other word of the meter."""
    changed = Swap(family=("n2", "n2d"))(sku("gcp", "N2 Instance Core running in N2", "r"))
    assert changed.sku_meter == "N2D Instance Core running in N2"
    assert Swap(family=("n2", "n2d"))(sku("gcp", "Storage PD Capacity", "r")).sku_meter == "Storage PD Capacity"


def test_every_basis_and_reason_has_a_meaning() -> None:
    """What an answer names, it explains."""
    assert set(PRICE_MEANINGS) == {*PriceBasis, *NoPrice}
