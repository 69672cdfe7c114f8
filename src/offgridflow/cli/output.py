"""How answers leave: tables for people, JSON alone on stdout, CSV that no spreadsheet takes for a formula."""

import csv
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from offgridflow.cli import people
from offgridflow.cli.options import Format
from offgridflow.reports.figures import plain, to_json

WIDTH: Final = 100
"""Columns of a table where the output is not a terminal."""

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r")

Cell = Callable[[object], str]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table for people: its title, how its value is found in a row, and how it is written."""

    title: str
    value: str | Callable[[Mapping[str, object]], object]
    write: Cell = people.text

    def text(self, row: Mapping[str, object]) -> str:
        """Return the cell of ``row``."""
        return self.write(row.get(self.value) if isinstance(self.value, str) else self.value(row))

    @property
    def is_number(self) -> bool:
        """Whether the column is set flush right."""
        return self.write is not people.text


@dataclass(frozen=True, slots=True)
class Table:
    """A table for people. ``footer`` rows stand under a line; ``notes`` are sentences below."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, object]]
    footer: Sequence[Mapping[str, object]] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answers: ``data`` for JSON, ``records`` for CSV, ``tables`` and ``text`` for people."""

    data: object
    records: Sequence[Mapping[str, object]]
    tables: Sequence[Table] = ()
    text: str = ""
    notes: Sequence[str] = field(default=())


def emit(answer: Answer, form: Format, limit: int = 0) -> None:
    """Write an answer to stdout in the form that was asked for; ``limit`` cuts tables for people only."""
    if form is Format.JSON:
        sys.stdout.write(to_json(answer.data) + "\n")
    elif form is Format.CSV:
        sys.stdout.write(to_csv(answer.records))
    else:
        _show(answer, limit)


def to_csv(records: Sequence[Mapping[str, object]]) -> str:
    """Return records as CSV (RFC 4180, CRLF). A text that a spreadsheet would run gets an apostrophe before it.

    Numbers are written in full and untouched, unknown values as empty cells.
    """
    names = list(dict.fromkeys(name for record in records for name in record))
    if not names:
        return ""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([_safe(name) for name in names])
    writer.writerows([_cell(record.get(name)) for name in names] for record in records)
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return plain(value)
    if isinstance(value, Mapping | list | tuple):
        return _safe(to_json(value, indent=None))
    return _safe(str(value))


def _safe(text: str) -> str:
    return "'" + text if text.startswith(_RISKY) else text


def _show(answer: Answer, limit: int) -> None:
    from offgridflow.cli import tables  # noqa: PLC0415  Rich tables only when people read

    tables.show(answer, limit)
