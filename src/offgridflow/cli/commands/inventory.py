"""``offgridflow inventory``: the customer's GHG inventory of cloud use for a year."""

import sys
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Annotated

import typer

from offgridflow.cli.options import Format, LedgerOption
from offgridflow.cli.output import Answer, emit
from offgridflow.cli.session import open_ledger
from offgridflow.domain.errors import UsageError
from offgridflow.reports.inventory import inventory as take
from offgridflow.reports.inventory_page import records_of, to_html, to_markdown

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
        typer.Option("--format", metavar="table|json|csv|markdown|html", help="Markdown is also what table shows."),
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
    elif form in {PageFormat.TABLE, PageFormat.MARKDOWN}:
        sys.stdout.write(to_markdown(found))
    else:
        emit(Answer(found.to_json(), records_of(found)), Format(form.value))


def _units(text: str) -> Decimal:
    try:
        units = Decimal(text)
    except InvalidOperation:
        units = Decimal("NaN")
    if not units.is_finite() or units <= 0:
        sentence = f"--functional-units {text!r} is not a number above 0."
        raise UsageError(sentence, action="Write for example --functional-units 1000000.")
    return units
