"""Laws on real bills: conservation, idempotence, and figures that do not depend on packing."""

import csv
import gzip
import random
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import duckdb
import pytest

from offgridflow.pipeline.model import IngestOptions
from support.bench import Bench, money_of

pytestmark = pytest.mark.inputs

KEPT = Decimal("1e-15")
"""The places to which a line's money is kept."""


@pytest.fixture
def sample(inputs: Path) -> Path:
    """The real FOCUS 1.0 sample of 1,000 lines."""
    return inputs / "focus" / "focus-1.0-sample.csv"


def _rows(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.reader(lines))


def _write(path: Path, rows: list[list[str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as lines:
        csv.writer(lines).writerows(rows)
    return path


def test_the_focus_sample_is_conserved(bench: Bench, sample: Path) -> None:
    """Lines sum to those of the file, money to its exact sum, and all three providers are there."""
    result = bench.ingest(sample)
    head, *rows = _rows(sample)
    cost = head.index("BilledCost")
    assert result.status == "ok"
    assert sum(period.line_items for period in result.periods) == len(rows) == 1000
    assert money_of(result) == sum((Decimal(row[cost]) for row in rows), Decimal(0))
    assert {period.provider for period in result.periods} == {"aws", "azure", "oracle"}
    (held,) = bench.query("SELECT sum(line_items)::BIGINT, sum(billed_cost) FROM emissions")
    assert held == (1000, money_of(result))


def test_a_second_ingest_changes_nothing(bench: Bench, sample: Path) -> None:
    """The same file again is unchanged in every period, and the ledger's digest stays."""
    bench.ingest(sample)
    before = bench.digest()
    again = bench.ingest(sample)
    assert {period.status for period in again.periods} == {"unchanged"}
    later = bench.ingest(sample, options=IngestOptions(first_period="2024-10"))
    assert {(period.billing_period, period.status) for period in later.periods} == {("2024-10", "unchanged")}
    assert bench.digest() == before


def _shuffled(sample: Path, folder: Path) -> list[Path]:
    head, *rows = _rows(sample)
    random.Random(7).shuffle(rows)  # noqa: S311 - a fixed order is wanted
    return [_write(folder / "shuffled.csv", [head, *rows])]


def _gzipped(sample: Path, folder: Path) -> list[Path]:
    path = folder / "packed.csv.gz"
    path.write_bytes(gzip.compress(sample.read_bytes()))
    return [path]


def _parquet(sample: Path, folder: Path) -> list[Path]:
    path = folder / "columns.parquet"
    with duckdb.connect() as con:
        con.execute(
            f"COPY (SELECT * REPLACE (BilledCost::DECIMAL(38,12) AS BilledCost) "
            f"FROM read_csv('{sample}', all_varchar=true, nullstr='NULL')) TO '{path}' (FORMAT parquet)",
        )
    return [path]


def _split(sample: Path, folder: Path) -> list[Path]:
    head, *rows = _rows(sample)
    return [_write(folder / f"part{number}.csv", [head, *rows[number::3]]) for number in range(3)]


def _reordered(sample: Path, folder: Path) -> list[Path]:
    rows = _rows(sample)
    return [_write(folder / "reordered.csv", [row[::-1] for row in rows])]


@pytest.mark.parametrize(
    "repack", [_shuffled, _gzipped, _parquet, _split, _reordered], ids=lambda maker: maker.__name__
)
def test_packing_does_not_change_a_figure(
    benches: Callable[[str], Bench], sample: Path, tmp_path: Path, repack: Callable[[Path, Path], list[Path]]
) -> None:
    """Shuffled, gzipped, as Parquet, split in three or with columns reversed: equal to the last digit."""
    plain, other = benches("plain"), benches("other")
    first = plain.ingest(sample)
    second = other.ingest(*repack(sample, tmp_path))
    assert other.digest() == plain.digest()
    totals = [[(p.source, p.billing_period, p.billed_cost, p.total_kgco2e) for p in r.periods] for r in (first, second)]
    assert totals[0] == totals[1]


def test_the_legacy_reports_ingest_or_say_why_not(bench: Bench, inputs: Path) -> None:
    """The CSV and its gzip copy count once, a header alone is no error, and no line is lost."""
    folder = inputs / "aws" / "legacy-cur"
    result = bench.ingest(folder)
    failed = {period.error.code for period in result.periods if period.error}
    assert failed <= {"SHRINK", "OVERLAP"}, result
    assert any("duplicate_part" in note for note in result.notes)
    assert any("empty_frame.csv: no lines" in note for note in result.notes)
    csv_rows = {path.name: len(_rows(path)) - 1 for path in folder.glob("*.csv")}
    assert sum(period.line_items for period in result.periods) == sum(csv_rows.values())


@pytest.mark.parametrize("name", ["EA_ActualCost_Small.csv", "EA_AmortizedCost_Small.csv"])
def test_azure_exports_are_conserved(bench: Bench, inputs: Path, name: str) -> None:
    """A real EA export keeps every line, and the sum of its cost column as kept to 15 decimals a line."""
    path = inputs / "azure" / "ea-export" / name
    with path.open(newline="", encoding="utf-8-sig") as lines:
        rows = list(csv.DictReader(lines))
    result = bench.ingest(path)
    assert result.status == "ok"
    assert sum(period.line_items for period in result.periods) == len(rows)
    column = "CostInBillingCurrency" if "CostInBillingCurrency" in rows[0] else "Cost"
    assert money_of(result) == sum((Decimal(row[column]).quantize(KEPT, ROUND_HALF_UP) for row in rows), Decimal(0))


def test_estimates_have_a_range_and_shares_add_up(bench: Bench, sample: Path) -> None:
    """No impact is NaN, infinite or negative; low <= central <= high; unknown is null with a reason."""
    bench.ingest(sample)
    (bad,) = bench.query(
        "SELECT count(*) FROM emissions WHERE isnan(total_kgco2e) OR isinf(total_kgco2e) OR total_kgco2e < 0 "
        "OR NOT (total_low_kgco2e <= total_kgco2e AND total_kgco2e <= total_high_kgco2e)",
    )
    assert bad == (0,)
    (unexplained,) = bench.query("SELECT count(*) FROM emissions WHERE total_kgco2e IS NULL AND reason IS NULL")
    assert unexplained == (0,)
