"""Laws on bills that are odd and readable: what stands in for something missing carries a mark, and no line is lost."""

import json
from decimal import Decimal
from pathlib import Path

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
