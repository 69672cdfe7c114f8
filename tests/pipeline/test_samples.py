"""The sample bills: repeatable, whole, shaped like the exports that they stand for."""

import csv
import gzip
from collections import Counter
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from offgridflow.connectors.files import discover, scan
from offgridflow.connectors.model import FileKind, IgnoredReason
from offgridflow.domain.periods import Month, months_between
from offgridflow.formats import detect
from offgridflow.pipeline.samples import write_samples

MONTHS = months_between(Month(2025, 5), Month(2025, 6))


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two months of samples."""
    folder = tmp_path_factory.mktemp("samples")
    write_samples(folder, 7, MONTHS)
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in sorted(folder.rglob("*.csv.gz")):
        with gzip.open(path, "rt", newline="", encoding="utf-8") as stream:
            rows.extend(csv.DictReader(stream))
    return rows


def test_equal_seeds_give_equal_bytes(samples: Path, tmp_path: Path) -> None:
    """Seed and months decide every byte; another seed gives another bill."""
    again = write_samples(tmp_path / "again", 7, MONTHS)
    assert [path.read_bytes() for path in again] == [
        (samples / path.relative_to(tmp_path / "again")).read_bytes() for path in again
    ]
    other = write_samples(tmp_path / "other", 8, MONTHS[:1])
    assert {path.read_bytes() for path in other}.isdisjoint(path.read_bytes() for path in again)


def test_every_file_is_found_recognised_and_as_long_as_its_manifest_says(samples: Path, tmp_path: Path) -> None:
    """The folder is read by its manifests: six parts of two formats, nothing refused, only manifests left aside."""
    found = discover([samples], tmp_path)
    assert (found.refused, {ignored.reason for ignored in found.ignored}) == ((), {IgnoredReason.MANIFEST})
    formats: Counter[str] = Counter()
    lines = 0
    for part in found.parts:
        seen = scan(part)
        format_found = detect(seen.header.columns)
        assert format_found is not None
        formats[format_found.name] += 1
        lines += seen.records
    assert formats == {"aws_cur2": 2, "focus": 4}
    assert 15_000 < lines < 30_000
    assert sum(part.kind is FileKind.PARQUET for part in found.parts) == 2


def test_the_aws_bill_has_every_kind_of_line(samples: Path) -> None:
    """Usage, both commitments with their fees, tax, credit, refund, discount, and a negation that cancels its use."""
    lines = duckdb.read_parquet(str(samples / "aws/**/*.parquet"))
    kinds = dict(lines.aggregate("line_item_line_item_type, count(*)", "line_item_line_item_type").fetchall())
    assert set(kinds) == {
        "Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "SavingsPlanNegation", "SavingsPlanRecurringFee",
        "RIFee", "Tax", "Credit", "Refund", "Fee", "EdpDiscount",
    }  # fmt: skip
    assert kinds["SavingsPlanNegation"] == kinds["SavingsPlanCoveredUsage"] > 100
    plan = lines.filter("line_item_line_item_type IN ('SavingsPlanNegation', 'SavingsPlanCoveredUsage')")
    assert plan.aggregate("abs(sum(line_item_unblended_cost)) < 1e-6").fetchall() == [(True,)]
    types = dict(zip(lines.columns, map(str, lines.types), strict=True))
    assert types["product"] == types["resource_tags"] == "MAP(VARCHAR, VARCHAR)"
    assert lines.aggregate("count(*) - count(DISTINCT identity_line_item_id)").fetchall() == [(0,)]


@pytest.mark.parametrize(("cloud", "provider"), [("azure", "Microsoft"), ("gcp", "Google Cloud")])
def test_focus_rows_keep_the_rules_of_focus(samples: Path, cloud: str, provider: str) -> None:
    """Money and periods are readable; quantities stand on usage alone, and usage grows from month to month."""
    rows = rows_of(samples / cloud)
    assert {row["ProviderName"] for row in rows} == {provider}
    assert {"Usage", "Adjustment"} < {row["ChargeCategory"] for row in rows}
    by_month: Counter[str] = Counter()
    for row in rows:
        assert Decimal(row["BilledCost"]).is_finite()
        assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        if row["ChargeCategory"] != "Usage":
            assert row["ConsumedQuantity"] == ""
        elif row["ConsumedQuantity"]:
            assert row["ConsumedUnit"]
            by_month[row["BillingPeriodStart"][:7]] += 1
    assert by_month["2025-06"] / 30 >= by_month["2025-05"] / 31


def test_a_correction_takes_back_less_than_was_used(samples: Path) -> None:
    """Azure's negative correction has a positive line beside it, of the same resource, day and meter."""
    rows = [row for row in rows_of(samples / "azure") if row["ChargeCategory"] == "Usage" and row["ConsumedQuantity"]]
    keys = ("ChargePeriodStart", "ResourceId", "x_SkuMeterId")
    corrections = [row for row in rows if row["ChargeClass"] == "Correction"]
    assert len(corrections) == 2
    for correction in corrections:
        of_same = [row for row in rows if all(row[key] == correction[key] for key in keys)]
        assert Decimal(correction["ConsumedQuantity"]) < 0 < sum(Decimal(row["ConsumedQuantity"]) for row in of_same)
