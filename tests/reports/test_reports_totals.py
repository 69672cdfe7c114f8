"""Totals against sums made by hand, and the laws that hold for any ledger."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from offgridflow.domain.errors import UsageError
from offgridflow.reports.figures import to_json
from offgridflow.reports.totals import Provenance, report

Con = duckdb.DuckDBPyConnection
MakeRow = Callable[..., dict[str, object]]
Add = Callable[..., None]


def _of(rows: tuple[Mapping[str, Any], ...], **keys: object) -> Mapping[str, Any]:
    found = [row for row in rows if all(row[name] == value for name, value in keys.items())]
    assert len(found) == 1
    return found[0]


def test_golden_totals_equal_the_sums_made_by_hand(golden: Con) -> None:
    """Impacts, money and lines of the golden ledger are those of its docstring, and excluded lines stay apart."""
    found = report(golden, ["service_name"])
    (total,) = found.total
    assert total["total_kgco2e"] == Decimal(7)
    assert total["total_low_kgco2e"] == Decimal("3.5")
    assert total["total_high_kgco2e"] == Decimal("10.5")
    assert total["operational_location_kgco2e"] == Decimal("5.25")
    assert total["embodied_kgco2e"] == Decimal("1.75")
    assert total["energy_kwh"] == Decimal(22)
    assert total["billed_cost"] == Decimal("25.00")
    assert total["line_items"] == 100
    assert found.excluded == {
        "credit": {"billing_currency": "USD", "line_items": 1, "billed_cost": Decimal("-2.50")},
        "tax": {"billing_currency": "USD", "line_items": 2, "billed_cost": Decimal("3.50")},
    }
    assert found.quarantined == {
        "unreadable_time": {"billing_currency": "USD", "line_items": 1, "billed_cost": Decimal("0.40")},
    }


def test_rows_stand_by_falling_footprint_with_the_unknown_last(golden: Con) -> None:
    """The largest footprint comes first and what could not be estimated last."""
    names = [row["service_name"] for row in report(golden, ["service_name"]).rows]
    assert names == ["Amazon S3", "Amazon EC2", "Amazon SQS"]


def test_rows_by_day_stand_in_time_order(golden: Con) -> None:
    """Time keys order the rows, whatever the footprints."""
    days = [row["day"] for row in report(golden, ["day"]).rows]
    assert days == ["2025-06-01", "2025-06-30"]


def test_an_unestimated_group_is_unknown_and_never_zero(golden: Con) -> None:
    """Every impact of a group with nothing estimated is null, with its money and lines intact."""
    row = _of(report(golden, ["service_name"]).rows, service_name="Amazon SQS")
    impacts = {name: value for name, value in row.items() if name.endswith(("kgco2e", "_kwh", "_l", "coverage"))}
    assert len(impacts) == 10
    assert set(impacts.values()) == {None}
    assert (row["billed_cost"], row["line_items"]) == (Decimal(5), 60)


def test_market_is_unknown_unless_known_for_every_estimated_row(golden: Con) -> None:
    """A market-based sum over unknown parts is null, and market_coverage says how much is known."""
    found = report(golden, ["service_name"])
    assert _of(found.rows, service_name="Amazon S3")["operational_market_kgco2e"] == Decimal("1.5")
    assert _of(found.rows, service_name="Amazon S3")["market_coverage"] == 1
    assert _of(found.rows, service_name="Amazon EC2")["operational_market_kgco2e"] is None
    assert _of(found.rows, service_name="Amazon EC2")["market_coverage"] == 0
    assert found.impact_total["operational_market_kgco2e"] is None
    assert found.impact_total["market_coverage"] == Decimal("0.571428571429")


def test_rows_that_are_not_estimated_do_not_hide_a_known_market_figure(empty: Con, make_row: MakeRow, add: Add) -> None:
    """Only estimated rows decide whether the market-based sum is known."""
    add(empty, make_row(kg=4.0, kwh=1.0, operational_market_kgco2e=0.0), make_row(status="not_estimated"))
    assert report(empty).impact_total["operational_market_kgco2e"] == 0


def test_water_is_the_known_part_with_its_coverage_beside(golden: Con) -> None:
    """Water is the sum of what is known; water_coverage is the share of energy for which it is known."""
    total = report(golden).impact_total
    assert (total["water_l"], total["water_coverage"]) == (Decimal(8), Decimal("0.727272727273"))


def test_coverage_shares_are_those_made_by_hand_and_add_up_to_one(golden: Con) -> None:
    """15.15, 4.85 and 5.00 of 25.00, and 36, 4 and 60 of 100 lines."""
    found = report(golden).coverage
    assert found == {
        "cost": {"estimated": Decimal("0.606"), "fallback": Decimal("0.194"), "not_estimated": Decimal("0.2")},
        "line_items": {"estimated": Decimal("0.36"), "fallback": Decimal("0.04"), "not_estimated": Decimal("0.6")},
    }


def test_cost_weight_is_the_larger_cost_and_never_negative(empty: Con, make_row: MakeRow, add: Add) -> None:
    """max(billed, effective, 0): a fully prepaid row weighs its effective cost, a negative one nothing."""
    add(
        empty,
        make_row(kg=1.0, kwh=1.0, billed_cost=Decimal(0), effective_cost=Decimal(3)),
        make_row(status="not_estimated", billed_cost=Decimal(1), effective_cost=None),
        make_row(status="fallback", billed_cost=Decimal(-9), effective_cost=Decimal(-1)),
    )
    assert report(empty).coverage["cost"] == {
        "estimated": Decimal("0.75"),
        "fallback": Decimal(0),
        "not_estimated": Decimal("0.25"),
    }


def test_an_empty_ledger_is_unknown_everywhere(empty: Con) -> None:
    """No rows, no total, null impacts and null shares: nothing is claimed about nothing."""
    found = report(empty, ["provider"], provenance=Provenance("set-1", 0))
    assert found.rows == found.total == ()
    assert set(found.impact_total.values()) == {None}
    nothing = dict.fromkeys(("estimated", "fallback", "not_estimated"))
    assert found.coverage == {"cost": nothing, "line_items": nothing}
    assert json.loads(to_json(found.to_json()))["factor_set"] == "set-1"


def test_currencies_are_never_added(golden: Con, make_row: MakeRow, add: Add) -> None:
    """Two currencies give two rows, two totals and null where one sum over both would stand; impacts do add."""
    add(
        golden,
        make_row(kg=3.0, kwh=1.0, billing_currency="EUR", billed_cost=Decimal(100)),
        make_row(billing_currency="EUR", charge_class="tax", status="excluded", reason="tax", billed_cost=Decimal(9)),
    )
    found = report(golden, ["provider", "billing_currency"])
    assert [(row["billing_currency"], row["billed_cost"]) for row in found.total] == [
        ("EUR", Decimal(100)),
        ("USD", Decimal(25)),
    ]
    assert len(found.rows) == 2
    assert found.impact_total["total_kgco2e"] == Decimal(10)
    assert found.excluded["tax"]["billed_cost"] is None
    assert found.excluded["tax"]["line_items"] == 3
    assert found.coverage["cost"] == dict.fromkeys(("estimated", "fallback", "not_estimated"))
    by_currency = found.coverage["cost_by_currency"]
    assert isinstance(by_currency, list)
    assert [part["estimated"] for part in by_currency] == [Decimal(1), Decimal("0.606")]


def test_days_are_utc_and_inclusive(golden: Con) -> None:
    """A charge at 23:00 UTC on 30 June is June and 30 June, whatever the session's time zone."""
    assert report(golden, date_from="2025-06-30", date_to="2025-06-30").total[0]["line_items"] == 12
    assert report(golden, date_from="2025-06", date_to="2025-06").total[0]["line_items"] == 100
    assert report(golden, date_from="2025-07").total == ()
    assert report(golden, date_to="2025-05-31").total == ()
    assert {row["month"] for row in report(golden, ["month"]).rows} == {"2025-06"}


def test_quarantine_is_unknown_where_a_filter_needs_what_a_line_does_not_tell(golden: Con) -> None:
    """Unreadable lines can be told apart by source and period only; else the answer is null, not nothing."""
    assert report(golden, where={"source": "aws/111"}).quarantined
    assert report(golden, where={"source": "other"}).quarantined == {}
    assert report(golden, where={"provider": "aws"}).quarantined is None
    assert report(golden, date_from="2025-06").quarantined is None
    golden.execute("DROP TABLE quarantine")
    assert report(golden).quarantined is None


def test_filters_match_exactly_and_empty_matches_the_unknown(golden: Con) -> None:
    """A filter keeps equal values; the empty value keeps rows where the key is unknown."""
    assert report(golden, where={"tag:team": "shop"}).total[0]["line_items"] == 24
    assert report(golden, where={"tag:team": ""}).total[0]["line_items"] == 76
    assert report(golden, where={"status": "fallback", "method": "storage"}).total[0]["line_items"] == 4
    assert report(golden, where={"provider": "AWS"}).total == ()


@pytest.mark.parametrize("value", ["x' OR 1=1 --", "x'; DROP TABLE emissions; --", '"', "\\", "%"])
def test_no_value_is_ever_read_as_sql(golden: Con, value: str) -> None:
    """Filter values and tag keys are bound, so that whatever they hold they match nothing and break nothing."""
    assert report(golden, where={"service_name": value}).total == ()
    assert report(golden, [f"tag:{value}"], where={f"tag:{value}": value}).rows == ()
    assert report(golden).total[0]["line_items"] == 100


@pytest.mark.parametrize("name", ["", "tag:", "colour", "provider; DROP TABLE emissions"])
def test_an_unknown_key_is_refused_with_the_known_ones(golden: Con, name: str) -> None:
    """A key that is not in the enum is a usage error that lists what is accepted."""
    with pytest.raises(UsageError, match="not a key that reports know") as error:
        report(golden, [name])
    assert "service_name" in error.value.action


@pytest.mark.parametrize("text", ["2025-13", "2025-06-31", "June", "2025", "2025-6", ""])
def test_a_strange_date_is_refused(golden: Con, text: str) -> None:
    """What is neither a month nor a day is a usage error that shows how to write one."""
    with pytest.raises(UsageError, match="not a month or a day"):
        report(golden, date_from=text)


def test_days_in_the_wrong_order_are_refused(golden: Con) -> None:
    """An empty interval is a mistake, not an empty report."""
    with pytest.raises(UsageError, match="before the first day"):
        report(golden, date_from="2025-07", date_to="2025-06")


def test_a_key_named_twice_counts_once(golden: Con) -> None:
    """Repeated keys and billing_currency give no second column."""
    found = report(golden, ["provider", "provider", "billing_currency"])
    assert found.keys == ("provider",)


def test_figures_do_not_depend_on_order_or_threads(empty: Con, make_row: MakeRow, add: Add) -> None:
    """Doubles whose binary sum depends on order give one and the same decimal sum."""
    kilograms = [0.1 + 0.7 * index / 3 for index in range(400)]
    rows = [make_row(kg=kilogram, kwh=kilogram / 7, resource_id=str(index)) for index, kilogram in enumerate(kilograms)]
    add(empty, *rows)
    first = report(empty, ["provider"]).rows
    empty.execute("CREATE TABLE turned AS SELECT * FROM emissions ORDER BY resource_id DESC")
    empty.execute("DROP TABLE emissions")
    empty.execute("ALTER TABLE turned RENAME TO emissions")
    empty.execute("SET threads = 1")
    assert report(empty, ["provider"]).rows == first


def test_every_row_and_total_has_low_central_high_in_order(empty: Con, make_row: MakeRow, add: Add) -> None:
    """Low <= central <= high survives rounding to decimals even where the three differ in the last bit only."""
    near = 0.1 + 2**-56
    add(empty, make_row(kg=0.1, kwh=1.0, total_low_kgco2e=0.1, total_high_kgco2e=near))
    found = report(empty, ["provider"])
    for row in (*found.rows, *found.total, found.impact_total):
        low, central, high = (row[name] for name in ("total_low_kgco2e", "total_kgco2e", "total_high_kgco2e"))
        assert isinstance(low, Decimal)
        assert isinstance(central, Decimal)
        assert isinstance(high, Decimal)
        assert low <= central <= high


def test_rows_sum_to_the_total_by_any_key(golden: Con, make_row: MakeRow, add: Add) -> None:
    """Grouping by any key splits the same total, to the last digit."""
    add(golden, make_row(kg=0.3, kwh=0.1, charge_period_start=datetime(2025, 5, 31, tzinfo=UTC), region_id=None))
    keys = ("provider", "region_id", "day", "status", "coverage_bucket", "instance_type", "tag:team", "resource_id")
    whole = report(golden).total[0]
    for key in keys:
        rows = report(golden, [key]).rows
        for measure in ("billed_cost", "line_items"):
            parts: list[Any] = [row[measure] for row in rows]
            assert sum(parts) == whole[measure], key
        kilograms: list[Any] = [row["total_kgco2e"] for row in rows if row["total_kgco2e"] is not None]
        assert sum(kilograms) == whole["total_kgco2e"], key
