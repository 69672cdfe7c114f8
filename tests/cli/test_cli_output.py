"""What leaves the command line: CSV that no spreadsheet runs, figures that people can read."""

import csv
import io
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.cli import people
from offgridflow.cli.options import Format
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.reports.csv_text import to_csv

RISKY = ("=", "+", "-", "@", "\t", "\r")


@given(st.text(max_size=30))
def test_no_text_cell_begins_like_a_formula(text: str) -> None:
    """Whatever a bill holds, a text cell never begins with a sign that a spreadsheet runs, and loses nothing."""
    written = to_csv([{"name": text}])
    (_, (cell,)) = list(csv.reader(io.StringIO(written, newline=""))) if text else ((), ("",))
    assert not cell.startswith(RISKY)
    assert cell in {text, "'" + text}


@given(st.decimals(-(10**12), 10**12, places=15) | st.integers(-(10**15), 10**15))
def test_numbers_are_never_touched(value: Decimal | int) -> None:
    """A negative number stays a number: no apostrophe, no exponent, no rounding."""
    (_, (cell,)) = list(csv.reader(io.StringIO(to_csv([{"cost": value}]), newline="")))
    assert Decimal(cell) == value
    assert "e" not in cell.lower()


def test_unknown_is_an_empty_cell_and_nested_values_are_json() -> None:
    """None is empty, True is true, a list is JSON; a risky key is guarded like a value."""
    written = to_csv([{"=a": None, "b": [1, "x"]}, {"c": True}])
    assert written == "'=a,b,c\r\n" + ',"[1, ""x""]",\r\n' + ",,true\r\n"


def test_nothing_has_no_header() -> None:
    """No records, no CSV."""
    assert to_csv([]) == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, people.UNKNOWN),
        (Decimal(0), "0"),
        (Decimal("1234567.8"), "1,234,568"),
        (Decimal("999.6"), "1,000"),
        (Decimal("12.345"), "12.3"),
        (Decimal("0.0123"), "0.012"),
        (Decimal("0.0009"), "<0.001"),
        (Decimal("-0.0009"), ">-0.001"),
        (Decimal("-4.567"), "-4.57"),
    ],
)
def test_figures_read_well(value: Decimal | None, text: str) -> None:
    """Three significant digits, thousands apart; what is tiny is not shown as zero, and unknown not as a number."""
    assert people.figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.004532438, "0.00453"), (1.2345e-6, "1.23e-6"), (Decimal(0), "0"), (None, people.UNKNOWN), (270.489, "270")],
)
def test_fine_figures_keep_three_digits(value: object, text: str) -> None:
    """Figures per unit keep their digits however small they are."""
    assert people.fine(value) == text


def test_a_range_that_reads_the_same_is_written_once() -> None:
    """Low and high that round alike are one figure; an unknown end makes the range unknown."""
    assert people.spread(Decimal(1), Decimal(2)) == f"1.00 {people.DASH} 2.00"
    assert people.spread(Decimal("0.0001"), Decimal("0.0002")) == "<0.001"
    assert people.spread(None, Decimal(2)) == people.UNKNOWN


def test_control_characters_never_reach_the_terminal() -> None:
    """A name from a bill cannot move the cursor or change colours."""
    assert people.text("a\x1b[31mb\nc") == "a [31mb c"


WIDE = {"name": "n" * 150, "other": "o" * 60, "cost": Decimal("123456789.01"), "kg": Decimal("98765.4")}


def test_a_table_fits_a_hundred_columns_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Long texts fold and figures stay whole, in at most 100 columns."""
    columns = (
        Column("name", "name"),
        Column("other", "other"),
        Column("cost", "cost", people.money),
        Column("kg", "kg", people.figure),
    )
    emit(Answer({}, [WIDE], [Table("t", columns, [WIDE])]), Format.TABLE)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 100
    assert "123,456,789.01" in shown
    assert shown.count("n") >= 150


def test_no_column_falls_off_where_the_figures_need_more_room(capsys: pytest.CaptureFixture[str]) -> None:
    """Where figures alone are wider than the page, the table is wider too: the last column, a currency, stays."""
    figures = {f"f{index}": Decimal("123456789.01") for index in range(8)}
    columns = (
        Column("provider", "name"),
        *(Column(name, name, people.money) for name in figures),
        Column("", "currency"),
    )
    rows = [{"name": "aws", "currency": "EUR", **figures}]
    emit(Answer({}, rows, [Table("t", columns, rows)]), Format.TABLE)
    shown = capsys.readouterr().out
    assert shown.count("123,456,789.01") == 8
    assert "EUR" in shown
    assert "provider" in shown, "a title is not folded where its cells are short"


def test_markup_in_a_name_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Square brackets in a bill are text, not markup."""
    row = {"name": "[red]x[/red]"}
    emit(Answer({}, [row], [Table("t", (Column("name", "name"),), [row])]), Format.TABLE)
    assert "[red]x[/red]" in capsys.readouterr().out


def test_the_limit_cuts_tables_for_people_only(capsys: pytest.CaptureFixture[str]) -> None:
    """A limit hides rows of the table and says so; json and csv are always whole."""
    rows = [{"name": f"row-{index}"} for index in range(5)]
    answer = Answer({"rows": rows}, rows, [Table("t", (Column("name", "name"),), rows)])
    emit(answer, Format.TABLE, 2)
    shown = capsys.readouterr().out
    assert "row-1" in shown
    assert "row-2" not in shown
    assert "3 more rows" in shown
    for form in (Format.JSON, Format.CSV):
        emit(answer, form, 2)
        assert "row-4" in capsys.readouterr().out
