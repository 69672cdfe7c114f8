"""How answers leave: tables for people, JSON alone on stdout, CSV that no spreadsheet takes for a formula."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from offgridflow.cli import people
from offgridflow.cli.options import Format
from offgridflow.reports.csv_text import to_csv
from offgridflow.reports.figures import to_json

WIDTH: Final = 100
"""Columns of a table where the output is not a terminal."""

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
        return self.write not in {people.text, people.whole, people.instant}

    @property
    def is_whole(self) -> bool:
        """Whether its cells are never broken over lines."""
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


def _show(answer: Answer, limit: int) -> None:
    from offgridflow.cli import tables  # noqa: PLC0415  Rich tables only when people read

    tables.show(answer, limit)
