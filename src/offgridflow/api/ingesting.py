"""What a run does: ingest the paths and sources of the settings. A request can narrow periods, never name either."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from offgridflow.api.runs import ORIGIN, RunCancelledError
from offgridflow.domain.errors import UsageError
from offgridflow.pipeline.model import IngestOptions, IngestResult, Progress
from offgridflow.pipeline.service import answer_of, ingest_files, options_of
from offgridflow.settings import Settings

if TYPE_CHECKING:
    from offgridflow.pipeline.runner import RunReport


def ingest(
    settings: Settings, ledger_uri: str, parameters: Mapping[str, object], progress: Progress
) -> Mapping[str, object]:
    """Ingest the configured paths, run the configured sources, and return the answer of ``offgridflow ingest``.

    ``parameters``: ``from`` and ``to`` (billing periods or None), ``full``, ``replace``. The answer has ``run_id``
    beside it: that of the history of runs, None without sources. Raises UsageError where neither a path nor a source is
    configured, LedgerError, and whatever ``progress`` raises.
    """
    if not settings.api.paths and not settings.sources:
        sentence = "No path to ingest is configured, and no source."
        raise UsageError(sentence, action='Set api.paths in offgridflow.toml, for example paths = ["./exports"].')
    options = dataclasses.replace(
        options_of(settings),
        full=parameters.get("full") is True,
        replace=parameters.get("replace") is True,
        first_period=_text(parameters.get("from")),
        last_period=_text(parameters.get("to")),
    )
    paths = IngestResult(())
    if settings.api.paths:
        paths = ingest_files(list(settings.api.paths), ledger_uri, settings, options, progress)
    if not settings.sources:
        return {**answer_of(paths), "run_id": None}
    report = _run_sources(settings, ledger_uri, options, progress)
    both = IngestResult((*paths.periods, *report.result.periods), (*paths.notes, *report.result.notes))
    answer = {**answer_of(both), "run_id": report.run_id}
    if report.stopped:
        raise RunCancelledError(answer)
    return answer


def _run_sources(settings: Settings, ledger_uri: str, options: IngestOptions, progress: Progress) -> "RunReport":
    """Do what ``offgridflow run`` does. A run that is cancelled ends after the delivery that it is at, and is noted."""
    from offgridflow.pipeline.worker import Errand, run_once  # noqa: PLC0415 - loads the connectors

    is_cancelled, newest = False, ("plan", "", 0, len(settings.sources))

    def told(stage: str, detail: str, done: int, total: int) -> None:
        nonlocal is_cancelled, newest
        newest = (stage, detail, done, total)
        try:
            progress(*newest)
        except RunCancelledError:
            is_cancelled = True

    def must_stop() -> bool:
        """Ask again: nothing may have been told since the cancel."""
        if not is_cancelled:
            told(*newest)
        return is_cancelled

    return run_once(Errand(ledger_uri, settings, options, origin=ORIGIN, progress=told), must_stop)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
