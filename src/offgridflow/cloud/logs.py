"""Structured logs: one JSON object a line on stderr, with trace ids, without secrets, without tracebacks of others.

Levels: DEBUG for attempts and pages, INFO for spans that end well, WARNING for retries and failures.
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Final, TextIO

from offgridflow.cloud.events import OK, Called, Ended, Event, Listener, Retried
from offgridflow.cloud.redact import Redactor
from offgridflow.domain.errors import OffGridFlowError

LOGGER_NAME: Final = "offgridflow"

TraceIds = Callable[[], tuple[str, str] | None]
"""Returns the ids of the current trace and span, in hexadecimal, or None outside of any."""


def no_trace() -> tuple[str, str] | None:
    """Return None: there is no tracing."""
    return None


class JsonFormatter(logging.Formatter):
    """Renders a record as one line of JSON: ``ts``, ``level``, ``logger``, ``event``, fields, ids, error.

    Args:
        redactor: takes secrets out of every text and field.
        trace_ids: where trace ids come from; see telemetry.

    """

    def __init__(self, redactor: Redactor | None = None, trace_ids: TraceIds = no_trace) -> None:
        super().__init__()
        self._redactor = redactor or Redactor()
        self._trace_ids = trace_ids

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without line breaks inside."""
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": self._redactor.text(record.getMessage()),
        }
        extra = getattr(record, "fields", None)
        if isinstance(extra, Mapping):
            line |= {name: value for name, value in self._redactor.mapping(extra).items() if name not in line}
        ids = self._trace_ids()
        if ids is not None:
            line["trace_id"], line["span_id"] = ids
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["error"] = self._error(error)
        return json.dumps(line, ensure_ascii=True, default=str)

    def _error(self, error: BaseException) -> dict[str, object]:
        """Return type and code of an error, and its sentence if it is ours: messages of others may hold anything."""
        shown: dict[str, object] = {"type": type(error).__name__}
        if isinstance(error, OffGridFlowError):
            shown |= {"error_code": error.code, "sentence": self._redactor.text(str(error))}
        return shown


def configure(
    stream: TextIO | None = None,
    level: int | str = logging.INFO,
    redactor: Redactor | None = None,
    trace_ids: TraceIds = no_trace,
) -> logging.Logger:
    """Send our logs to ``stream`` (stderr) as JSON and return the logger; calling again replaces the former setting."""
    logger = logging.getLogger(LOGGER_NAME)
    for old in list(logger.handlers):
        logger.removeHandler(old)
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(redactor, trace_ids))
    logger.addHandler(handler)
    logger.setLevel(level)
    logger.propagate = False
    return logger


def is_read() -> bool:
    """Whether anybody reads our log. Where nobody does, Python would print warnings to stderr, raw: write none."""
    return logging.getLogger(LOGGER_NAME).hasHandlers()


def log_listener(logger: logging.Logger | None = None) -> Listener:
    """Return a listener that writes every event to the log, under the event's name."""
    to = logger or logging.getLogger(f"{LOGGER_NAME}.door")

    def listen(event: Event) -> None:
        level = _level(event)
        if to.isEnabledFor(level):
            to.log(level, type(event).__name__.lower(), extra={"fields": _fields(event)})

    return listen


def _fields(event: Event) -> dict[str, object]:
    return {each.name: getattr(event, each.name) for each in fields(event)}


def _level(event: Event) -> int:
    if isinstance(event, Retried):
        return logging.WARNING
    if isinstance(event, (Called, Ended)) and event.outcome != OK:
        return logging.WARNING
    return logging.INFO if isinstance(event, Ended) else logging.DEBUG
