"""The providers' own figures: compared, spread, stated beside ours, and never counted twice or mixed in."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.domain.errors import UsageError
from offgridflow.reports.calibrate import SPREAD_FIGURES, calibrate, settled
from offgridflow.reports.figures import to_json, total_of
from offgridflow.reports.inventory import inventory
from offgridflow.reports.inventory_page import records_of, to_html, to_markdown
from offgridflow.reports.reconcile import WHY_MEANINGS, Why, reconcile
from offgridflow.reports.reported import REPORTED_COLUMNS

Con = duckdb.DuckDBPyConnection
MakeRow = Callable[..., dict[str, object]]
Add = Callable[..., None]
CELL = {
    "source": "aws-report",
    "month": "2025-06",
    "provider": "aws",
    "sub_account_id": "222",
    "region_id": "us-east-1",
    "service_name": "Amazon EC2",
    "model_version": "v3.0.0",
}


def publish(con: Con, **figures: object) -> None:
    """Add a published row to the view that stands for the ledger's."""
    columns = ", ".join(f"{name} {kind}" for name, kind in REPORTED_COLUMNS.items())
    con.execute(f"CREATE TABLE IF NOT EXISTS reported_emissions ({columns})")
    values = {**CELL, **figures}
    marks = ", ".join(["?"] * len(REPORTED_COLUMNS))
    con.execute(f"INSERT INTO reported_emissions VALUES ({marks})", [values.get(name) for name in REPORTED_COLUMNS])


def kilograms(**figures: float) -> dict[str, object]:
    """Return figures by their short names as columns."""
    return {f"{name}_kgco2e": Decimal(str(value)) for name, value in figures.items()}


@pytest.fixture
def worked(empty: Con, make_row: MakeRow, add: Add) -> Con:
    """The worked calibration case: A 100 kWh and 11 kg, B 300 kWh and 19 kg, C no estimate; a support cell of 3 kg."""
    known = {"operational_direct_kgco2e": 1.0}
    a = make_row(kg=12.0, kwh=200.0, resource_id="A", operational_upstream_kgco2e=8.0, embodied_kgco2e=3.0, **known)
    b = make_row(kg=20.0, kwh=600.0, resource_id="B", operational_upstream_kgco2e=9.0, embodied_kgco2e=10.0, **known)
    add(empty, a, b, make_row(resource_id="C", status="not_estimated", reason="unknown_meter", coverage_bucket="E"))
    publish(empty, **kilograms(scope_1=2, scope_2_location=120, scope_2_market=0, scope_3_location=60))
    publish(
        empty,
        service_name="AWS Support",
        **kilograms(scope_1=0, scope_2_location=3, scope_2_market=0, scope_3_location=0),
    )
    return empty


def test_the_worked_case_of_the_methodology_to_the_last_digit(worked: Con) -> None:
    """A 52.5, B 129.5, C null, unallocated 3, sum 185; market-based scope 2 is 0 and 0."""
    found = calibrate(worked)
    by_name = {(row["resource_id"], row["state"]): row for row in found.rows}
    assert by_name["A", "calibrated"]["location_kgco2e"] == Decimal("52.5")
    assert by_name["B", "calibrated"]["location_kgco2e"] == Decimal("129.5")
    assert by_name["C", "calibrated"]["location_kgco2e"] is None
    assert by_name[None, "provider_unallocated"]["location_kgco2e"] == 3
    known: list[Any] = [row["location_kgco2e"] for row in found.rows if row["location_kgco2e"] is not None]
    assert sum(known) == 185
    assert (
        by_name["A", "calibrated"]["scope_2_market_kgco2e"] == by_name["B", "calibrated"]["scope_2_market_kgco2e"] == 0
    )
    assert by_name["A", "calibrated"]["market_kgco2e"] is None
    assert found.total["scope_2_location_kgco2e"] == 123
    assert '"calibrated": true' in to_json(found.to_json())


figures = st.decimals(Decimal(-(10**9)), Decimal(10**9), places=6)
keys = st.lists(st.none() | st.floats(0, 1e9), min_size=1, max_size=20)


@given(figures, keys)
def test_settled_parts_add_up_to_the_figure_exactly(figure: Decimal, weights: list[float | None]) -> None:
    """Whatever a double loses, the parts of a published figure add up to it to the last digit."""
    total = sum(weight for weight in weights if weight is not None)
    parts = [None if weight is None or not total else float(figure) * weight / total for weight in weights]
    made = settled(parts, figure)
    known = [part for part in made if part is not None]
    assert [part is None for part in made] == [part is None for part in parts]
    if known:
        assert total_of(made) == figure


def test_use_without_a_published_cell_is_uncalibrated_and_outside_the_total(
    worked: Con, make_row: MakeRow, add: Add
) -> None:
    """No official row: the row is listed as uncalibrated with null figures, and the totals stay the published ones."""
    before = calibrate(worked).total
    add(worked, make_row(kg=5.0, kwh=5.0, region_id="eu-west-1", resource_id="D"))
    found = calibrate(worked)
    (row,) = [row for row in found.rows if row["state"] == "uncalibrated"]
    assert {row[name] for name in SPREAD_FIGURES} == {None}
    assert row["estimate_kgco2e"] == 5
    assert found.total == before


def test_a_published_zero_is_zero_and_flagged(worked: Con) -> None:
    """An official figure of 0 gives 0 on every row with a key, marked below_rounding; null stays null."""
    worked.execute("DELETE FROM reported_emissions")
    publish(worked, **kilograms(scope_1=0, scope_2_location=0, scope_3_location=0))
    rows = calibrate(worked).rows
    assert {row["state"] for row in rows} == {"below_rounding"}
    assert [row["location_kgco2e"] for row in rows] == [0, 0, None]
    assert {row["scope_2_market_kgco2e"] for row in rows} == {None}


def test_a_negative_figure_is_spread_with_its_sign(worked: Con) -> None:
    """A provider's correction lowers every row by its share."""
    worked.execute("DELETE FROM reported_emissions")
    publish(worked, **kilograms(scope_1=0, scope_2_location=-40, scope_3_location=0))
    assert [row["scope_2_location_kgco2e"] for row in calibrate(worked).rows] == [-10, -30, None]


def test_a_report_by_resource_goes_to_that_resource_alone(worked: Con) -> None:
    """Azure reports resources: a resource's own cell is its own, the method of scope 2 stays unspecified."""
    worked.execute("DELETE FROM reported_emissions")
    publish(worked, resource_id="A", **kilograms(scope_1=1, scope_2_unspecified=7, scope_3_location=2))
    rows = {row["resource_id"]: row for row in calibrate(worked).rows}
    assert rows["A"]["scope_2_unspecified_kgco2e"] == 7
    assert rows["A"]["location_kgco2e"] is None
    assert rows["B"]["state"] == "uncalibrated"


def test_two_model_versions_of_a_month_never_both_count(worked: Con) -> None:
    """The newest model version of a source, account and month counts alone; v10 is newer than v3."""
    publish(worked, model_version="v10.0.0", **kilograms(scope_2_location=500))
    assert calibrate(worked).total["scope_2_location_kgco2e"] == 500
    assert reconcile(worked).totals[0]["model_versions"] == ["v10.0.0"]


def test_reconcile_compares_like_with_like(worked: Con) -> None:
    """Direct against scope 2 location; a cell that only one side has says so and is in no ratio."""
    found = reconcile(worked)
    rows = {row["service_name"]: row for row in found.rows}
    compute, support = rows["Amazon EC2"], rows["AWS Support"]
    assert compute["estimate_direct_kgco2e"] == 2
    assert compute["reported_scope_2_location_kgco2e"] == 120
    assert compute["direct_ratio"] == Decimal("0.016666666667")
    assert compute["direct_difference_kgco2e"] == -118
    assert compute["reasons"] == ["market_zero", "partly_estimated"]
    assert support["reasons"] == ["not_estimated", "market_zero"]
    assert support["direct_ratio"] is None
    (total,) = found.totals
    assert (total["cells"], total["cells_only_reported"]) == (1, 1)
    assert total["reported_scope_2_location_kgco2e"] == 120


def test_a_service_code_in_the_report_is_the_bills_service(worked: Con, make_row: MakeRow, add: Add) -> None:
    """Providers report codes; a code that the bill knows is that service, so that no cell stands twice."""
    add(worked, make_row(kg=1.0, kwh=1.0, service_code="AmazonEC2", operational_direct_kgco2e=1.0))
    worked.execute("UPDATE reported_emissions SET service_name = 'AMAZONec2' WHERE service_name = 'Amazon EC2'")
    assert {row["service_name"] for row in reconcile(worked).rows} == {"Amazon EC2", "AWS Support"}


def test_reasons_follow_from_the_cell(worked: Con, make_row: MakeRow, add: Add) -> None:
    """Unreported use, unknown boundary, rounding to zero, unspecified method, corrections and near ratios are named."""
    add(
        worked,
        make_row(kg=9.0, kwh=9.0, service_name="Unreported"),
        make_row(kg=9.0, kwh=9.0, service_name="Tiny"),
        make_row(kg=9.0, kwh=9.0, service_name="Near", operational_direct_kgco2e=6.0),
    )
    publish(worked, service_name="Tiny", **kilograms(total_location=0, total_market=-1, scope_2_unspecified=0))
    publish(worked, service_name="Near", **kilograms(scope_2_location=5))
    reasons = {row["service_name"]: row["reasons"] for row in reconcile(worked).rows}
    assert reasons["Unreported"] == ["not_reported"]
    assert reasons["Tiny"] == ["method_unspecified", "negative_correction", "boundary_unknown", "below_rounding"]
    assert reasons["Near"] == ["overhead"]
    assert set(WHY_MEANINGS) == set(Why)


def test_coarser_cells_and_months(worked: Con) -> None:
    """Fewer keys add cells up; months cut; wrong keys and months are refused."""
    (row,) = reconcile(worked, keys=("provider",)).rows
    assert row["reported_scope_2_location_kgco2e"] == 123
    assert reconcile(worked, "2025-07").rows == ()
    with pytest.raises(UsageError, match="cannot be reconciled"):
        reconcile(worked, keys=("provider", "day"))
    with pytest.raises(UsageError, match="not a month"):
        reconcile(worked, "2025-06-01")


def test_without_a_report_everything_is_unreported(golden: Con) -> None:
    """A ledger without provider reports reconciles to not_reported and calibrates nothing."""
    assert {tuple(row["reasons"]) for row in reconcile(golden).rows} == {("not_reported",)}  # type: ignore[arg-type]
    assert {row["state"] for row in calibrate(golden).rows} == {"uncalibrated"}


def test_the_inventory_holds_both_totals_and_never_adds_them(golden: Con) -> None:
    """Location 7; market-based 1.5 + 1 known for S3 and location for the rest; the share that is known is printed."""
    golden.execute("UPDATE emissions SET total_market_kgco2e = operational_market_kgco2e + embodied_kgco2e")
    found = inventory(golden, 2025)
    head = found.scope_3_category_1
    assert head["location_based_kgco2e"] == 7
    assert head["market_based_kgco2e"] == Decimal("5.5")
    assert head["market_filled_with_location_kgco2e"] == 3
    assert head["market_coverage"] == Decimal("0.454545454545")
    assert head["embodied_kgco2e"] == Decimal("1.75")
    assert head["location_based_low_kgco2e"] == Decimal("3.5")
    assert found.months == ("2025-06",)
    assert len(found.missing_months) == 11


def test_the_parts_of_a_provider_add_up_whatever_the_factors_split(golden: Con, make_row: MakeRow, add: Add) -> None:
    """One row's factors split 2 kg into 1.5 direct and 0.5 upstream; the 5.25 kg of the others stay in one figure."""
    split = {"operational_direct_kgco2e": 1.5, "operational_upstream_kgco2e": 0.5}
    add(golden, make_row(kg=2.0, kwh=1.0, provider="aws", operational_location_kgco2e=2.0, **split))
    add(golden, make_row(provider="oracle"))
    aws, *_, oracle = inventory(golden, 2025).by_provider
    assert aws["operational_direct_kgco2e"] == Decimal("1.5")
    assert aws["operational_upstream_kgco2e"] == Decimal("0.5")
    assert aws["operational_unsplit_kgco2e"] == aws["operational_location_kgco2e"] - 2  # type: ignore[operator]
    assert oracle["operational_unsplit_kgco2e"] is None


def test_esrs_datapoints_are_tonnes_and_zero_outside_of_scope_3(golden: Con) -> None:
    """Scope 1 and 2 are 0 from cloud use, Scope 3 is in tonnes, what needs revenue is null."""
    values = {(row["paragraph"], row["datapoint"]): row["value"] for row in inventory(golden, 2025).datapoints}
    assert values["E1-6 44(c), 51", "Gross Scope 3, category 1"] == Decimal("0.007")
    assert values["E1-6 44(a), 48(a)", "Gross Scope 1"] == 0
    assert values["E1-6 53-55", "Intensity per net revenue"] is None
    assert values["E1-6 AR 46(g)", "Share of Scope 3 from primary data"] == 0


def test_sci_is_location_based_plus_embodied_per_unit(golden: Con) -> None:
    """(5.25 + 1.75) kg per 1,000 requests; units of 0 and impossible years are refused."""
    found = inventory(golden, 2025, Decimal(1000), "request").intensity
    assert found is not None
    assert found["sci_kgco2e_per_unit"] == Decimal("0.007")
    for year, units in ((2025, Decimal(0)), (0, None)):
        with pytest.raises(UsageError):
            inventory(golden, year, units)


def test_provider_figures_stand_beside_and_enter_no_total(worked: Con) -> None:
    """The provider's scopes are listed; our totals are as they are without them; primary data counts its provider."""
    found = inventory(worked, 2025)
    assert found.scope_3_category_1["location_based_kgco2e"] == 32
    assert found.reported[0]["scope_2_location_kgco2e"] == 123
    assert found.datapoints[-1]["value"] == 1


def test_an_empty_year_claims_nothing(golden: Con) -> None:
    """A year without use has null totals, and says which months are missing."""
    found = inventory(golden, 2024)
    assert found.scope_3_category_1["location_based_kgco2e"] is None
    assert len(found.missing_months) == 12
    assert "Nothing was estimated." in to_markdown(found)


def test_pages_hold_the_figures_and_run_nothing(golden: Con, make_row: MakeRow, add: Add) -> None:
    """Markdown and HTML state totals, offsets and exclusions; a name from a bill is text in both."""
    add(golden, make_row(kg=1.0, kwh=1.0, provider="<script>x|y", charge_period_start=datetime(2025, 7, 1, tzinfo=UTC)))
    found = inventory(golden, 2025, Decimal(10), "<b>")
    markdown, html = to_markdown(found), to_html(found)
    assert "| location-based total | 8 |" in markdown
    assert "&lt;script>x\\|y" in markdown
    assert "<script" not in html
    assert "&lt;script&gt;x|y" in html
    assert html.count("<table>") >= 6
    for page in (markdown, html):
        assert "Carbon offsets" in page
        assert "provider scope 1" in page
    assert to_json(found.to_json()).count('"location_based_kgco2e": 8') == 1
    assert {row["part"] for row in records_of(found)} == {"scope_3_category_1", "by_provider", "esrs_e1"}


def test_charges_in_two_currencies_are_two_rows_of_the_page(golden: Con, make_row: MakeRow, add: Add) -> None:
    """What is known per currency is stated per currency, and never as unknown."""
    add(
        golden,
        make_row(charge_class="tax", status="excluded", reason="tax", billing_currency="EUR", billed_cost=Decimal(9)),
    )
    page = to_markdown(inventory(golden, 2025))
    assert "| tax | 2 | 3.5 | USD |" in page
    assert "| tax | 1 | 9 | EUR |" in page
