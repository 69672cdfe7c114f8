"""Coverage: nothing leaves the denominator, shares add up, omissions are shown and never added."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb

from offgridflow.domain.reasons import CoverageBucket
from offgridflow.methodology.user import SpendRow
from offgridflow.reports.coverage import BUCKET_MEANINGS, TOP, coverage

Con = duckdb.DuckDBPyConnection
MakeRow = Callable[..., dict[str, object]]
Add = Callable[..., None]


def test_golden_buckets_are_those_made_by_hand(golden: Con) -> None:
    """15.15 of 25.00 in A, 4.85 in B, 5.00 in E, zero in C, D and F; headline 20/25."""
    found = coverage(golden)
    shares = {row["coverage_bucket"]: row["cost_share"] for row in found.buckets}
    assert shares == {
        "A": Decimal("0.606"),
        "B": Decimal("0.194"),
        "C": Decimal(0),
        "D": Decimal(0),
        "E": Decimal("0.2"),
        "F": Decimal(0),
    }
    assert {row["coverage_bucket"]: row["total_kgco2e"] for row in found.buckets}["E"] is None
    assert found.headlines == (
        {"billing_currency": "USD", "headline": Decimal("0.8"), "physical_cost": Decimal("25.00")},
    )
    assert found.line_headline == Decimal("0.4")


def test_what_is_not_physical_is_shown_but_is_not_in_the_headline(golden: Con, make_row: MakeRow, add: Add) -> None:
    """A licence changes the buckets' shares and leaves (A+B)/(A..E) as it was."""
    add(golden, make_row(status="not_estimated", reason="licence", coverage_bucket="F", billed_cost=Decimal(75)))
    found = coverage(golden)
    assert found.headlines[0]["headline"] == Decimal("0.8")
    assert {row["coverage_bucket"]: row["cost_share"] for row in found.buckets}["F"] == Decimal("0.75")


def test_shares_of_every_list_add_up_to_one_per_currency(golden: Con, make_row: MakeRow, add: Add) -> None:
    """Buckets and statuses each add up to exactly 1 in every currency, by cost and by lines."""
    add(
        golden,
        *(make_row(kg=1.0, kwh=1.0, billing_currency="EUR", billed_cost=Decimal(1), coverage_bucket=b) for b in "ABC"),
    )
    found = coverage(golden)
    for rows in (found.buckets, found.statuses):
        for currency in ("EUR", "USD"):
            own = [row for row in rows if row["billing_currency"] == currency]
            for name in ("cost_share", "line_share"):
                parts: list[Any] = [row[name] for row in own]
                assert sum(parts) == 1


def test_shares_of_no_cost_are_unknown(empty: Con, make_row: MakeRow, add: Add) -> None:
    """Where nothing costs anything, shares by cost are null in every bucket, and shares by lines are known."""
    add(empty, make_row(kg=1.0, kwh=1.0, billed_cost=Decimal(0)))
    found = coverage(empty)
    assert {row["cost_share"] for row in found.buckets} == {None}
    assert [row["line_share"] for row in found.buckets] == [1, 0, 0, 0, 0, 0]
    assert found.headlines[0]["headline"] is None


def test_every_reason_is_listed_with_its_money_and_lines(golden: Con) -> None:
    """What was not estimated stands with its reason, bucket, cost and lines."""
    (row,) = coverage(golden).reasons
    assert (row["reason"], row["coverage_bucket"], row["cost"], row["line_items"]) == (
        "request_priced",
        "E",
        Decimal("5.00"),
        60,
    )


def test_the_dearest_twenty_of_e_are_listed(empty: Con, make_row: MakeRow, add: Add) -> None:
    """The list holds the twenty dearest SKUs of bucket E, dearest first, with their unit and reason."""
    add(
        empty,
        *(
            make_row(
                status="not_estimated",
                reason="unknown_meter",
                coverage_bucket="E",
                sku_meter=f"meter-{index:02d}",
                billed_cost=Decimal(index),
            )
            for index in range(TOP + 5)
        ),
    )
    top = coverage(empty).top_not_estimated
    assert [row["cost"] for row in top] == [Decimal(index) for index in range(24, 4, -1)]
    assert {row["reason"] for row in top} == {"unknown_meter"}


def test_renaming_a_tenth_of_the_cost_lowers_coverage_by_that_tenth(
    empty: Con,
    make_row: MakeRow,
    add: Add,
) -> None:
    """SKUs that nobody knows cannot leave the denominator: coverage falls by exactly their share of cost."""
    known = [make_row(kg=1.0, kwh=1.0, sku_meter=f"m{index}", billed_cost=Decimal(1)) for index in range(9)]
    add(empty, *known, make_row(kg=1.0, kwh=1.0, sku_meter="m9", billed_cost=Decimal(1)))
    assert coverage(empty).headlines[0]["headline"] == 1
    empty.execute(
        "UPDATE emissions SET sku_meter = 'zzz', status = 'not_estimated', reason = 'unknown_meter', "
        "coverage_bucket = 'E', total_kgco2e = NULL WHERE sku_meter = 'm9'",
    )
    assert coverage(empty).headlines[0]["headline"] == Decimal("0.9")


def test_possible_omission_is_cost_times_median_and_enters_no_total(
    empty: Con,
    make_row: MakeRow,
    add: Add,
) -> None:
    """3 USD of E at a median of 2 kg per USD over SKUs of 1, 2 and 7 kg per USD could be 6 kg."""
    add(
        empty,
        *(make_row(kg=kg, kwh=1.0, sku_meter=f"m{kg}", billed_cost=Decimal(1)) for kg in (1.0, 2.0, 7.0)),
        make_row(status="not_estimated", reason="unknown_meter", coverage_bucket="E", billed_cost=Decimal(3)),
    )
    found = coverage(empty)
    assert found.omissions == (
        {
            "billing_currency": "USD",
            "cost": Decimal(3),
            "median_kgco2e_per_currency_unit": Decimal(2),
            "possible_kgco2e": Decimal(6),
        },
    )
    kilograms: list[Any] = [row["total_kgco2e"] for row in found.buckets if row["total_kgco2e"] is not None]
    assert sum(kilograms) == 10


def test_units_say_how_much_of_their_cost_is_well_rated(golden: Con, make_row: MakeRow, add: Add) -> None:
    """Each unit has its own headline, dearest unit first."""
    add(golden, make_row(kg=1.0, kwh=1.0, consumed_unit="GB-Mo", billed_cost=Decimal(30)))
    rows = coverage(golden).units
    assert [(row["consumed_unit"], row["headline"]) for row in rows] == [
        ("GB-Mo", Decimal(1)),
        ("Hours", Decimal("0.8")),
    ]


def test_an_empty_ledger_has_no_coverage(empty: Con) -> None:
    """Nothing is claimed about nothing."""
    found = coverage(empty)
    assert found.buckets == found.reasons == found.omissions == ()
    assert found.line_headline is None


def test_every_bucket_has_a_meaning() -> None:
    """The table for people names all six buckets."""
    assert set(BUCKET_MEANINGS) == set(CoverageBucket)


def test_spend_moves_cost_from_e_to_d_and_no_kilogram_into_any_list(golden: Con, make_row: MakeRow, add: Add) -> None:
    """With a factor per currency its E rows are D, apart and with range and source; other figures stay as they were."""
    for cost, currency in ((7, "EUR"), (-3, "USD"), (0, "USD")):
        unrated = {"status": "not_estimated", "reason": "unknown_service", "coverage_bucket": "E"}
        add(
            golden,
            make_row(billed_cost=Decimal(cost), billing_currency=currency, assumptions=["grid_country"], **unrated),
        )
    before = coverage(golden)
    found = coverage(golden, spend=[SpendRow("USD", 0.25, 0.5, 1.5, "own study 2025")])
    assert found.by_spend == (
        {
            "billing_currency": "USD",
            "cost": Decimal("5.00"),
            "line_items": 60,
            "spend_kgco2e": Decimal("2.5"),
            "spend_low_kgco2e": Decimal("1.25"),
            "spend_high_kgco2e": Decimal("7.5"),
            "kgco2e_per_currency_unit": Decimal("0.5"),
            "source": "own study 2025",
        },
    )
    assert (found.headlines, found.line_headline, found.statuses) == (
        before.headlines,
        before.line_headline,
        before.statuses,
    )
    usd = {row["coverage_bucket"]: row for row in found.buckets if row["billing_currency"] == "USD"}
    old = {row["coverage_bucket"]: row for row in before.buckets if row["billing_currency"] == "USD"}
    assert (usd["D"]["cost"], usd["D"]["total_kgco2e"]) == (Decimal("5.00"), None)
    assert (old["E"]["cost"], usd["E"]["cost"]) == (Decimal("5.00"), 0)
    assert [usd[each] for each in "ABC"] == [old[each] for each in "ABC"]
    eur = {row["coverage_bucket"]: row["cost"] for row in found.buckets if row["billing_currency"] == "EUR"}
    assert (eur["D"], eur["E"]) == (0, Decimal(7))
    marked = next(row for row in found.assumptions if row["assumption"] == "spend_mean")
    assert (marked["cost"], marked["total_kgco2e"]) == (Decimal("5.00"), None)
    assert before.by_spend == ()
    assert found.to_json()["by_spend"] == list(found.by_spend)


def test_a_currency_is_text_and_never_sql(golden: Con) -> None:
    """A currency with a quote in it is compared as it is written, and matches nothing."""
    assert coverage(golden, spend=[SpendRow("U'SD", 1.0, 1.0, 1.0, "x")]).by_spend == ()
