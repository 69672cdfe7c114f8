"""The shared real and official samples, read in place."""

from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from offgridflow.domain.errors import InputError
from offgridflow.formats import detect, refusal
from support.aggregating import csv_part, outcome, parquet_part, read_table, write_table

INPUTS = Path(__file__).parents[2] / "../shared/inputs"
SAMPLE = INPUTS / "focus" / "focus-1.0-sample.csv"
pytestmark = [
    pytest.mark.inputs,
    pytest.mark.skipif(not INPUTS.is_dir(), reason="../shared/inputs is not here"),
]


def _files(pattern: str) -> list[Path]:
    return sorted(INPUTS.glob(pattern))


def test_the_real_focus_sample_is_read_to_the_cent(tmp_path: Path) -> None:
    """1000 real lines: providers aws, azure and oracle; money equals a Decimal sum that Python takes on its own."""
    table = read_table(SAMPLE)
    position = table[0].index("BilledCost")
    found = outcome([csv_part(SAMPLE)], tmp_path)
    assert found.quarantine == []
    assert found.lines == sum(row[3] for row in found.raw_totals) == 1000
    assert found.money() == sum(Decimal(row[position]) for row in table[1:])
    assert {row["provider"] for row in found.activities} == {"aws", "azure", "oracle"}
    assert found.lines_by_class() == {"usage": 997, "adjustment": 2, "credit": 1}


def test_the_real_focus_sample_in_other_packings(tmp_path: Path) -> None:
    """Gzip, three parts, and Parquet with the types that DuckDB sniffs give the same figures to the last digit."""
    plain = outcome([csv_part(SAMPLE)], tmp_path).figures
    table = read_table(SAMPLE)
    assert outcome([csv_part(write_table(tmp_path / "sample.csv.gz", table))], tmp_path).figures == plain
    thirds = [csv_part(write_table(tmp_path / f"{n}.csv", [table[0], *table[1 + n :: 3]])) for n in range(3)]
    assert outcome(thirds, tmp_path).figures == plain
    path = tmp_path / "sample.parquet"
    with duckdb.connect() as con:
        con.execute(
            f"COPY (FROM read_csv('{SAMPLE}', sample_size = -1, nullstr = 'NULL')) TO '{path}' (FORMAT parquet)"
        )
    assert outcome([parquet_part(path)], tmp_path).figures == plain


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("aws/legacy-cur/*.csv*", "aws_cur_legacy"),
        ("azure/ea-export/*.csv", "azure_cost"),
        ("azure/other-headers/*.csv", "azure_cost"),
        ("gcp/standard-export/*.csv", "gcp_billing"),
    ],
)
def test_every_sample_of_a_provider_is_read_whole(pattern: str, name: str, tmp_path: Path) -> None:
    """Every line of every sample ends in an activity of the right format; a header alone is no line."""
    files = _files(pattern)
    assert files
    for path in files:
        part = csv_part(path)
        found = outcome([part], tmp_path)
        assert found.format == name
        assert found.quarantine == []
        assert sum(row[3] for row in found.raw_totals) == part.records
        assert found.money() == sum(row[4] for row in found.raw_totals)


def test_amortised_sample_is_known_by_its_lines(tmp_path: Path) -> None:
    """The real EA exports of one month differ in content alone: actual fills billed, amortised effective cost."""
    folder = INPUTS / "azure" / "ea-export"
    actual = outcome([csv_part(folder / "EA_ActualCost_Small.csv")], tmp_path)
    amortised = outcome([csv_part(folder / "EA_AmortizedCost_Small.csv")], tmp_path)
    assert (actual.money_column, amortised.money_column) == ("billed_cost", "effective_cost")
    assert {row["billed_cost"] for row in amortised.activities} == {None}
    assert "Standard_DS2_v2" in {row["attributes"]["instance_type"] for row in amortised.activities}


def test_worked_examples_of_focus_are_read_or_refused_precisely(tmp_path: Path) -> None:
    """The specification's examples lack columns, or write dates as spreadsheets do: each is refused, and says why."""
    for path in _files("focus/spec-examples/*.csv"):
        part = csv_part(path)
        if detect(part.columns) is None:
            error = refusal(part.name, part.columns)
            assert error.code in {"MISSING_COLUMN", "UNKNOWN_FORMAT"}
        else:
            with pytest.raises(InputError) as caught:
                outcome([part], tmp_path)
            error = caught.value
            assert error.code == "NO_PERIOD"
        assert part.name in str(error)


def test_a_csv_and_its_gzip_count_once_by_their_digest(tmp_path: Path) -> None:
    """Parts whose decompressed content has one digest are one part."""
    folder = INPUTS / "aws" / "legacy-cur"
    plain, packed = csv_part(folder / "test_cur.csv"), csv_part(folder / "test_cur.csv.gz")
    same = type(packed)(packed.path, packed.name, plain.digest, "csv", packed.records, packed.columns)
    found = outcome([plain, same], tmp_path)
    assert sum(row[3] for row in found.raw_totals) == 19
