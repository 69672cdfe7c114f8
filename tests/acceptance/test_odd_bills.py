"""Laws on bills that are odd and readable: what stands in for something missing carries a mark, and no line is lost."""

import gzip
import json
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from offgridflow.cli.main import run
from support.bench import Bench

from .test_hostile_bills import LINE, focus_text

PRICED = {"ConsumedQuantity": "", "ConsumedUnit": "", "PricingQuantity": "3", "PricingUnit": "Hours"}

PRICING = ("PricingQuantity", "PricingUnit")


def _json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, list[dict[str, object]]]:
    capsys.readouterr()
    assert run([*arguments, "--format", "json"]) == 0
    found: dict[str, list[dict[str, object]]] = json.loads(capsys.readouterr().out)
    return found


def test_a_priced_quantity_carries_its_mark(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where PricingQuantity stands in for a missing ConsumedQuantity, ledger, coverage and explain say so."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bill.csv"
    path.write_text(focus_text([{"PricingQuantity": "9", "PricingUnit": "Hours"}, PRICED], [*LINE, *PRICING]))
    bench.ingest(path)
    rows = bench.query(
        "SELECT consumed_quantity, list_contains(assumptions, 'unit_from_pricing'), total_kgco2e / consumed_quantity "
        "FROM emissions ORDER BY 1",
    )
    assert [row[:2] for row in rows] == [(Decimal(2), False), (Decimal(3), True)]
    assert rows[0][2] == pytest.approx(rows[1][2], rel=1e-12)
    ledger = ("--ledger", str(bench.uri))
    marks = {row["assumption"]: row["line_items"] for row in _json(capsys, "coverage", *ledger)["assumptions"]}
    assert marks["unit_from_pricing"] == 1
    assert marks["utilisation_default"] == 2
    explained = _json(capsys, "explain", *ledger)["skus"]
    shown = {sku["usage"]["consumed_quantity"]: sku["rate"]["assumptions"] for sku in explained}  # type: ignore[index]
    assert [quantity for quantity, found in shown.items() if "unit_from_pricing" in found] == [3]
    assert run(["coverage", *ledger]) == 0
    assert "unit_from_pricing" in capsys.readouterr().out


def test_a_bill_without_consumed_columns_is_marked_whole(bench: Bench, tmp_path: Path) -> None:
    """A bill that has the pricing pair alone is rated by it, and every rated row is marked."""
    columns = [name for name in (*LINE, *PRICING) if name not in {"ConsumedQuantity", "ConsumedUnit"}]
    path = tmp_path / "bill.csv"
    path.write_text(focus_text([PRICED, {**PRICED, "ChargePeriodStart": "2025-06-04T00:00:00Z"}], columns))
    bench.ingest(path)
    marked = bench.query("SELECT status, list_contains(assumptions, 'unit_from_pricing') FROM emissions")
    assert marked == [("estimated", True)] * 2


@pytest.mark.parametrize("packed", [False, True], ids=["csv", "parquet"])
def test_a_currency_is_one_whatever_its_case(bench: Bench, tmp_path: Path, packed: bool) -> None:  # noqa: FBT001
    """``usd`` and `` USD `` are one currency: one result, one row, money added up."""
    path = tmp_path / "bill.csv"
    path.write_text(focus_text([{}, {"BillingCurrency": "usd"}, {"BillingCurrency": " Usd "}]))
    if packed:
        with duckdb.connect() as con:
            read = f"read_csv('{path}', all_varchar = true)"
            con.execute(f"COPY (FROM {read}) TO '{tmp_path / 'bill.parquet'}' (FORMAT parquet)")
        path = tmp_path / "bill.parquet"
    (period,) = bench.ingest(path).periods
    assert (period.status, period.billing_currency, period.billed_cost) == ("committed", "USD", Decimal("0.75"))
    held = bench.query("SELECT billing_currency, billed_cost, line_items FROM emissions")
    assert held == [("USD", Decimal("0.75"), 3)]


def test_what_is_no_currency_is_quarantined(bench: Bench, tmp_path: Path) -> None:
    """A text too long for a code quarantines its line; a code that nobody knows is a currency of its own."""
    path = tmp_path / "bill.csv"
    path.write_text(focus_text([{}, {"BillingCurrency": "US dollars"}, {"BillingCurrency": "zzz"}]))
    result = bench.ingest(path)
    assert result.status == "ok"
    assert sum(period.line_items for period in result.periods) == 3
    assert bench.query("SELECT line_number, reason, billed_cost FROM quarantine") == [
        (3, "missing_currency", Decimal("0.25"))
    ]
    rows = bench.query("SELECT billing_currency, sum(billed_cost) FROM emissions GROUP BY 1 ORDER BY 1")
    assert rows == [("USD", Decimal("0.25")), ("ZZZ", Decimal("0.25"))]


def test_a_nul_byte_costs_one_line(bench: Bench, tmp_path: Path) -> None:
    """A record with a NUL byte, in quotes over two lines or not, is quarantined at its own line; all others go on."""
    head, *lines = focus_text([{"ResourceId": f"i-{number}"} for number in range(6)]).splitlines()
    lines[1] = lines[1].replace("i-1", "i-\0")
    lines[3] = lines[3].replace("i-3", '"two\nlines \0 ""quoted"", here"')
    path = tmp_path / "bill.csv"
    path.write_text("\n".join([head, *lines]) + "\n", newline="")
    result = bench.ingest(path)
    assert result.status == "ok"
    assert sum(period.line_items for period in result.periods) == 6
    held = bench.query("SELECT parse_filename(file), line_number, reason FROM quarantine ORDER BY 2")
    assert held == [("bill.csv", 3, "malformed_line"), ("bill.csv", 5, "malformed_line")]
    (excerpt,) = bench.query("SELECT DISTINCT value_excerpt FROM quarantine")[0]
    assert "NUL byte" in excerpt
    assert bench.query("SELECT resource_id FROM emissions ORDER BY 1") == [("i-0",), ("i-2",), ("i-4",), ("i-5",)]
    assert {period.status for period in bench.ingest(path).periods} == {"unchanged"}


def test_a_gzip_with_a_nul_byte_is_read_like_the_plain_file(bench: Bench, tmp_path: Path) -> None:
    """Packing changes nothing: the same line is quarantined."""
    text = focus_text([{}, {"ResourceId": "i-\0"}, {}])
    (tmp_path / "bill.csv.gz").write_bytes(gzip.compress(text.encode()))
    result = bench.ingest(tmp_path / "bill.csv.gz")
    assert result.status == "ok"
    assert bench.query("SELECT line_number, reason FROM quarantine") == [(3, "malformed_line")]
    assert bench.query("SELECT sum(line_items)::BIGINT FROM emissions") == [(2,)]
