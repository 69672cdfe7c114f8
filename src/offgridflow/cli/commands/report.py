"""``offgridflow report``: energy, emissions and water of the ledger by any keys."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

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
from offgridflow.reports.calibrate import Calibration, calibrate
from offgridflow.reports.market import TOTAL_MARKET, MarketReport, market_report
from offgridflow.reports.scope import Filters
from offgridflow.reports.totals import Provenance, Report

if TYPE_CHECKING:
    from offgridflow.reports.opened import OpenLedger

ORDER = 30
DEFAULT_KEYS = "provider,service_name"

_Question = tuple[Sequence[str], str | None, str | None, Filters]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(  # noqa: PLR0913  the options of one command
    *,
    by: ByOption = DEFAULT_KEYS,
    date_from: FromOption = None,
    date_to: ToOption = None,
    where: WhereOption = None,
    profile: ProfileOption = None,
    calibrated: Annotated[
        bool, typer.Option("--calibrated", help="Spread the providers' own figures over resources; whole months.")
    ] = False,
    market: Annotated[
        bool, typer.Option("--market", help="Market-based figures of rows by the providers' own ratios; a view.")
    ] = False,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """Show energy, emissions with range, water, cost, coverage.

    Keys: provider, billing_account_id, sub_account_id, region_id, service_name, service_category, sku_id, sku_meter,
    operation, consumed_unit, instance_type, resource_id, billing_period, month, day, method, status, reason,
    coverage_bucket, source, tag:KEY. Costs of different currencies are never added. --methodology rates the same use
    under another profile, as a view that is not stored. --market gives rows a market-based figure where the provider
    publishes scope 2 by both methods for their account, month and region.
    """
    with open_ledger(ledger) as opened:
        if calibrated:
            _refuse(by, where, profile, market=market)
            spread = calibrate(opened.con, date_from, date_to, provenance=opened.provenance)
            emit(answer_of_calibration(spread), form, limit)
            return
        question = (names_of(by), date_from, date_to, filters_of(where))
        if market:
            _refuse_profile(profile)
            emit(answer_of_market(market_report(opened.con, *question, provenance=opened.provenance)), form, limit)
            return
        found = opened.report(*question) if profile is None else _under(profile, opened, question)
    emit(answer_of(found), form, limit)


def _refuse(by: str, where: list[str] | None, profile: str | None, *, market: bool) -> None:
    """Refuse options that would cut a published total: calibrated figures add up to it or mean nothing."""
    if by != DEFAULT_KEYS or where or profile or market:
        sentence = "--calibrated spreads whole published cells, so that no other option but --from and --to applies."
        raise UsageError(sentence, action="Leave them out, and filter the rows of --format json or csv.")


def _refuse_profile(profile: str | None) -> None:
    """Refuse a profile: the provider's ratio is of the figures that are stored."""
    if profile is not None:
        sentence = "--market reads the figures of the ledger, so that --methodology does not apply."
        raise UsageError(sentence, action="Leave one of them out.")


_MARKET_NOTE = (
    "Market-based: direct emissions x the provider's own scope 2 market / location of the account, month and region, "
    "plus upstream and embodied; a contract of yours goes first. A view, not stored; unknown is empty, not zero."
)


def answer_of_market(found: MarketReport) -> Answer:
    """Return a report with market-based figures as it is shown: both methods side by side, never added."""
    made = found.report
    columns = [Column(key, key) for key in made.keys]
    columns += [
        Column("kgCO2e location", "total_kgco2e", people.figure),
        Column("market", TOTAL_MARKET, people.figure),
        Column("market known for", "market_coverage", people.share),
        Column("embodied", "embodied_kgco2e", people.figure),
        Column("lines", "line_items", people.count),
    ]
    notes = [_MARKET_NOTE]
    if not found.cells:
        notes.append("No report in the ledger has scope 2 by both methods.")
    if made.provenance.factor_set is not None:
        notes.append(f"Factor set {made.provenance.factor_set}; ledger version {made.provenance.ledger_version}.")
    return Answer(found.to_json(), made.rows, [Table("Location- and market-based", columns, made.rows)], notes=notes)


def answer_of_calibration(found: Calibration) -> Answer:
    """Return calibrated figures as they are shown."""
    columns = (
        Column("month", "month"),
        Column("", "provider"),
        Column("service", "service_name"),
        Column("resource", lambda row: row["resource_id"] or row["region_id"]),
        Column("kgCO2e location", "location_kgco2e", people.figure),
        Column("market", "market_kgco2e", people.figure),
        Column("", "state"),
    )
    notes = ["The providers' own figures, spread by our energy and embodied; not our estimate, and without its range."]
    if not any(value is not None for value in found.total.values()):
        notes.append("No provider report of these months is in the ledger.")
    return Answer(
        found.to_json(), found.rows, [Table("Calibrated to provider figures", columns, found.rows)], notes=notes
    )


def _under(profile: str, opened: "OpenLedger", question: _Question) -> Report:
    made = kitchen(profile)
    made_by = Provenance(made.factors.name, None, made.recipe.profile.value)
    return opened.rerated(made.rate_of, made_by, *question)


def answer_of(found: Report) -> Answer:
    """Return the report as it is shown."""
    tables = [_usage(found)]
    if found.excluded or found.quarantined:
        tables.append(_gap(found))
    return Answer(found.to_json(), found.rows, tables, notes=_notes(found))


def _usage(found: Report) -> Table:
    columns = [Column(key, key) for key in found.keys]
    columns += [
        Column("cost", _cost, people.money),
        Column("", "billing_currency"),
        Column("kWh", "energy_kwh", people.figure),
        Column("kgCO2e", "total_kgco2e", people.figure),
        Column(f"low {people.DASH} high", _range, str),
        Column("embodied", "embodied_kgco2e", people.figure),
        Column("lines", "line_items", people.count),
    ]
    return Table("Usage", columns, found.rows, _footer(found))


def _footer(found: Report) -> list[Mapping[str, object]]:
    """Return a total per currency, and the impacts over all where there are several."""
    if not found.keys:
        return []
    rows: list[Mapping[str, object]] = [{**row, found.keys[0]: "total"} for row in found.total]
    if len(found.total) > 1:
        rows.append({**found.impact_total, found.keys[0]: "all", "billed_cost": None, "effective_cost": None})
    return rows


def _range(row: Mapping[str, object]) -> object:
    return people.spread(row["total_low_kgco2e"], row["total_high_kgco2e"])


def _cost(row: Mapping[str, object]) -> object:
    billed = row["billed_cost"]
    return row["effective_cost"] if billed is None else billed


def _gap(found: Report) -> Table:
    rows: list[Mapping[str, object]] = []
    for kind, reasons in (("excluded", found.excluded), ("quarantined", found.quarantined or {})):
        for reason, tally in reasons.items():
            parts = tally.get("by_currency")
            rows.extend(
                {"kind": kind, "reason": reason, **part} for part in (parts if isinstance(parts, list) else [tally])
            )
    columns = (
        Column("", "kind"),
        Column("reason", "reason"),
        Column("cost", "billed_cost", people.money),
        Column("", "billing_currency"),
        Column("lines", "line_items", people.count),
    )
    return Table("On the invoice, but not usage", columns, rows)


def _notes(found: Report) -> Sequence[str]:
    cost = found.coverage["cost"]
    by_currency = found.coverage.get("cost_by_currency")
    notes = ["Coverage by cost: " + _shares(cost)] if isinstance(cost, Mapping) and not by_currency else []
    if isinstance(by_currency, list):
        notes += [f"Coverage by cost in {part['billing_currency']}: {_shares(part)}" for part in by_currency]
    made = found.provenance
    notes.append(
        "kgCO2e is location-based, fuel supply and grid losses included, plus embodied. "
        "Market-based figures and water: --format json.",
    )
    if made.factor_set is not None:
        under = f", methodology {made.methodology} (a view, not stored)" if made.methodology else ""
        notes.append(f"Factor set {made.factor_set}{under}; ledger version {made.ledger_version}.")
    return notes


def _shares(parts: Mapping[str, object]) -> str:
    names = ("estimated", "fallback", "not_estimated")
    if not any(isinstance(parts[name], Decimal) for name in names):
        return "unknown, nothing of this costs anything."
    return ", ".join(f"{people.share(parts[name])} {name.replace('_', ' ')}" for name in names) + "."
