"""``offgridflow whatif``: the same activities in another region, instance family or storage class."""

from typing import Annotated

import typer

from offgridflow.cli import people
from offgridflow.cli.options import (
    DEFAULT_LIMIT,
    ByOption,
    Format,
    FormatOption,
    FromOption,
    LedgerOption,
    LimitOption,
    ProfileOption,
    ToOption,
    WhereOption,
    filters_of,
    names_of,
)
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import kitchen, open_ledger
from offgridflow.domain.errors import UsageError
from offgridflow.reports.whatif import Swap, WhatIf, what_if

ORDER = 36


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("whatif")(whatif)


def whatif(  # noqa: PLR0913  the options of one command
    *,
    region: Annotated[str | None, typer.Option("--region", metavar="OLD:NEW", help="Region id; OLD * is all.")] = None,
    family: Annotated[str | None, typer.Option("--family", metavar="OLD:NEW", help="Instance family.")] = None,
    storage: Annotated[str | None, typer.Option("--storage", metavar="OLD:NEW", help="Storage class.")] = None,
    by: ByOption = "provider,service_name",
    date_from: FromOption = None,
    date_to: ToOption = None,
    where: WhereOption = None,
    profile: ProfileOption = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """Rate the same use with another region, instance family or storage class, and show the difference.

    For example: offgridflow whatif --region us-east-1:eu-north-1 --family m5:m7g. Costs stay as they are on the bill.
    """
    swap = Swap(_pair("--region", region), _pair("--family", family), _pair("--storage", storage))
    if swap == Swap():
        sentence = "Nothing to change was named."
        raise UsageError(sentence, action="Add --region, --family or --storage as OLD:NEW.")
    rate_of = kitchen(profile).rate_of
    with open_ledger(ledger) as opened:
        found = what_if(
            opened.con,
            rate_of,
            swap,
            names_of(by),
            filters_of(where),
            date_from=date_from,
            date_to=date_to,
            provenance=opened.provenance,
        )
    emit(answer_of(found), form, limit)


def _pair(option: str, text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    old, colon, new = text.partition(":")
    if not (colon and old and new):
        sentence = f"{option} {text!r} is not OLD:NEW."
        raise UsageError(sentence, action=f"Write for example {option} us-east-1:eu-north-1.")
    return old, new


def answer_of(found: WhatIf) -> Answer:
    """Return the comparison as it is shown."""
    rows = found.rows()
    columns = (
        *(Column(key, key) for key in found.before.keys),
        Column("kWh now", "energy_kwh_before", people.fine),
        Column("then", "energy_kwh_after", people.fine),
        Column("kgCO2e now", "total_kgco2e_before", people.fine),
        Column("then", "total_kgco2e_after", people.fine),
        Column("difference", "total_kgco2e_difference", people.fine),
    )
    notes = [f"{found.changed_skus:,} SKUs change. Both sides are rated with today's factors and settings."]
    return Answer(found.to_json(), rows, [Table("What if", columns, rows, notes=notes)])
