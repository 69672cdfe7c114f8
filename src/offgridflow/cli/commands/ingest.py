"""``offgridflow ingest``: bills in, committed periods out."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offgridflow.cli import people
from offgridflow.cli.options import Format, FormatOption, LedgerOption, ProfileOption
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import kitchen, open_for_writing, progress, settings
from offgridflow.domain.errors import UsageError
from offgridflow.domain.periods import Month

if TYPE_CHECKING:
    from offgridflow.pipeline.model import IngestOptions, IngestResult, PeriodResult, Tally

ORDER = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ingest")(ingest)


def ingest(  # noqa: PLR0913  the options of one command
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH...]", help="Files or folders; the format is found from their content."),
    ] = None,
    *,
    source: Annotated[str | None, typer.Option("--source", help="Name of the source, else PROVIDER/ACCOUNT.")] = None,
    date_from: Annotated[
        str | None, typer.Option("--from", metavar="YYYY-MM", help="First billing period, inclusive.")
    ] = None,
    date_to: Annotated[
        str | None, typer.Option("--to", metavar="YYYY-MM", help="Last billing period, inclusive.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Read again what is unchanged.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let a delivery replace one that holds more than twice its lines.")
    ] = False,
    profile: ProfileOption = None,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Read bills into the ledger: every billing period is committed whole, or not at all.

    The same delivery under the same settings is found unchanged. Exit code 1 says that some file or period failed;
    the others are committed.
    """
    if not paths:
        sentence = "No file or folder was named."
        raise UsageError(sentence, action="Write for example offgridflow ingest ./exports.")
    first, last = _month("--from", date_from), _month("--to", date_to)
    result = run(paths, _options(source, first, last, full=full, replace=replace), ledger, profile)
    emit(answer_of(result), form)
    if result.status != "ok":
        raise typer.Exit(1)


def run(
    paths: Sequence[Path],
    options: "IngestOptions",
    ledger: str | None = None,
    profile: str | None = None,
) -> "IngestResult":
    """Ingest paths into the ledger that was named or set; it is created where there is none."""
    from offgridflow.pipeline.ingest import ingest_paths  # noqa: PLC0415  the engine is late
    from offgridflow.pipeline.model import Ports  # noqa: PLC0415  see above

    made = kitchen(profile)
    with progress() as listen:
        ports = Ports(Path(tempfile.gettempdir()), progress=listen)
        return ingest_paths(paths, open_for_writing(ledger), made, options, ports)


def _options(source: str | None, first: str | None, last: str | None, *, full: bool, replace: bool) -> "IngestOptions":
    from offgridflow.pipeline.model import IngestOptions, Limits  # noqa: PLC0415  the engine is late

    chosen = settings()
    limits = Limits(chosen.limits.threads, chosen.limits.memory_mib, chosen.limits.max_line_mib * 2**20)
    return IngestOptions(source, replace, chosen.ledger.allow_overlap, full, first, last, limits)


def _month(option: str, text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return str(Month.parse(text))
    except ValueError as error:
        sentence = f"{option}: {error}."
        raise UsageError(sentence, action=f"Write for example {option} 2025-06.") from error


# what it answers ----------------------------------------------------------------------------------------------------


def result_json(result: "IngestResult") -> dict[str, object]:
    """Return the JSON shape of design.md section 7."""
    return {
        "periods": [_period_json(period) for period in result.periods],
        "status": result.status,
        "notes": list(result.notes),
    }


def _period_json(period: "PeriodResult") -> dict[str, object]:
    error = period.error
    return {
        "source": period.source,
        "billing_period": period.billing_period,
        "provider": period.provider,
        "format": period.format,
        "billing_currency": period.billing_currency,
        "status": period.status,
        "line_items": period.line_items,
        "activities": period.activities,
        "excluded": _tallies(period.excluded),
        "quarantined": _tallies(period.quarantined),
        "billed_cost": period.billed_cost,
        "total_kgco2e": period.total_kgco2e,
        "fingerprint": period.fingerprint,
        "error": error and {"code": error.code, "sentence": error.sentence, "action": error.action},
    }


def _tallies(parts: Mapping[str, "Tally"]) -> dict[str, object]:
    return {
        reason: {"line_items": tally.line_items, "billed_cost": tally.billed_cost} for reason, tally in parts.items()
    }


def answer_of(result: "IngestResult") -> Answer:
    """Return the result as it is shown."""
    rows = [_period_json(period) for period in result.periods]
    records = [
        {**row, "error": period.error and period.error.code} for row, period in zip(rows, result.periods, strict=True)
    ]
    columns = (
        Column("source", "source"),
        Column("period", "billing_period"),
        Column("format", "format"),
        Column("lines", "line_items", people.count),
        Column("cost", "billed_cost", people.money),
        Column("", "billing_currency"),
        Column("kgCO2e", "total_kgco2e", people.figure),
        Column("", "status"),
    )
    done = [row for row in rows if row["source"] is not None]
    tables = [Table("Ingested", columns, done)] if done else []
    return Answer(result_json(result), records, tables, notes=_notes(result))


def _notes(result: "IngestResult") -> list[str]:
    notes = [
        f"{period.source} {period.billing_period}: {tally.line_items:,} lines could not be read ({reason}) and stand "
        "in quarantine."
        for period in result.periods
        for reason, tally in period.quarantined.items()
    ]
    notes += [
        f"Failed [{period.error.code}]: {period.error.sentence} {period.error.action}".rstrip()
        for period in result.periods
        if period.error is not None
    ]
    return [*notes, *result.notes]
