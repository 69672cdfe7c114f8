"""``offgridflow coverage``: what was estimated, how, what was not, and why."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

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
from offgridflow.cli.session import open_ledger, settings
from offgridflow.domain.reasons import CoverageBucket
from offgridflow.reports.coverage import BUCKET_MEANINGS, CoverageReport

if TYPE_CHECKING:
    from offgridflow.methodology.user import SpendRow

ORDER = 31

_MONEY = (Column("cost", "cost", people.money), Column("", "billing_currency"))
_SHARES = (
    Column("of cost", "cost_share", people.share),
    Column("lines", "line_items", people.count),
    Column("of lines", "line_share", people.share),
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("coverage")(coverage)


def coverage(
    *,
    date_from: FromOption = None,
    date_to: ToOption = None,
    where: WhereOption = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """Show what was estimated, how, and what was not and why. By cost and by lines.

    Buckets A to F hold all usage and add up to 100 %. The headline is (A + B) / (A + ... + E). Bucket D is empty
    unless the settings have factors by spend (methodology.spend); its kgCO2e are shown apart and are in no total.
    """
    with open_ledger(ledger) as opened:
        found = opened.coverage(date_from, date_to, filters_of(where), spend=_spend())
    emit(answer_of(found), form, limit)


def _spend() -> "Sequence[SpendRow]":
    """Return the factors by spend of the settings; without any, the methodology is not even loaded."""
    chosen = settings().methodology
    if not chosen.spend:
        return ()
    from offgridflow.methodology.user import spend_rows  # noqa: PLC0415  the methodology is late
    from offgridflow.pipeline.kitchen import recipe_of  # noqa: PLC0415  factor tables are late

    return spend_rows(recipe_of(chosen))


def answer_of(found: CoverageReport) -> Answer:
    """Return the coverage as it is shown."""
    tables = [_buckets(found), _by_spend(found), _reasons(found), _assumptions(found), _units(found), _top(found)]
    return Answer(found.to_json(), _records(found), [table for table in tables if table.rows], notes=_notes(found))


def _records(found: CoverageReport) -> list[Mapping[str, object]]:
    """Return buckets, statuses, reasons, assumptions and units as one list, each row with what it is a row of."""
    parts = {"bucket": found.buckets, "status": found.statuses, "reason": found.reasons}
    parts |= {"assumption": found.assumptions, "unit": found.units, "by_spend": found.by_spend}
    return [{"list": name, **row} for name, rows in parts.items() for row in rows]


def _buckets(found: CoverageReport) -> Table:
    columns = (
        Column("", "coverage_bucket"),
        Column("how", lambda row: BUCKET_MEANINGS[CoverageBucket(str(row["coverage_bucket"]))]),
        *_MONEY,
        *_SHARES,
        Column("kgCO2e", "total_kgco2e", people.figure),
    )
    return Table("Coverage of usage", columns, found.buckets)


def _by_spend(found: CoverageReport) -> Table:
    columns = (
        *_MONEY,
        Column("lines", "line_items", people.count),
        Column("kgCO2e by spend", "spend_kgco2e", people.figure),
        Column("low", "spend_low_kgco2e", people.figure),
        Column("high", "spend_high_kgco2e", people.figure),
        Column("source", "source"),
    )
    return Table("Bucket D: rated by spend alone, in no total", columns, found.by_spend)


def _reasons(found: CoverageReport) -> Table:
    rows = sorted(found.reasons, key=lambda row: (str(row["billing_currency"]), -people.number(row["cost"])))
    columns = (Column("reason", "reason"), Column("", "coverage_bucket"), *_MONEY, *_SHARES)
    return Table("Not estimated, by reason", columns, rows)


def _assumptions(found: CoverageReport) -> Table:
    columns = (Column("assumption", "assumption"), *_MONEY, *_SHARES, Column("kgCO2e", "total_kgco2e", people.figure))
    return Table("Usage whose rate rests on an assumption; a line counts under each", columns, found.assumptions)


def _units(found: CoverageReport) -> Table:
    columns = (
        Column("unit", "consumed_unit"),
        *_MONEY,
        Column("lines", "line_items", people.count),
        Column("A+B of cost", "headline", people.share),
        Column("A+B of lines", "line_headline", people.share),
    )
    return Table("Usage by unit; A+B of what is physical", columns, found.units)


def _top(found: CoverageReport) -> Table:
    columns = (
        Column("service", lambda row: " ".join(filter(None, (str(row["provider"]), _text(row["service_name"]))))),
        Column("meter", "sku_meter"),
        Column("unit", "consumed_unit"),
        Column("reason", "reason"),
        *_MONEY,
    )
    return Table("Dearest physical usage without an estimate", columns, found.top_not_estimated)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _notes(found: CoverageReport) -> Sequence[str]:
    notes = [] if found.buckets else ["No usage in the ledger answers to that."]
    notes += [
        f"Headline in {row['billing_currency']}: {people.share(row['headline'])} of the cost of physical usage is "
        "rated for the SKU, its family or its vCPUs (aim: 90 %)."
        for row in found.headlines
    ]
    notes += [
        f"Possible omission in {row['billing_currency']}: {people.figure(row['possible_kgco2e'])} kgCO2e "
        f"({people.money(row['cost'])} at the median of "
        f"{people.fine(row['median_kgco2e_per_currency_unit'])} kg per {row['billing_currency']}); "
        "in no total."
        for row in found.omissions
        if row["possible_kgco2e"] is not None
    ]
    return notes
