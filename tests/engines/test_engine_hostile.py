"""Broken and hostile parts: an error that says what is wrong, or a quarantined line; never a line less."""

from pathlib import Path

import duckdb
import pytest

from offgridflow.domain.errors import InputError
from offgridflow.engines.duckdb import DuckDbEngine
from offgridflow.engines.model import Part
from support.aggregating import Table, csv_part, outcome, parquet_part, read_table, write_table

FIXTURES = Path(__file__).parents[1] / "formats" / "fixtures"


@pytest.fixture
def focus() -> Table:
    return read_table(FIXTURES / "focus.csv")


def test_malformed_records_are_quarantined_with_their_physical_line(focus: Table, tmp_path: Path) -> None:
    """A record with too few or too many columns is quarantined where it stands, and the rest is read."""
    good = write_table(tmp_path / "good.csv", focus)
    lines = good.read_text().split("\n")
    broken = [*lines[:2], "a,b", *lines[2:5], ",".join(["x"] * (len(focus[0]) + 1)), *lines[5:]]
    path = tmp_path / "broken.csv"
    path.write_text("\n".join(broken))
    found = outcome([csv_part(path, records=len(focus) - 1 + 2)], tmp_path)
    plain = outcome([csv_part(good)], tmp_path)
    assert [(row["reason"], row["line_number"]) for row in found.quarantine] == [
        ("malformed_line", 3),
        ("malformed_line", 7),
    ]
    assert found.activities == plain.activities
    assert sum(row[3] for row in found.raw_totals) == plain.lines + 2
    assert found.money() == plain.money()


def test_line_numbers_count_physical_lines_after_quoted_line_breaks(focus: Table, tmp_path: Path) -> None:
    """A bad cell behind a record that spans two lines is reported at the line that an editor shows."""
    position = focus[0].index("BilledCost")
    broken = [list(row) for row in focus]
    broken[5][position] = "?"
    found = outcome([csv_part(write_table(tmp_path / "bill.csv", broken))], tmp_path)
    text = (tmp_path / "bill.csv").read_text().split("\n")
    (line,) = found.quarantine
    assert text[line["line_number"] - 1].startswith("?")
    assert line["line_number"] == 7
    assert (line["column_name"], line["value_excerpt"], line["billed_cost"]) == ("billed_cost", "?", None)


def test_bad_rows_of_parquet_are_quarantined_by_row(focus: Table, tmp_path: Path) -> None:
    """NaN, infinity and amounts beyond the limit in native doubles are faults of their row."""
    path = tmp_path / "bill.parquet"
    rows = ", ".join(
        f"('USD', '1', {cost}::DOUBLE, 'AWS', TIMESTAMP '2025-01-01', TIMESTAMP '2025-01-02', 'Usage')"
        for cost in ("1.5", "'nan'", "'inf'", "1e30", "NULL")
    )
    names = (
        "BillingCurrency, BillingAccountId, BilledCost, ProviderName, BillingPeriodStart, ChargePeriodStart, "
        "ChargeCategory"
    )
    with duckdb.connect() as con:
        con.execute(f"COPY (FROM (VALUES {rows}) AS t({names})) TO '{path}' (FORMAT parquet)")
    found = outcome([parquet_part(path)], tmp_path)
    assert [(row["line_number"], row["reason"]) for row in found.quarantine] == [
        (2, "unreadable_cost"),
        (3, "unreadable_cost"),
        (4, "overflow"),
    ]
    assert found.lines == 2
    assert found.raw_totals[0][3:] == (5, found.money())


def test_lost_lines_are_an_error(focus: Table, tmp_path: Path) -> None:
    """If the reader gives fewer or more lines than were counted independently, nothing is handed on."""
    path = write_table(tmp_path / "bill.csv", focus)
    for records in (len(focus), len(focus) - 2):
        with pytest.raises(InputError) as caught:
            outcome([csv_part(path, records=records)], tmp_path)
        assert caught.value.code == "LINES_LOST"
        assert "bill.csv" in str(caught.value)


def test_truncated_parquet_is_an_error_that_names_the_file(focus: Table, tmp_path: Path) -> None:
    """A Parquet file without its end is refused."""
    path = tmp_path / "cut.parquet"
    path.write_bytes(b"PAR1" + b"\0" * 100)
    part = Part(path, path.name, "d", "parquet", 1, tuple(focus[0]))
    with pytest.raises(InputError) as caught:
        outcome([part], tmp_path)
    assert caught.value.code == "UNREADABLE"
    assert "cut.parquet" in str(caught.value)


def test_unterminated_quote_is_never_silent(focus: Table, tmp_path: Path) -> None:
    """A quote that never closes swallows the rest: one quarantined record; one that closes too late is an error."""
    path = tmp_path / "open.csv"
    record = "USD,1,AWS,2025-01-01,2025-01-02,Usage,1.5"
    header = (
        "BillingCurrency,BillingAccountId,ProviderName,BillingPeriodStart,ChargePeriodStart,ChargeCategory,BilledCost"
    )
    path.write_text("\n".join((header, record, record, '"' + record, record, record)))
    found = outcome([csv_part(path)], tmp_path)
    assert [(row["reason"], row["line_number"]) for row in found.quarantine] == [("malformed_line", 4)]
    assert sum(row[3] for row in found.raw_totals) == found.lines + 1
    text = write_table(path, focus).read_text().split("\n")
    path.write_text("\n".join([*text[:8], '"' + text[8], *text[9:]]))
    with pytest.raises(InputError) as caught:
        outcome([csv_part(path)], tmp_path)
    assert caught.value.code == "LINES_LOST"


def test_file_without_any_readable_period_says_so(focus: Table, tmp_path: Path) -> None:
    """Dates that no rule reads (``5/1/25`` of the FOCUS examples) are an error about the billing period, not year 5."""
    position = focus[0].index("BillingPeriodStart")
    broken = [focus[0], *([*row[:position], "5/1/25", *row[position + 1 :]] for row in focus[1:])]
    with pytest.raises(InputError) as caught:
        outcome([csv_part(write_table(tmp_path / "bill.csv", broken))], tmp_path)
    assert caught.value.code == "NO_PERIOD"


def test_line_without_account_needs_a_named_source(focus: Table, tmp_path: Path) -> None:
    """A line without an account is quarantined, unless the source is named by the user."""
    position = focus[0].index("BillingAccountId")
    broken = [list(row) for row in focus]
    broken[1][position] = "NULL"
    part = csv_part(write_table(tmp_path / "bill.csv", broken))
    found = outcome([part], tmp_path)
    assert [row["reason"] for row in found.quarantine] == ["missing_account"]
    assert found.money() == sum(row[4] for row in found.raw_totals)
    named = outcome([part], tmp_path, source="mine")
    assert named.quarantine == []
    assert {row["source"] for row in named.activities} == {"mine"}


def test_sum_beyond_the_decimal_is_an_error(focus: Table, tmp_path: Path) -> None:
    """Lines that are each in range, but add up beyond 10^23, fail with OVERFLOW and not with a wrapped number."""
    position = focus[0].index("ConsumedQuantity")
    big = [*focus[1]]
    big[position] = "9" * 21
    with pytest.raises(InputError) as caught:
        outcome([csv_part(write_table(tmp_path / "bill.csv", [focus[0], *[big] * 200]))], tmp_path)
    assert caught.value.code == "OVERFLOW"


def test_connections_reach_nothing_but_the_parts(tmp_path: Path) -> None:
    """With folders given, SQL cannot read another file, write outside, reach a network, or lift the limits."""
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    engine = DuckDbEngine(threads=1, memory_limit="100MiB", temp_directory=tmp_path / "work", folders=())
    with engine.connect([]) as con:
        for sql in (
            f"SELECT * FROM read_csv('{secret}')",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.parquet'}'",
            "SELECT * FROM read_parquet('http://127.0.0.1:9/x.parquet')",
            "SET memory_limit = '8GB'",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                con.execute(sql)


def test_sql_in_names_and_cells_is_only_text(focus: Table, tmp_path: Path) -> None:
    """Quotes and statements in file names, headers, cells, tags and sources stay what they are."""
    evil = "x'); DROP TABLE activity_rows; --"
    table = [[*focus[0], evil], *([*row, evil] for row in focus[1:])]
    table[1][focus[0].index("ResourceId")] = evil
    found = outcome([csv_part(write_table(tmp_path / "o'brien.csv", table))], tmp_path, source=evil)
    assert found.lines == len(focus) - 1
    assert {row["source"] for row in found.activities} == {evil}
    assert evil in {row["resource_id"] for row in found.activities}
