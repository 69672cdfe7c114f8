"""The benchmark's generator: repeatable, of the promised shape, readable as the delivery it imitates."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from offgridflow.connectors.files import discover, scan
from offgridflow.formats import detect

BENCH = Path(__file__).parents[2] / "bench"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """Load the script as a module."""
    spec = importlib.util.spec_from_file_location("generate_cur2", BENCH / "generate_cur2.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_lines_are_repeatable_and_have_the_promised_shape(generator: ModuleType, tmp_path: Path) -> None:
    """Equal seeds give equal bytes; 28,000 lines hold 14,000 resources and thousands of SKUs over two hours."""
    spec = generator.Spec(28_000, lines_per_part=10_000)
    first, second = generator.generate(tmp_path / "a", spec), generator.generate(tmp_path / "b", spec)
    assert len(first) == 3
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    lines = duckdb.read_parquet([str(path) for path in first])
    counted = "count(*), count(DISTINCT line_item_resource_id), count(DISTINCT line_item_usage_start_date)"
    assert lines.aggregate(counted).fetchall() == [(28_000, 14_000, 2)]
    ((skus,),) = lines.aggregate("count(DISTINCT (line_item_usage_type, line_item_operation))").fetchall()
    assert 5_000 <= skus <= 10_000
    kinds = lines.aggregate("list(DISTINCT line_item_line_item_type)").fetchall()[0][0]
    assert {"Usage", "DiscountedUsage", "SavingsPlanCoveredUsage", "SavingsPlanNegation"} == set(kinds)


def test_the_worst_shape_has_a_resource_per_line(generator: ModuleType, tmp_path: Path) -> None:
    """In the worst shape no two lines are of one activity."""
    files = generator.generate(tmp_path, generator.Spec(16_000, shape="worst"))
    lines = duckdb.read_parquet([str(path) for path in files])
    assert lines.aggregate("count(DISTINCT line_item_resource_id)").fetchall() == [(16_000,)]


def test_both_file_formats_are_one_delivery(generator: ModuleType, tmp_path: Path) -> None:
    """Parquet and CSV.gz are found by their manifest, recognised as CUR 2.0, and hold the same lines."""
    sums = []
    for file_format in ("parquet", "csv.gz"):
        folder = tmp_path / file_format
        generator.generate(folder, generator.Spec(3_000, file_format=file_format, lines_per_part=2_000))
        found = discover([folder], tmp_path)
        assert len(found.parts) == 2
        assert {part.delivery is not None for part in found.parts} == {True}
        scans = [scan(part) for part in found.parts]
        assert [detect(seen.header.columns).name for seen in scans] == ["aws_cur2"] * 2  # type: ignore[union-attr]
        assert [seen.records for seen in scans] == [2_000, 1_000]
        read = duckdb.read_parquet if file_format == "parquet" else duckdb.read_csv
        total = read([str(part.path) for part in found.parts]).aggregate(
            "sum(line_item_unblended_cost::DECIMAL(38,10))"
        )
        sums.append(total.fetchall())
    assert sums[0] == sums[1]
