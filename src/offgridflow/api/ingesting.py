"""What a run does: ingest the paths that the settings name. A request can narrow periods, never name a path."""

import dataclasses
from collections.abc import Mapping

from offgridflow.domain.errors import UsageError
from offgridflow.pipeline.model import Progress
from offgridflow.pipeline.service import answer_of, ingest_files, options_of
from offgridflow.settings import Settings


def ingest(
    settings: Settings, ledger_uri: str, parameters: Mapping[str, object], progress: Progress
) -> Mapping[str, object]:
    """Ingest the configured paths and return the answer of ``offgridflow ingest``.

    ``parameters``: ``from`` and ``to`` (billing periods or None), ``full``, ``replace``. Raises UsageError where no
    path is configured, LedgerError, and whatever ``progress`` raises.
    """
    if not settings.api.paths:
        sentence = "No path to ingest is configured."
        raise UsageError(sentence, action='Set api.paths in offgridflow.toml, for example paths = ["./exports"].')
    options = dataclasses.replace(
        options_of(settings),
        full=parameters.get("full") is True,
        replace=parameters.get("replace") is True,
        first_period=_text(parameters.get("from")),
        last_period=_text(parameters.get("to")),
    )
    return answer_of(ingest_files(list(settings.api.paths), ledger_uri, settings, options, progress))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
