"""What the command line, the API and Python callers start: an ingest under settings, and its answer as plain data."""

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from offgridflow.ledger import Ledger
from offgridflow.pipeline.doorway import door_of, listening
from offgridflow.pipeline.ingest import ingest_paths
from offgridflow.pipeline.kitchen import kitchen_of
from offgridflow.pipeline.model import (
    IngestOptions,
    IngestResult,
    Limits,
    PeriodResult,
    Ports,
    Progress,
    Tally,
    no_progress,
)
from offgridflow.pipeline.rerate import rerate
from offgridflow.settings import Settings

if TYPE_CHECKING:
    from offgridflow.connectors.delivery import CheckReport
    from offgridflow.pipeline.sources import SourceRun

MIB = 2**20


def ingest_files(
    paths: Sequence[Path],
    ledger_uri: str,
    settings: Settings,
    options: IngestOptions | None = None,
    progress: Progress = no_progress,
) -> IngestResult:
    """Ingest local files and folders into the ledger at ``ledger_uri``, creating it where there is none.

    Raises UsageError and LedgerError where nothing can be begun; what fails on the way is in the result.
    """
    kitchen = kitchen_of(settings)
    ledger = Ledger.open(ledger_uri, create=True, retention_days=settings.ledger.retention_days)
    ports = Ports(Path(tempfile.gettempdir()), progress=progress)
    return ingest_paths(paths, ledger, kitchen, options or options_of(settings), ports)


def ingest_configured(
    names: Sequence[str],
    ledger_uri: str,
    settings: Settings,
    options: IngestOptions | None = None,
    progress: Progress = no_progress,
) -> IngestResult:
    """Ingest what is new or restated of the configured sources with these names, of all where none is named.

    It is a run like a worker's: noted in the history, alone on each account. What is named is tried even if it is held.
    """
    from offgridflow.pipeline.worker import Errand, run_once  # noqa: PLC0415 - loads the connectors

    errand = Errand(ledger_uri, settings, options or options_of(settings), tuple(names), "ingest", progress)
    return run_once(errand).result


def check_configured(names: Sequence[str], settings: Settings) -> "list[CheckReport]":
    """Try credentials and permissions of the configured sources without ingesting and without a ledger."""
    from offgridflow.pipeline.sources import check_sources, chosen_sources  # noqa: PLC0415 - loads the connectors

    chosen = chosen_sources(settings.sources, names)
    with listening(settings) as listener:
        return check_sources(Path(settings.cache_folder), door_of(settings, listener), chosen)


def rerate_ledger(
    ledger_uri: str,
    settings: Settings,
    chosen: tuple[str | None, str | None, str | None] = (None, None, None),
    progress: Progress = no_progress,
) -> IngestResult:
    """Rate the stored activities again under the settings; ``chosen`` is (source, first period, last period)."""
    source, first, last = chosen
    options = replace(options_of(settings), source=source, first_period=first, last_period=last)
    ports = Ports(Path(tempfile.gettempdir()), progress=progress)
    return rerate(Ledger.open(ledger_uri), kitchen_of(settings), options, ports)


def source_run(
    ledger_uri: str,
    settings: Settings,
    options: IngestOptions | None = None,
    progress: Progress = no_progress,
) -> "SourceRun":
    """Return what all sources of one run share."""
    from offgridflow.pipeline.sources import SourceRun  # noqa: PLC0415 - loads the connectors

    return SourceRun(
        ledger=Ledger.open(ledger_uri, create=True, retention_days=settings.ledger.retention_days),
        kitchen=kitchen_of(settings),
        options=options or options_of(settings),
        ports=Ports(Path(tempfile.gettempdir()), progress=progress),
        cache_folder=Path(settings.cache_folder),
        door=door_of(settings),
    )


def options_of(settings: Settings) -> IngestOptions:
    """Return the options that the settings alone give."""
    bounds = settings.limits
    limits = Limits(bounds.threads, bounds.memory_mib, bounds.max_line_mib * MIB)
    return IngestOptions(allow_overlap=settings.ledger.allow_overlap, limits=limits)


def answer_of(result: IngestResult) -> dict[str, object]:
    """Return an ingest's answer in the shape that design.md section 7 fixes; numbers are decimals."""
    return {
        "periods": [_period(period) for period in result.periods],
        "status": result.status,
        "notes": list(result.notes),
    }


def _period(period: PeriodResult) -> dict[str, object]:
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
        "error": None if error is None else {"code": error.code, "message": error.sentence, "action": error.action},
    }


def _tallies(tallies: dict[str, Tally]) -> dict[str, dict[str, int | Decimal | None]]:
    return {
        reason: {"line_items": tally.line_items, "billed_cost": tally.billed_cost}
        for reason, tally in sorted(tallies.items())
    }
