"""Laws on bills that are broken, strange or replaced: a clear error or quarantine, and the ledger stays right."""

import csv
import gzip
import io
import shutil
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from offgridflow.pipeline.model import IngestOptions, PeriodResult
from support.bench import Bench, money_of

LINE = {
    "ProviderName": "AWS",
    "BillingAccountId": "111",
    "SubAccountId": "222",
    "BillingPeriodStart": "2025-06-01T00:00:00Z",
    "ChargePeriodStart": "2025-06-03T00:00:00Z",
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "BilledCost": "0.25",
    "EffectiveCost": "0.25",
    "ConsumedQuantity": "2",
    "ConsumedUnit": "Hours",
    "RegionId": "us-east-1",
    "ServiceName": "Amazon Elastic Compute Cloud",
    "ServiceCategory": "Compute",
    "SkuId": "SKU1",
    "ResourceId": "i-1",
    "ChargeDescription": "$0.096 per On Demand Linux m5.large Instance Hour",
}


def focus_text(lines: Sequence[Mapping[str, str]], columns: Sequence[str] = tuple(LINE)) -> str:
    """Return a FOCUS CSV of these changes to LINE."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({**LINE, **line} for line in lines)
    return text.getvalue()


def write(path: Path, *lines: Mapping[str, str]) -> Path:
    """Write a FOCUS CSV and return its path."""
    path.write_text(focus_text(lines or [{}]), encoding="utf-8")
    return path


def only(bench: Bench, path: Path) -> PeriodResult:
    """Ingest one file and return its one result."""
    (period,) = bench.ingest(path).periods
    return period


@pytest.mark.parametrize(
    ("change", "reason", "money"),
    [
        ({"BilledCost": "12,5"}, "unreadable_cost", None),
        ({"BilledCost": "1e30"}, "overflow", None),
        ({"ConsumedQuantity": "many"}, "unreadable_quantity", Decimal("0.25")),
        ({"ConsumedQuantity": "1e300"}, "overflow", Decimal("0.25")),
        ({"ChargePeriodStart": "yesterday"}, "unreadable_time", Decimal("0.25")),
        ({"BillingCurrency": ""}, "missing_currency", Decimal("0.25")),
    ],
)
def test_a_line_that_cannot_be_read_is_quarantined(
    bench: Bench, tmp_path: Path, change: Mapping[str, str], reason: str, money: Decimal | None
) -> None:
    """Such a line is kept with reason, file, line number and what money it has; the others are committed."""
    result = bench.ingest(write(tmp_path / "bill.csv", {}, change, {}))
    assert result.status == "ok"
    assert sum(period.line_items for period in result.periods) == 3
    held = bench.query("SELECT parse_filename(file), line_number, reason, billed_cost FROM quarantine")
    assert held == [("bill.csv", 3, reason, money)]
    assert bench.query("SELECT sum(line_items)::BIGINT FROM emissions") == [(2,)]
    assert bench.digest()


def test_a_missing_quantity_is_not_zero(bench: Bench, tmp_path: Path) -> None:
    """A usage line without a quantity keeps its money, and its impact is null with a reason."""
    period = only(bench, write(tmp_path / "bill.csv", {}, {"ConsumedQuantity": ""}))
    assert (period.status, period.line_items, period.billed_cost) == ("committed", 2, Decimal("0.5"))
    rows = bench.query("SELECT status, reason, total_kgco2e IS NULL, billed_cost FROM emissions ORDER BY status")
    assert rows == [
        ("estimated", None, False, Decimal("0.25")),
        ("not_estimated", "quantity_missing", True, Decimal("0.25")),
    ]


def test_a_negative_correction_nets_inside_its_activity(bench: Bench, tmp_path: Path) -> None:
    """A correction of the same SKU and day is added to what it corrects, before anything is rated."""
    only(bench, write(tmp_path / "bill.csv", {}, {"ConsumedQuantity": "-1", "BilledCost": "-0.1"}))
    rows = bench.query("SELECT consumed_quantity, billed_cost, line_items, status FROM emissions")
    assert rows == [(Decimal(1), Decimal("0.15"), 2, "estimated")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ConsumedQuantity": "-5"}, "negative_net_quantity"),
        ({"RegionId": "atlantis-1"}, "unknown_region"),
        ({"ConsumedUnit": "Furlongs"}, "unknown_unit"),
        ({"ServiceName": "Amazon Something New", "ChargeDescription": "$1 per thing"}, "unknown_service"),
    ],
)
def test_what_cannot_be_rated_says_why(bench: Bench, tmp_path: Path, change: Mapping[str, str], reason: str) -> None:
    """A usage row that is not rated has null impacts and the reason, and keeps lines and money."""
    only(bench, write(tmp_path / "bill.csv", change))
    rows = bench.query("SELECT status, reason, total_kgco2e, line_items, billed_cost FROM emissions")
    assert rows == [("not_estimated", reason, None, 1, Decimal("0.25"))]


def test_optional_columns_may_be_absent_and_others_present(bench: Bench, tmp_path: Path) -> None:
    """A bill without optional columns, with a byte order mark and with columns of its own is read all the same."""
    columns = [name for name in LINE if name not in {"EffectiveCost", "ResourceId", "SkuId", "ServiceCategory"}]
    path = tmp_path / "bill.csv"
    path.write_bytes(b"\xef\xbb\xbf" + focus_text([{}, {}], [*columns, "x_Mine"]).encode())
    period = only(bench, path)
    assert (period.status, period.line_items, period.billed_cost) == ("committed", 2, Decimal("0.50"))


def _truncated_parquet(folder: Path) -> Path:
    path = folder / "cut.parquet"
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT range AS a FROM range(100000)) TO '{path}' (FORMAT parquet)")
    path.write_bytes(path.read_bytes()[:-200])
    return path


def _cut_gzip(folder: Path) -> Path:
    path = folder / "cut.csv.gz"
    path.write_bytes(gzip.compress(focus_text([{"ResourceId": f"i-{n}"} for n in range(5000)]).encode())[:-500])
    return path


def _wrong_crc(folder: Path) -> Path:
    path = folder / "crc.csv.gz"
    packed = bytearray(gzip.compress(focus_text([{}] * 50).encode()))
    packed[-6] ^= 0xFF
    path.write_bytes(bytes(packed))
    return path


def _binary(folder: Path) -> Path:
    path = folder / "picture.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
    return path


def _another_format(folder: Path) -> Path:
    path = folder / "people.csv"
    path.write_text("name,age\nAda,36\n")
    return path


def _long_line(folder: Path) -> Path:
    path = folder / "long.csv"
    path.write_text(focus_text([{}, {"ResourceId": "x" * 50_000_000}]))
    return path


def _zip_bomb(folder: Path) -> Path:
    import zipfile  # noqa: PLC0415 - kept next to its one use

    path = folder / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("bill.csv", "w") as member:
        for _ in range(200):
            member.write(b"\0" * 2**20)
    return path


@pytest.mark.parametrize(
    "make",
    [_truncated_parquet, _cut_gzip, _wrong_crc, _binary, _another_format, _long_line, _zip_bomb],
    ids=lambda make: make.__name__,
)
def test_a_broken_file_fails_alone(bench: Bench, tmp_path: Path, make) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    """A file that cannot be read is an error that names it and what to do; the file beside it is committed."""
    good = write(tmp_path / "good.csv")
    bad = make(tmp_path)
    result = bench.ingest(good, bad)
    assert result.status == "partial"
    (failed,) = [period for period in result.periods if period.status == "failed"]
    assert failed.error is not None
    assert bad.name in failed.error.sentence
    assert failed.error.action
    assert money_of(result) == Decimal("0.25")
    assert bench.query("SELECT sum(line_items)::BIGINT FROM emissions") == [(1,)]


def test_a_malformed_record_is_never_lost(bench: Bench, tmp_path: Path) -> None:
    """A record with too few or too many cells is quarantined with its line, or its file is refused; never dropped."""
    path = write(tmp_path / "bill.csv", {}, {}, {})
    lines = path.read_text().splitlines()
    lines[2] = "AWS,111"
    lines[3] += ",one,two,three"
    path.write_text("\n".join(lines) + "\n")
    result = bench.ingest(path)
    if result.status == "ok":
        assert bench.query("SELECT line_number, reason FROM quarantine ORDER BY 1") == [
            (3, "malformed_line"),
            (4, "malformed_line"),
        ]
        assert sum(period.line_items for period in result.periods) == 3
    else:
        assert result.periods[0].error is not None


def test_july_leaves_june_exactly_as_it_was(bench: Bench, tmp_path: Path) -> None:
    """Ingesting one month touches no file of another."""
    bench.ingest(write(tmp_path / "june.csv"))
    before = {path: path.read_bytes() for path in bench.uri.rglob("billing_period=2025-06/**/*.parquet")}
    july = {"BillingPeriodStart": "2025-07-01T00:00:00Z", "ChargePeriodStart": "2025-07-03T00:00:00Z"}
    bench.ingest(write(tmp_path / "july.csv", july))
    assert before
    assert {path: path.read_bytes() for path in bench.uri.rglob("billing_period=2025-06/**/*.parquet")} == before
    rows = bench.query("SELECT billing_period, count(*) FROM emissions GROUP BY 1 ORDER BY 1")
    assert rows == [("2025-06", 1), ("2025-07", 1)]


def test_a_run_that_fails_leaves_the_ledger_as_it_was(bench: Bench, tmp_path: Path) -> None:
    """A refused replacement changes neither version nor digest."""
    bench.ingest(write(tmp_path / "whole.csv", {}, {}, {}, {}))
    before = bench.digest()
    result = bench.ingest(write(tmp_path / "part.csv", {"BilledCost": "0.3"}))
    assert result.status == "failed"
    assert result.periods[0].error is not None
    assert result.periods[0].error.code == "SHRINK"
    assert bench.digest() == before
    assert bench.ingest(tmp_path / "part.csv", options=IngestOptions(replace=True)).status == "ok"
    assert bench.query("SELECT sum(billed_cost) FROM emissions") == [(Decimal("0.3"),)]


def test_the_same_account_under_two_sources_is_refused(bench: Bench, tmp_path: Path) -> None:
    """One account's month never counts twice: the second source is refused, and both are named."""
    path = write(tmp_path / "bill.csv")
    bench.ingest(path)
    result = bench.ingest(path, options=IngestOptions(source="other"))
    error = result.periods[0].error
    assert error is not None
    assert error.code == "OVERLAP"
    assert "aws/111" in error.sentence
    assert "other" in error.sentence


def test_an_empty_bill_is_no_error(bench: Bench, tmp_path: Path) -> None:
    """A header alone is a bill of no lines."""
    path = tmp_path / "empty.csv"
    path.write_text(focus_text([]))
    result = bench.ingest(path)
    assert result.status == "ok"
    assert sum(period.line_items for period in result.periods) == 0


def test_the_name_of_a_file_means_nothing(bench: Bench, tmp_path: Path) -> None:
    """A CSV called .parquet and a Parquet file called .csv are read as what they hold."""
    path = write(tmp_path / "bill.parquet")
    other = tmp_path / "bill.csv"
    shutil.copy(path, tmp_path / "plain.txt")
    changed = "'333' AS BillingAccountId, '444' AS SubAccountId"
    with duckdb.connect() as con:
        con.execute(f"COPY (SELECT * REPLACE ({changed}) FROM read_csv('{path}')) TO '{other}' (FORMAT parquet)")
    result = bench.ingest(path, other)
    assert result.status == "ok"
    assert sum(period.line_items for period in result.periods) == 2
