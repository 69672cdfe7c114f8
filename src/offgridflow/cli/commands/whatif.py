"""``offgridflow whatif``: the same activities in another region, instance family or storage class."""

from collections.abc import Mapping
from pathlib import Path
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
from offgridflow.cli.session import kitchen, open_ledger, settings
from offgridflow.domain.errors import UsageError
from offgridflow.reports.price_list import read_price_list
from offgridflow.reports.prices import PRICE_MEANINGS
from offgridflow.reports.swap import Swap
from offgridflow.reports.whatif import WhatIf, what_if

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
    prices: Annotated[
        Path | None, typer.Option("--prices", metavar="FILE", help="Your price list, a CSV; else that of the settings.")
    ] = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """Rate the same use in another region, family or class.

    Instance families and storage classes; carbon and cost before and after.

    For example: offgridflow whatif --region us-east-1:eu-north-1 --family m5:m7g. Costs follow the prices that this
    ledger paid for the other thing; where it paid none, those of the price list; else the cost is unknown.
    """
    swap = Swap(_pair("--region", region), _pair("--family", family), _pair("--storage", storage))
    if swap == Swap():
        sentence = "Nothing to change was named."
        raise UsageError(sentence, action="Add --region, --family or --storage as OLD:NEW.")
    chosen = prices or settings().whatif.prices
    listed = None if chosen is None else read_price_list(chosen)
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
            listed=listed,
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
        *(Column(key.removesuffix("_id").removesuffix("_name"), key) for key in found.before.keys),
        Column("kg now", "total_kgco2e_before", people.figure),
        Column("then", "total_kgco2e_after", people.figure),
        Column("change", "total_kgco2e_difference", people.fine),
        Column("cost now", "cost_before", people.money),
        Column("then", "cost_after", people.money),
        Column("", "billing_currency"),
    )
    notes = [f"{found.changed_skus:,} SKUs change. Both sides are rated with today's factors and settings."]
    if not found.changed_skus:
        notes = ["No SKU of this view fits the change: is the old name written as explain shows it?"]
    notes += [_without_rate(row) for row in found.without_rate]
    tables = [Table("What if, in kgCO2e and money", columns, rows, notes=[*notes, *_told(found)])]
    if found.moves:
        tables.append(_moves(found))
    return Answer(found.to_json(), rows, tables)


def _without_rate(row: Mapping[str, object]) -> str:
    """Say how much use the change leaves without a rate, and why."""
    kg, skus = people.figure(row["total_kgco2e_before"]), people.count(row["skus"])
    sentence = f"Use of {kg} kgCO2e ({skus} SKUs) has no rate after the change"
    return f"{sentence}, so that totals with it are unknown: {row['reason']}."


def _told(found: WhatIf) -> list[str]:
    """Say what is known of the money that changes, per currency."""
    told: list[str] = []
    for row in found.cost_total:
        if not found.changed_skus or not row["cost_moved"]:
            continue
        currency = row["billing_currency"]
        now, then = people.money(row["cost_priced_before"]), people.money(row["cost_priced_after"])
        sentence = f"Use for {people.money(row['cost_moved'])} {currency} changes: "
        sentence += f"{now} would cost {then}" if row["cost_priced_before"] is not None else "none of it has a price"
        if row["cost_without_price"]:
            sentence += f"; for {people.money(row['cost_without_price'])} there is no price"
        told.append(f"{sentence}.")
    return told


def _moves(found: WhatIf) -> Table:
    columns = (
        Column("changes", lambda move: _name(move, "before")),
        Column("into", lambda move: _name(move, "after")),
        Column("cost now", "cost_before", people.money),
        Column("then", "cost_after", people.money),
        Column("", "billing_currency"),
        Column("price", "unit_price", people.fine),
        Column("how", _how),
    )
    moves = [move.to_json() for move in found.moves]
    used = {str(move["price_basis"] or move["reason"]) for move in moves}
    meanings = [(name.replace("_", " "), text) for name, text in PRICE_MEANINGS.items() if name in used]
    notes = [f"{name.capitalize()}: {text}." for name, text in meanings]
    return Table("Cost of what changes, the dearest first; prices per consumed unit", columns, moves, notes=notes)


def _how(move: Mapping[str, object]) -> str:
    """Say how a price was found, of a price list with its file and line, or why there is no cost."""
    return str(move["price_source"] or move["price_basis"] or move["reason"]).replace("_", " ")


def _name(move: Mapping[str, object], side: str) -> str:
    meter = move[f"instance_type_{side}"] or move[f"sku_meter_{side}"] or move["service_name"]
    return f"{meter} in {move[f'region_id_{side}'] or 'no region'}"
