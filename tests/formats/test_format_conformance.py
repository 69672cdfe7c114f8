"""Laws that every billing format keeps: each is tried on the format's own fixture, ``fixtures/<name>.csv``.

A new format needs its SQL file and such a fixture, and is tried by all of this without another line of code.
"""

import random
import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from offgridflow.domain.errors import InputError
from offgridflow.domain.model import ACTIVITY_COLUMNS, USAGE
from offgridflow.domain.reasons import ExcludedReason, QuarantineReason
from offgridflow.engines.model import Grain
from offgridflow.formats import Column, Format, detect, index_of, normal_names, refusal, registry
from support.aggregating import Outcome, Table, aggregation, csv_part, outcome, parquet_part, read_table, write_table

FIXTURES = Path(__file__).parent / "fixtures"
FORMATS = [pytest.param(known, id=known.name) for known in registry()]
pytestmark = pytest.mark.parametrize("known", FORMATS)


def fixture_of(known: Format) -> Path:
    return FIXTURES / f"{known.name}.csv"


def position_of(column: Column, header: list[str]) -> int | None:
    """Return where the raw column of a declared column stands, the one that is read if several do."""
    index = index_of(header)
    return next((index[source.column] for source in column.sources if source.column in index), None)


def columns_of(known: Format, kind: str) -> list[Column]:
    found = [column for column in known.columns if column.kind == kind and column.sum_of is None]
    return [column for column in found if column.name != known.line_items]


def typed_parquet(known: Format, table: Table, path: Path, money: str) -> Path:
    """Write the table as Parquet with native types for the declared money, quantities and times."""
    header = table[0]
    types = {"money": money, "quantity": "DOUBLE", "time": "TIMESTAMP"}
    casts = {
        position: types[column.kind]
        for column in known.columns
        if column.kind in types and column.sum_of is None and (position := position_of(column, header)) is not None
    }
    words = ", ".join(repr(word) for word in ("", "NULL"))
    styles = ", ".join(repr(style) for style in ("%Y-%m-%d %H:%M:%S%z", *known.date_styles))
    selected: list[str] = []
    for number, name in enumerate(header):
        cell = f"CASE WHEN c{number} NOT IN ({words}) THEN c{number} END"
        kind = casts.get(number, "VARCHAR")
        if kind == "TIMESTAMP":
            cell = f"coalesce(try_cast({cell} AS TIMESTAMPTZ) AT TIME ZONE 'UTC', try_strptime({cell}, [{styles}]))"
        selected.append(f'CAST({cell} AS {kind}) AS "{name}"')
    names = ", ".join(f"'c{number}': 'VARCHAR'" for number in range(len(header)))
    source = write_table(path.with_suffix(".source.csv"), table)
    with duckdb.connect() as con:
        con.execute("SET TimeZone = 'UTC'")
        con.execute(
            f"COPY (SELECT {', '.join(selected)} FROM read_csv('{source}', header=true, auto_detect=false, "
            f"columns={{{names}}})) TO '{path}' (FORMAT parquet, ROW_GROUP_SIZE 2048)",
        )
    return path


def lines_of(known: Format, table: Table) -> int:
    """Return how many lines of the bill a table holds."""
    column = next((column for column in known.columns if column.name == known.line_items), None)
    if column is None:
        return len(table) - 1
    position = position_of(column, table[0])
    assert position is not None
    return sum(int(row[position]) for row in table[1:])


_PLAIN: dict[str, Outcome] = {}


@pytest.fixture
def plain(known: Format, tmp_path: Path) -> Outcome:
    """Return what the fixture gives as it is; taken once per format, for every law compares with it."""
    if known.name not in _PLAIN:
        _PLAIN[known.name] = outcome([csv_part(fixture_of(known))], tmp_path)
    return _PLAIN[known.name]


def test_fixture_is_detected_as_its_own_format_alone(known: Format) -> None:
    """Exactly one detection rule matches a format's header, in any order of its columns."""
    header = read_table(fixture_of(known))[0]
    names = normal_names(header)
    assert [other.name for other in registry() if other.detection.matches(names)] == [known.name]
    assert detect(list(reversed(header))) is known


def test_output_has_the_columns_of_an_activity(known: Format, tmp_path: Path) -> None:
    """Every format gives source, period, ACTIVITY_COLUMNS and the SKU's hash with exact types, and known classes."""
    with aggregation([csv_part(fixture_of(known))], tmp_path) as found:
        rows = found.con.execute("DESCRIBE activities").fetchall()
        classes = found.con.execute("SELECT DISTINCT charge_class FROM activities").fetchall()
    assert [row[0] for row in rows] == ["source", "billing_period", *ACTIVITY_COLUMNS, "sku_hash"]
    kinds = ("VARCHAR", "VARCHAR", *ACTIVITY_COLUMNS.values(), "UBIGINT")
    expected = [kind.replace(" ", "").upper() for kind in kinds]
    assert [row[1].replace(" ", "").replace('"', "").upper() for row in rows] == expected
    assert {row[0] for row in classes} <= {USAGE, *(reason.value for reason in ExcludedReason)}
    assert (USAGE,) in classes


def test_lines_and_money_are_conserved(known: Format, plain: Outcome) -> None:
    """Every record of the file is in an activity, and money equals a Decimal sum that Python takes of the raw cells."""
    table = read_table(fixture_of(known))
    header, records = table[0], table[1:]
    assert plain.quarantine == []
    assert plain.lines == sum(row[3] for row in plain.raw_totals) == lines_of(known, table)
    assert plain.money() == sum(row[4] for row in plain.raw_totals)
    if not any(column.sum_of for column in known.columns):
        money = next(column for column in known.columns if column.name == known.identity.money)
        position = position_of(money, header)
        assert position is not None
        assert plain.money() == sum(_rounded(record[position]) for record in records)


def _rounded(cell: str) -> Decimal:
    return Decimal(cell).quantize(Decimal("1e-15"), rounding="ROUND_HALF_UP")


def test_several_periods_and_reasons_are_in_the_fixture(known: Format, plain: Outcome) -> None:
    """A fixture that had one period or nothing but usage would not show what a mapping does with the rest."""
    assert len({row[1] for row in plain.raw_totals}) > 1
    assert len(plain.lines_by_class()) > 3


def _shuffled(table: Table) -> Table:
    return [table[0], *random.Random(7).sample(table[1:], len(table) - 1)]  # noqa: S311 - shuffles a table


def _reversed_columns(table: Table) -> Table:
    return [row[::-1] for row in table]


def _extra_column(table: Table) -> Table:
    return [[*row, "x_Extra" if number == 0 else 'some "extra"\ntext'] for number, row in enumerate(table)]


def _shouting(table: Table) -> Table:
    return [[name.upper() for name in table[0]], *table[1:]]


CHANGES = [_shuffled, _reversed_columns, _extra_column, _shouting]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__.strip("_"))
def test_figures_do_not_depend_on_order_or_foreign_columns(
    known: Format, plain: Outcome, tmp_path: Path, change: Callable[[Table], Table]
) -> None:
    """Order of lines and columns, a column more, and the case of names change no digit."""
    path = write_table(tmp_path / "changed.csv", change(read_table(fixture_of(known))))
    assert outcome([csv_part(path)], tmp_path).figures == plain.figures


def test_figures_do_not_depend_on_packing(known: Format, plain: Outcome, tmp_path: Path) -> None:
    """Gzip, a byte order mark with Windows line ends, and three parts in any order give the same digits."""
    table = read_table(fixture_of(known))
    packed = csv_part(write_table(tmp_path / "packed.csv.gz", table))
    windows = csv_part(write_table(tmp_path / "windows.csv", table, encoding="utf-8-sig", line_end="\r\n"))
    third = len(table) // 3
    pieces = [table[1 : 1 + third], table[1 + third : 1 + 2 * third], table[1 + 2 * third :]]
    parts = [csv_part(write_table(tmp_path / f"{n}.csv", [table[0], *piece])) for n, piece in enumerate(pieces)]
    assert outcome([packed], tmp_path).figures == plain.figures
    assert outcome([windows], tmp_path).figures == plain.figures
    assert outcome(parts[::-1], tmp_path).figures == plain.figures


@pytest.mark.parametrize("money", ["VARCHAR", "DOUBLE", "DECIMAL(38,18)"])
def test_figures_do_not_depend_on_types(known: Format, plain: Outcome, tmp_path: Path, money: str) -> None:
    """Parquet with text, double or decimal money, shuffled and mixed with a CSV, gives the digits of the CSV."""
    table = read_table(fixture_of(known))
    whole = parquet_part(typed_parquet(known, table, tmp_path / "whole.parquet", money))
    assert outcome([whole], tmp_path).figures == plain.figures
    half = len(table) // 2
    other = typed_parquet(known, [table[0], *table[half:][::-1]], tmp_path / "half.parquet", money)
    first = csv_part(write_table(tmp_path / "half.csv", table[:half]))
    assert outcome([first, parquet_part(other)], tmp_path).figures == plain.figures


def test_parts_with_equal_digest_count_once(known: Format, plain: Outcome, tmp_path: Path) -> None:
    """A part that comes twice is one part."""
    part = csv_part(fixture_of(known))
    assert outcome([part, part], tmp_path).figures == plain.figures


def test_threads_and_grain_keep_the_totals(known: Format, plain: Outcome, tmp_path: Path) -> None:
    """One thread gives the same rows; another grain gives other rows with the same lines and money."""
    part = csv_part(fixture_of(known))
    assert outcome([part], tmp_path, threads=1).figures == plain.figures
    coarse = outcome([part], tmp_path, grain=Grain(period="month", resources=False))
    fine = outcome([part], tmp_path, grain=Grain(period="hour", tag_keys=("team",)))
    assert coarse.raw_totals == plain.raw_totals == fine.raw_totals
    assert coarse.money() == plain.money() == fine.money()
    assert len(coarse.activities) < len(fine.activities)
    assert {row["resource_id"] for row in coarse.activities} == {None}
    assert {"team"} == {key for row in fine.activities for key in row["tags"]}
    assert {"web", "data"} <= {value for row in fine.activities for value in row["tags"].values()}


def test_optional_columns_may_be_absent(known: Format, plain: Outcome, tmp_path: Path) -> None:
    """Without all or any half of the optional columns nothing is lost: lines and money stay as they were."""
    table = read_table(fixture_of(known))
    needed = {position_of(column, table[0]) for column in known.columns if column.required or column.sum_of}
    telling = _telling(known, table)
    removable = [n for n, name in enumerate(table[0]) if n not in needed and name not in telling]
    for seed in range(4):
        gone = set(removable if seed == 0 else random.Random(seed).sample(removable, len(removable) // 2))  # noqa: S311 - picks columns
        lean = [[cell for number, cell in enumerate(row) if number not in gone] for row in table]
        assert detect(lean[0]) is known
        found = outcome([csv_part(write_table(tmp_path / f"lean{seed}.csv", lean))], tmp_path)
        assert found.quarantine == []
        assert found.lines == plain.lines
        assert found.money() == plain.money()


def _telling(known: Format, table: Table) -> set[str]:
    """Return the columns without which, alone, the header would not be known as of this format."""
    rule = known.detection
    one_of_each = {min(group & normal_names(table[0])) for group in rule.any_of}
    return {name for name in table[0] if normal_names([name]) & (rule.all_of | one_of_each)}


def test_absent_required_column_is_named(known: Format) -> None:
    """A file that lacks a required column is refused with the column's name, or as foreign with what was seen."""
    header = read_table(fixture_of(known))[0]
    for column in known.columns:
        names = {source.column for source in column.sources}
        lean = [name for name in header if not normal_names([name]) & names]
        if column.required and len(lean) < len(header):
            assert detect(lean) is not known
            error = refusal("bill.csv", lean)
            assert isinstance(error, InputError)
            assert error.code in {"MISSING_COLUMN", "UNKNOWN_FORMAT"}
            said = column.sources[0].spelling if error.code == "MISSING_COLUMN" else repr(lean[0])
            assert said in str(error)


def test_unreadable_cells_are_quarantined_with_their_line(known: Format, plain: Outcome, tmp_path: Path) -> None:
    """A cost, a quantity, a time, a currency that cannot be read, or a cost too large, costs one line and no more."""
    table = read_table(fixture_of(known))
    header = table[0]
    money = next(column for column in known.columns if column.name == known.identity.money.split(" ")[0])
    quantity = next(column for column in columns_of(known, "quantity"))
    time = next(column for column in columns_of(known, "time") if column.required)
    currency = next(column for column in known.columns if column.name in re.findall(r"\w+", known.identity.currency))
    wanted = [
        (money, "12,34", QuarantineReason.UNREADABLE_COST),
        (quantity, "many", QuarantineReason.UNREADABLE_QUANTITY),
        (time, "yesterday", QuarantineReason.UNREADABLE_TIME),
        (currency, "", QuarantineReason.MISSING_CURRENCY),
        (money, "1e60", QuarantineReason.OVERFLOW),
        (quantity, "9" * 40, QuarantineReason.OVERFLOW),
    ]
    for column, cell, reason in wanted:
        position = position_of(column, header)
        assert position is not None
        broken = [list(row) for row in table]
        broken[2][position] = cell
        lost = plain.lines - lines_of(known, [table[0], *table[1:2], *table[3:]])
        found = outcome([csv_part(write_table(tmp_path / "broken.csv", broken))], tmp_path)
        (line,) = found.quarantine
        assert (line["reason"], line["file"], line["line_number"]) == (reason.value, "broken.csv", 3)
        assert line["value_excerpt"] == (cell or None)
        assert found.lines == plain.lines - lost
        assert sum(row[3] for row in found.raw_totals) == plain.lines
        assert found.money() == sum(row[4] for row in found.raw_totals)


def test_blank_quantity_is_kept_apart_and_never_zero(known: Format, tmp_path: Path) -> None:
    """A null quantity is no fault and no zero: its line stays, with an unknown quantity."""
    table = read_table(fixture_of(known))
    for column in columns_of(known, "quantity"):
        if (position := position_of(column, table[0])) is not None:
            table = [row if n == 0 else [*row[:position], "", *row[position + 1 :]] for n, row in enumerate(table)]
    found = outcome([csv_part(write_table(tmp_path / "blank.csv", table))], tmp_path)
    assert found.quarantine == []
    assert found.lines == lines_of(known, table)
    assert {row["consumed_quantity"] for row in found.activities} == {None}


def test_header_alone_is_no_line(known: Format, tmp_path: Path) -> None:
    """A file with a header only holds zero lines and is no error."""
    path = write_table(tmp_path / "empty.csv", read_table(fixture_of(known))[:1])
    found = outcome([csv_part(path)], tmp_path)
    assert (found.activities, found.raw_totals, found.quarantine) == ([], [], [])
