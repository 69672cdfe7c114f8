"""``offgridflow ingest``: bills in, committed periods out."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offgridflow.cli import people
from offgridflow.cli.options import (
    FirstPeriodOption,
    Format,
    FormatOption,
    FullOption,
    LastPeriodOption,
    LedgerOption,
    periods_of,
)
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import progress, settings
from offgridflow.domain.errors import UsageError

if TYPE_CHECKING:
    from offgridflow.pipeline.model import IngestResult

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
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="With paths: name of the source, else PROVIDER/ACCOUNT. Without: which sources."),
    ] = None,
    date_from: FirstPeriodOption = None,
    date_to: LastPeriodOption = None,
    full: FullOption = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Let a delivery replace one that holds more than twice its lines.")
    ] = False,
    ledger: LedgerOption = None,
    form: FormatOption = Format.TABLE,
) -> None:
    """Read bills into the ledger. Every billing period is committed whole, or not at all.

    Without a path, every source of offgridflow.toml is asked for what is new or restated.

    The same delivery under the same settings is found unchanged, unless --full is given. Exit code 1 says that some
    file or period failed, 2 that only wrong settings of sources did; the others are committed.
    """
    first, last = periods_of(date_from, date_to)
    changes = {"first_period": first, "last_period": last, "full": full, "replace": replace}
    names = source or []
    result = run(paths, ledger, {**changes, "source": _one(names)}) if paths else run_sources(names, ledger, changes)
    emit(answer_of(result), form)
    end(result)


def run(
    paths: Sequence[Path], ledger: str | None, changes: Mapping[str, Any], tag_keys: Sequence[str] = ()
) -> "IngestResult":
    """Ingest paths into the ledger that was named or set; ``changes`` are fields of IngestOptions.

    ``tag_keys`` are kept apart beside those of the settings.
    """
    from offgridflow.pipeline.service import ingest_files, options_of  # noqa: PLC0415  the engine is late

    chosen = settings()
    kept = tuple(dict.fromkeys((*chosen.grain.tag_keys, *tag_keys)))
    chosen = chosen.model_copy(update={"grain": chosen.grain.model_copy(update={"tag_keys": kept})})
    options = dataclasses.replace(options_of(chosen), **changes)
    with progress() as listen:
        return ingest_files(paths, chosen.ledger.address(ledger), chosen, options, listen)


def run_sources(names: Sequence[str], ledger: str | None, changes: Mapping[str, Any]) -> "IngestResult":
    """Ingest the configured sources with these names, all where none is named."""
    from offgridflow.pipeline.doorway import configure_logs  # noqa: PLC0415  the engine is late
    from offgridflow.pipeline.service import ingest_configured, options_of  # noqa: PLC0415  see above

    chosen = settings()
    configure_logs(chosen)
    options = dataclasses.replace(options_of(chosen), **changes)
    with progress() as listen:
        return ingest_configured(names, chosen.ledger.address(ledger), chosen, options, listen)


def end(result: "IngestResult") -> None:
    """End the command with 1 where something failed, 2 where all that failed did so for wrong settings."""
    failures = [period.error for period in result.periods if period.error is not None]
    if failures:
        raise typer.Exit(2 if all(failure.retry_class == "settings" for failure in failures) else 1)


def _one(names: Sequence[str]) -> str | None:
    if len(names) > 1:
        sentence = "Files belong to one source, and several were named."
        raise UsageError(sentence, action="Give --source once, or name no path to ingest configured sources.")
    return names[0] if names else None


def answer_of(result: "IngestResult") -> Answer:
    """Return the result as it is shown."""
    from offgridflow.pipeline.service import answer_of as as_data  # noqa: PLC0415  the engine is late

    data = as_data(result)
    rows = [row for row in _listed(data["periods"]) if isinstance(row, dict)]
    errors = (period.error and period.error.code for period in result.periods)
    records = [{**row, "error": error} for row, error in zip(rows, errors, strict=True)]
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
    return Answer(data, records, tables, notes=_notes(result))


def _notes(result: "IngestResult") -> list[str]:
    notes = [
        f"{period.source} {period.billing_period}: {tally.line_items:,} lines could not be read ({reason}) and stand "
        "in quarantine."
        for period in result.periods
        for reason, tally in period.quarantined.items()
    ]
    notes += [
        f"Failed [{period.error.code}]: {period.error.sentence.rstrip('.')}. {period.error.action}".rstrip()
        for period in result.periods
        if period.error is not None
    ]
    return [*notes, *result.notes]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []
