"""Tables for people, drawn by Rich. Imported only when one is shown."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from offgridflow.cli.output import WIDTH, Answer, Column, Table

_LEAST_TEXT: Final = 12
_GAP: Final = 2


def show(answer: Answer, limit: int) -> None:
    """Write the tables, text and notes of an answer to stdout."""
    console = _console()
    if answer.text:
        console.print(Text(answer.text), soft_wrap=True)
    for table in answer.tables:
        _show_table(console, table, limit)
    _show_notes(console, answer.notes)


def _console() -> Console:
    width = None if sys.stdout.isatty() else WIDTH
    return Console(file=sys.stdout, width=width, highlight=False)


def _show_table(console: Console, table: Table, limit: int) -> None:
    drawn = RichTable(
        title=Text(table.title, style="bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
        padding=(0, 1),
    )
    shown = table.rows[:limit] if limit else table.rows
    for column in table.columns:
        drawn.add_column(
            Text(column.title),
            justify="right" if column.is_number else "left",
            no_wrap=column.is_whole,
            overflow="fold",
            min_width=_least(column, shown),
        )
    for index, row in enumerate(shown):
        drawn.add_row(*_cells(column.text(row) for column in table.columns), end_section=index == len(shown) - 1)
    for row in table.footer:
        drawn.add_row(*_cells(column.text(row) for column in table.columns), style="bold")
    _wide_enough(console, table, shown).print(drawn)
    hidden = len(table.rows) - len(shown)
    more = [f"{hidden:,} more rows; --limit 0 shows all."] if hidden else []
    _show_notes(console, [*more, *table.notes])


def _wide_enough(console: Console, table: Table, shown: Sequence[Mapping[str, object]]) -> Console:
    """Return a console that no column falls off: one that is too narrow for the figures would lose the last of them."""
    rows = [*shown, *table.footer]
    least = sum(_least(column, rows) + _GAP for column in table.columns)
    return console if least <= console.width else Console(file=sys.stdout, width=least, highlight=False)


def _least(column: Column, rows: Sequence[Mapping[str, object]]) -> int:
    """Return the least width of a column: figures and names whole, of a text so much that it never vanishes."""
    widest = max(len(column.title), *(len(column.text(row)) for row in rows), 0)
    return widest if column.is_whole else min(widest, _LEAST_TEXT)


def _cells(texts: Iterable[str]) -> list[Text]:
    return [Text(text) for text in texts]


def _show_notes(console: Console, notes: Iterable[str]) -> None:
    for note in notes:
        console.print(Padding(Text(note), (0, 0, 0, 0)))
