"""``offgridflow rates``: the rate card of the ledger, and how sensitive its total is to each group of factors."""

from typing import Annotated

import typer

from offgridflow.cli import people
from offgridflow.cli.options import (
    DEFAULT_LIMIT,
    Format,
    FormatOption,
    FromOption,
    LedgerOption,
    LimitOption,
    ToOption,
    WhereOption,
    filters_of,
)
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import open_ledger
from offgridflow.reports.rates import RateCard, Sensitivity, rate_card, sensitivity

ORDER = 33


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("rates")(rates)


def rates(  # noqa: PLR0913  the options of one command
    search: Annotated[
        str | None,
        typer.Argument(metavar="[TEXT]", help="Part of a meter, service, SKU id or description."),
    ] = None,
    *,
    where: WhereOption = None,
    show_sensitivity: Annotated[
        bool,
        typer.Option("--sensitivity", help="How the ledger's total moves with each group of factors."),
    ] = False,
    date_from: FromOption = None,
    date_to: ToOption = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """Show energy and emissions per unit of every SKU. With range, method and assumptions.

    Keys of --where: rate_id, period, provider, service_name, sku_id, sku_meter, operation, consumed_unit, region_id,
    status, reason, method, coverage_bucket. With --sensitivity the keys are those of report, and --from and --to count.
    """
    with open_ledger(ledger) as opened:
        if show_sensitivity:
            answer = answer_of_sensitivity(sensitivity(opened.con, date_from, date_to, filters_of(where)))
        else:
            answer = answer_of_card(rate_card(opened.con, filters_of(where), search))
    emit(answer, form, limit)


def answer_of_card(found: RateCard) -> Answer:
    """Return the rate card as it is shown."""
    columns = (
        Column("", "provider"),
        Column("meter", lambda row: row["sku_meter"] or row["sku_id"] or row["service_name"]),
        Column("region", "region_id"),
        Column("per", "consumed_unit"),
        Column("kWh", "energy_kwh_central", people.fine),
        Column("kgCO2e", "total_kgco2e_central", people.fine),
        Column(f"low {people.DASH} high", lambda row: _range(row["total_kgco2e_low"], row["total_kgco2e_high"]), str),
        Column("how", lambda row: row["method"] or row["reason"]),
    )
    return Answer(found.to_json(), found.rates, [Table("Rate card, per one unit", columns, found.rates)])


def _range(low: object, high: object) -> str:
    return people.spread(low, high, people.fine)


def answer_of_sensitivity(found: Sensitivity) -> Answer:
    """Return the sensitivity as it is shown."""
    columns = (
        Column("group", "group"),
        Column("kgCO2e at its low", "low_kgco2e", people.figure),
        Column("at its high", "high_kgco2e", people.figure),
        Column("fall", "fall_kgco2e", people.figure),
        Column("rise", "rise_kgco2e", people.figure),
    )
    notes = [f"Total {people.figure(found.total_kgco2e)} kgCO2e, range {people.spread(found.low, found.high)}."]
    if found.envelope is not None:
        notes.append(f"All at once: {people.spread(*found.envelope)}. This is not a confidence interval.")
    table = Table("One group at its low or high, the others central", columns, found.groups, notes=notes)
    return Answer(found.to_json(), found.groups, [table])
