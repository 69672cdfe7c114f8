"""``offgridflow inventory``: the customer's GHG inventory of cloud use for a year."""

import sys
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated

import typer

from offgridflow.cli import people
from offgridflow.cli.options import Format, LedgerOption
from offgridflow.cli.output import WIDTH, Answer, Column, Table, emit
from offgridflow.cli.session import open_ledger
from offgridflow.domain.errors import UsageError
from offgridflow.reports.inventory import inventory as take
from offgridflow.reports.inventory_page import (
    UNKNOWN,
    Grid,
    Section,
    records_of,
    sections,
    title_of,
    to_html,
    to_markdown,
)

ORDER = 38


class PageFormat(StrEnum):
    """Forms of the inventory: pages for people, data for machines."""

    TABLE = "table"
    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("inventory")(inventory)


def inventory(
    *,
    year: Annotated[int, typer.Option("--year", help="Calendar year of the charge days, UTC.")],
    functional_units: Annotated[
        str | None, typer.Option("--functional-units", help="How many units of service were delivered, for SCI.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", help="Name of the functional unit, for example request.")
    ] = None,
    ledger: LedgerOption = None,
    form: Annotated[
        PageFormat,
        typer.Option("--format", metavar="table|json|csv|markdown|html", help="Markdown and HTML are pages."),
    ] = PageFormat.TABLE,
) -> None:
    """Show the GHG Protocol inventory of cloud use. Scope 3 category 1, location- and market-based side by side.

    With provider scopes, embodied apart, uncertainty, coverage, exclusions and the ESRS E1-6 datapoints. Offsets are in
    no figure.
    """
    units = None if functional_units is None else _units(functional_units)
    with open_ledger(ledger) as opened:
        found = take(opened.con, year, units, unit, provenance=opened.provenance)
    if form is PageFormat.HTML:
        sys.stdout.write(to_html(found))
    elif form is PageFormat.MARKDOWN:
        sys.stdout.write(to_markdown(found))
    else:
        tables = [table for section in sections(found) for table in tables_of(section)]
        emit(Answer(found.to_json(), records_of(found), tables, title_of(found)), Format(form.value))


def tables_of(section: Section) -> list[Table]:
    """Return the tables of a section for a terminal, its sentences below the last of them."""
    notes = [block for block in section.blocks if isinstance(block, str) and block]
    grids = [_upright(block) for block in section.blocks if isinstance(block, Grid) and block.rows]
    if not grids:
        return [Table("", (Column(section.title, "0"),), [{"0": note} for note in notes])]
    titles = [section.title, *("" for _ in grids[1:])]
    return [_table(title, grid, notes if grid is grids[-1] else ()) for title, grid in zip(titles, grids, strict=True)]


def _upright(grid: Grid) -> Grid:
    """Return a grid that is wider than a terminal with its columns as rows."""
    widths = (max(map(len, column)) for column in zip(grid.head, *grid.rows, strict=True))
    figures = [cell for row in grid.rows for cell in row[1:]]
    if sum(widths) <= WIDTH or not all(map(_is_figure, figures)):
        return grid
    head, *rows = zip(grid.head, *grid.rows, strict=True)
    return Grid(head, tuple(rows))


def _table(title: str, grid: Grid, notes: Sequence[str]) -> Table:
    columns = [
        Column(name, str(place), str if all(_is_figure(row[place]) for row in grid.rows) else people.text)
        for place, name in enumerate(grid.head)
    ]
    rows = [{str(place): cell for place, cell in enumerate(row)} for row in grid.rows]
    return Table(title, columns, rows, notes=notes)


def _is_figure(cell: str) -> bool:
    try:
        return cell == UNKNOWN or Decimal(cell).is_finite()
    except InvalidOperation:
        return False


def _units(text: str) -> Decimal:
    try:
        units = Decimal(text)
    except InvalidOperation:
        units = Decimal("NaN")
    if not units.is_finite() or units <= 0:
        sentence = f"--functional-units {text!r} is not a number above 0."
        raise UsageError(sentence, action="Write for example --functional-units 1000000.")
    return units
