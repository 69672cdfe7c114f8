"""CSV files that a user writes by hand, read cell by cell: each fault is told with file, physical line and column."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from offgridflow.domain.errors import InputError

Header = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One record: its cells by column, trimmed, and where it stands.

    ``line`` is the physical line where the record ends; a cell may hold line breaks.
    """

    name: str
    line: int
    cells: Mapping[str, str]
    error: type[InputError]

    @property
    def where(self) -> str:
        """File and line."""
        return f"{self.name}, line {self.line}"

    def __getitem__(self, column: str) -> str:
        """Return a cell, trimmed; empty where the file does not have the column."""
        return self.cells.get(column, "")

    def refuse(self, column: str, accepted: str) -> NoReturn:
        """Raise the error that says that the cell of ``column`` is not accepted, and what is."""
        sentence = f"{self.where}, column {column}: {self[column]!r} is not accepted."
        raise self.error(sentence, action=f"{accepted.capitalize()}.")

    def refuse_empty(self, *columns: str) -> None:
        """Raise the error for the first of the columns that has no text."""
        for column in columns:
            if not self[column]:
                self.refuse(column, "it must not be empty")


def records(
    text: str, name: str, check: Callable[[Header], str], columns: str, error: type[InputError]
) -> Iterator[Record]:
    """Yield the records of a CSV with a header; lines without any cell are left out.

    Args:
        text: the whole file.
        name: of the file, for errors.
        check: returns what is wrong with the columns, which come trimmed and in lower case; "" where nothing is.
        columns: says which columns there are, as the action of an error in the header.
        error: what is raised.

    Raises:
        error: naming file and line.

    """
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(cell.strip().lower() for cell in next(lines, []))
        _refuse(check(header), name, columns, error)
        for cells in lines:
            if any(cell.strip() for cell in cells):
                yield _record(header, cells, name, lines.line_num, error)
    except csv.Error as broken:
        sentence = f"{name}, line {lines.line_num}: {broken}."
        raise error(sentence, action="Quote cells that hold commas, and close each quote.") from broken


def _refuse(fault: str, name: str, columns: str, error: type[InputError]) -> None:
    if fault:
        sentence = f"{name}, line 1: {fault}."
        raise error(sentence, action=columns)


def _record(header: Header, cells: list[str], name: str, line: int, error: type[InputError]) -> Record:
    record = Record(name, line, dict(zip(header, (cell.strip() for cell in cells), strict=False)), error)
    if len(cells) != len(header):
        sentence = f"{record.where}: {len(cells)} cells, the header has {len(header)}."
        raise error(sentence, action="Quote cells that hold commas.")
    return record
