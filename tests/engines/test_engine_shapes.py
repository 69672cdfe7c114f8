"""The same bill in every shape that exporters give it: nested, dotted, translated, differing between parts."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offgridflow.engines.model import Grain, Part
from support.aggregating import csv_part, outcome, parquet_part, read_table, write_table

FIXTURES = Path(__file__).parents[1] / "formats" / "fixtures"


def _cur2_parquet(path: Path, product: str, tags: str) -> Path:
    source = FIXTURES / "aws_cur2.csv"
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT * REPLACE ({product} AS product, {tags} AS resource_tags, "
            f"line_item_unblended_cost::DOUBLE AS line_item_unblended_cost, "
            f"try_cast(line_item_usage_amount AS DOUBLE) AS line_item_usage_amount, "
            f"bill_billing_period_start_date::TIMESTAMP AS bill_billing_period_start_date) "
            f"FROM read_csv('{source}', all_varchar = true)) TO '{path}' (FORMAT parquet)",
        )
    return path


def test_maps_may_be_maps_lists_of_pairs_or_json(tmp_path: Path) -> None:
    """``product`` and ``resource_tags`` of a CUR 2.0 as MAP, as list of key-value pairs and as text give equal rows."""
    grain = Grain(tag_keys=("team",))
    text = outcome([csv_part(FIXTURES / "aws_cur2.csv")], tmp_path, grain=grain)
    as_map = "from_json(COLUMN, '\"MAP(VARCHAR, VARCHAR)\"')::MAP(VARCHAR, VARCHAR)"
    as_list = f"list_transform(map_entries({as_map}), lambda e: {{'key': e.key, 'value': e.value}})"
    for number, shape in enumerate((as_map, as_list, "COLUMN")):
        product, tags = (shape.replace("COLUMN", name) for name in ("product", "resource_tags"))
        path = _cur2_parquet(tmp_path / f"{number}.parquet", product, tags)
        assert outcome([parquet_part(path)], tmp_path, grain=grain).figures == text.figures
    known = {(row["attributes"]["vcpu"], row["attributes"]["memory_gib"]) for row in text.activities}
    assert (2.0, 8.0) in known
    assert {"Amazon Elastic Compute Cloud", "Amazon Simple Storage Service"} == {
        row["service_name"] for row in text.activities
    }


def test_legacy_and_new_report_agree(tmp_path: Path) -> None:
    """The same lines as CUR 2.0 and as legacy CUR give the same rows, beside the account name the old one lacks."""
    new = outcome([csv_part(FIXTURES / "aws_cur2.csv")], tmp_path)
    old = outcome([csv_part(FIXTURES / "aws_cur_legacy.csv")], tmp_path)
    assert old.raw_totals == new.raw_totals
    for row in (*new.activities, *old.activities):
        row["sub_account_name"] = None
    assert sorted(map(repr, old.activities)) == sorted(map(repr, new.activities))


def test_legacy_headers_of_athena_are_the_same_columns(tmp_path: Path) -> None:
    """``lineItem/UsageAmount`` and ``line_item_usage_amount`` are one column."""
    table = read_table(FIXTURES / "aws_cur_legacy.csv")
    plain = outcome([csv_part(FIXTURES / "aws_cur_legacy.csv")], tmp_path)
    header = [
        "".join(f"_{c.lower()}" if c.isupper() else c for c in name).replace("/_", "_").replace("/", "_")
        for name in table[0]
    ]
    assert "line_item_usage_amount" in header
    found = outcome([csv_part(write_table(tmp_path / "athena.csv", [header, *table[1:]]))], tmp_path)
    assert found.figures == plain.figures


def test_commitments_are_spread_over_the_usage_they_cover(tmp_path: Path) -> None:
    """Effective cost: covered usage at its effective price, fees at what was not used, negations at nothing."""
    found = outcome([csv_part(FIXTURES / "aws_cur2.csv")], tmp_path)
    by_class: dict[str, Decimal] = {}
    for row in found.activities:
        by_class[row["charge_class"]] = by_class.get(row["charge_class"], Decimal(0)) + row["effective_cost"]
    assert by_class["commitment_negation"] == 0
    assert by_class["commitment_fee"] == Decimal("0.25") + Decimal("2.5")
    assert by_class["tax"] == Decimal("12.34")


def test_parts_may_differ_in_columns(tmp_path: Path) -> None:
    """Parts of one delivery with other columns, in another order, add up as if they were one."""
    table = read_table(FIXTURES / "aws_cur_legacy.csv")
    gone = table[0].index("product/memory")
    lean = [[cell for n, cell in enumerate(row) if n != gone][::-1] for row in (table[0], *table[9:])]
    parts = [
        csv_part(write_table(tmp_path / "a.csv", table[:9])),
        csv_part(write_table(tmp_path / "b.csv", lean)),
    ]
    found = outcome(parts, tmp_path)
    plain = outcome([csv_part(FIXTURES / "aws_cur_legacy.csv")], tmp_path)
    assert found.raw_totals == plain.raw_totals
    assert found.lines == plain.lines
    assert found.quarantine == []


def test_google_export_as_nested_parquet_and_json_lines(tmp_path: Path) -> None:
    """The records of BigQuery (structs, repeated labels and credits) give the rows of the dotted CSV."""
    grain = Grain(tag_keys=("team",))
    plain = outcome([csv_part(FIXTURES / "gcp_billing.csv")], tmp_path, grain=grain)
    records = [_nested(row) for row in _dicts(FIXTURES / "gcp_billing.csv")]
    lines = tmp_path / "bill.json"
    lines.write_text("\n".join(json.dumps(record) for record in records))
    columns = tuple(name for name in _dicts(FIXTURES / "gcp_billing.csv")[0])
    part = Part(lines, lines.name, "json", "json", len(records), columns)
    assert outcome([part], tmp_path, grain=grain).figures == plain.figures
    parquet = tmp_path / "bill.parquet"
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT * REPLACE (usage_start_time::TIMESTAMPTZ AS usage_start_time) "
            f"FROM read_json('{lines}', sample_size=-1, map_inference_threshold=-1)) TO '{parquet}' (FORMAT parquet)",
        )
    nested = Part(parquet, parquet.name, "parquet", "parquet", len(records), columns)
    assert outcome([nested], tmp_path, grain=grain).figures == plain.figures
    credit = [row for row in plain.activities if row["charge_class"] == "credit"]
    assert sum(row["billed_cost"] for row in credit) == Decimal("-0.375005")
    assert sum(row["line_items"] for row in credit) == 0


def _dicts(path: Path) -> list[dict[str, str]]:
    header, *rows = read_table(path)
    return [dict(zip(header, row, strict=True)) for row in rows]


def _nested(row: dict[str, str]) -> dict[str, object]:
    record: dict[str, object] = {}
    for name, cell in row.items():
        place = record
        *path, last = name.split(".")
        for step in path:
            place = place.setdefault(step, {})  # type: ignore[assignment]
        if last in {"labels", "system_labels", "credits"}:
            value: object = json.loads(cell.replace("'", '"').replace("None", "null"))
        elif last in {"cost", "amount", "amount_in_pricing_units"}:
            value = float(cell) if cell else None
        else:
            value = cell or None
        place[last] = value
    return record


def test_offsets_of_times_are_applied(tmp_path: Path) -> None:
    """``10:00+02:00`` is eight o'clock UTC; DuckDB's plain TIMESTAMP cast would drop the offset."""
    found = outcome([csv_part(FIXTURES / "gcp_billing.csv")], tmp_path, grain=Grain(period="hour"))
    assert dt.datetime(2025, 2, 3, 8, tzinfo=dt.UTC) in {row["charge_period_start"] for row in found.activities}


def test_translated_azure_headers_are_understood(tmp_path: Path) -> None:
    """German column names with the English one in parentheses are the English columns."""
    table = read_table(FIXTURES / "azure_cost.csv")
    german = [f"Spalte {n} ({name})" for n, name in enumerate(table[0])]
    plain = outcome([csv_part(FIXTURES / "azure_cost.csv")], tmp_path)
    assert (
        outcome([csv_part(write_table(tmp_path / "de.csv", [german, *table[1:]]))], tmp_path).figures == plain.figures
    )


def test_semicolons_separate_as_well(tmp_path: Path) -> None:
    """A part says its delimiter."""
    table = read_table(FIXTURES / "azure_cost.csv")
    path = tmp_path / "semicolon.csv"
    path.write_text("\n".join(";".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in table))
    part = Part(path, path.name, "x", "csv", len(table) - 1, tuple(table[0]), ";")
    assert outcome([part], tmp_path).figures == outcome([csv_part(FIXTURES / "azure_cost.csv")], tmp_path).figures


def test_line_ends_of_two_kinds_in_one_file(tmp_path: Path) -> None:
    """A file whose lines end in CRLF and in LF (glued exports) is read whole."""
    plain = outcome([csv_part(FIXTURES / "azure_cost.csv")], tmp_path)
    text = (FIXTURES / "azure_cost.csv").read_text().split("\n")
    path = tmp_path / "glued.csv"
    path.write_bytes(("\r\n".join(text[:5]) + "\n" + "\n".join(text[5:])).encode())
    assert outcome([csv_part(path)], tmp_path).figures == plain.figures


def test_last_column_without_values_is_void(tmp_path: Path) -> None:
    """Where every record lacks the last named column, the records are whole."""
    table = read_table(FIXTURES / "focus.csv")
    path = write_table(tmp_path / "bill.csv", [[*table[0], "x_Never"], *table[1:]])
    assert outcome([csv_part(path)], tmp_path).figures == outcome([csv_part(FIXTURES / "focus.csv")], tmp_path).figures


def test_capacity_that_is_held_and_not_used_is_told_from_machines(tmp_path: Path) -> None:
    """Azure bills it on the reservation: lines of such a resource, in both formats of Azure, are no machine's."""
    place = "/subscriptions/1/providers/Microsoft.Compute/capacityReservationGroups/g/capacityReservations"
    for name, line in (("azure_cost", 1), ("focus", 5)):
        header, *lines = read_table(FIXTURES / f"{name}.csv")
        at = header.index("ResourceId")
        machine = lines[line - 1]
        held = [f"{place}/c" if n == at else cell for n, cell in enumerate(machine)]
        found = outcome([csv_part(write_table(tmp_path / f"{name}.csv", [header, machine, held]))], tmp_path)
        assert {row["attributes"]["deployment"]: row["line_items"] for row in found.activities} == {
            None: 1,
            "capacity_reservation": 1,
        }


def test_amortised_azure_cost_fills_effective_cost_alone(tmp_path: Path) -> None:
    """An export that spreads reservations is known by its lines, and its money is effective, not billed."""
    table = read_table(FIXTURES / "azure_cost.csv")
    cost, model, kind = (table[0].index(name) for name in ("Cost", "PricingModel", "ChargeType"))
    rows = [list(row) for row in table[1:] if not (row[kind] == "Purchase" and row[model] == "Reservation")]
    spread = [[*row[:cost], "0.11", *row[cost + 1 :]] if row[model] == "Reservation" else row for row in rows]
    found = outcome([csv_part(write_table(tmp_path / "amortised.csv", [table[0], *spread]))], tmp_path)
    assert found.money_column == "effective_cost"
    assert {row["billed_cost"] for row in found.activities} == {None}
    assert found.money() == sum(row[4] for row in found.raw_totals)


_AMOUNTS = st.one_of(
    st.floats(min_value=-1e9, max_value=1e9, allow_nan=False, allow_subnormal=False),
    st.decimals(min_value=-(10**6), max_value=10**6, places=10).map(float),
    st.floats(min_value=-2.0, max_value=2.0, allow_nan=False),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(amounts=st.lists(_AMOUNTS, min_size=1, max_size=60))
def test_a_double_means_its_shortest_spelling(tmp_path: Path, amounts: list[float]) -> None:
    """Any doubles in Parquet, and the same numbers as CSV writers spell them, add up to the same decimal."""
    header = ["BillingCurrency", "BillingAccountId", "ProviderName", "BillingPeriodStart", "ChargePeriodStart"]
    header += ["ChargeCategory", "BilledCost"]
    rows = [["USD", "1", "AWS", "2025-01-01", "2025-01-02", "Usage", repr(amount)] for amount in amounts]
    text = outcome([csv_part(write_table(tmp_path / "bill.csv", [header, *rows]))], tmp_path)
    path = tmp_path / "bill.parquet"
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE t ({', '.join(f'{name} VARCHAR' for name in header[:-1])}, BilledCost DOUBLE)")
        con.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?)", [[*row[:-1], float(row[-1])] for row in rows])
        con.execute(f"COPY t TO '{path}' (FORMAT parquet)")
    assert outcome([parquet_part(path)], tmp_path).figures == text.figures


def _focus_units(tmp_path: Path, **cells: str) -> tuple[object, object, object]:
    """Return quantity, unit and region of one FOCUS line whose named cells hold these texts."""
    header, line, *_ = read_table(FIXTURES / "focus.csv")
    changed = {**dict(zip(header, line, strict=True)), **cells}
    found = outcome([csv_part(write_table(tmp_path / "line.csv", [list(changed), list(changed.values())]))], tmp_path)
    (row,) = found.activities
    return row["consumed_quantity"], row["consumed_unit"], row["region_id"]


def test_focus_never_reads_a_quantity_in_the_unit_of_another(tmp_path: Path) -> None:
    """Law: 2 consumed and 0.02 x 100 Hours priced are 2 Hours or 0.02 x 100 Hours, never 2 x 100 Hours."""
    priced = {"PricingQuantity": "0.02", "PricingUnit": "100 Hours"}
    both = Decimal(2), "Hours", "eu-west-1"
    pricing = Decimal("0.02"), "100 Hours", "eu-west-1"
    assert _focus_units(tmp_path, ConsumedQuantity="2", ConsumedUnit="Hours", **priced) == both
    assert _focus_units(tmp_path, ConsumedQuantity="2", ConsumedUnit="NULL", **priced) == pricing
    assert _focus_units(tmp_path, ConsumedQuantity="NULL", ConsumedUnit="Hours", **priced) == pricing
    alone = _focus_units(
        tmp_path, ConsumedQuantity="2", ConsumedUnit="NULL", PricingQuantity="NULL", PricingUnit="Hours"
    )
    assert alone == (Decimal(2), None, "eu-west-1")


def test_focus_takes_the_name_of_a_region_that_has_no_id(tmp_path: Path) -> None:
    """Oracle writes RegionName alone; a region id is never passed over for it."""
    assert _focus_units(tmp_path, RegionId="NULL", RegionName="us-phoenix-1")[2] == "us-phoenix-1"
    assert _focus_units(tmp_path, RegionName="us-phoenix-1")[2] == "eu-west-1"
