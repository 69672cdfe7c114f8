"""Records as CSV that no spreadsheet takes for a formula: one spelling for the command line and the API."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from offgridflow.reports.figures import plain, to_json

_RISKY: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def jsonable(value: object) -> object:
    """Return a value with instants and days as ISO 8601 text, all else as it is."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    return value


def to_csv(records: Sequence[Mapping[str, object]], columns: Iterable[str] = ()) -> str:
    """Return records as CSV (RFC 4180, CRLF). A text that a spreadsheet would run gets an apostrophe before it.

    Numbers are written in full and untouched, unknown values as empty cells. ``columns`` come first, whether a record
    has them or not.
    """
    names = list(dict.fromkeys([*columns, *(name for record in records for name in record)]))
    out = io.StringIO()
    writer = csv.writer(out)
    if names:
        writer.writerow([_safe(name) for name in names])
    writer.writerows([_cell(record.get(name)) for name in names] for record in records)
    return out.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float | Decimal):
        return plain(value)
    if isinstance(value, Mapping | list | tuple):
        return _safe(to_json(jsonable(value), indent=None))
    return _safe(str(jsonable(value)))


def _safe(text: str) -> str:
    return "'" + text if text.startswith(_RISKY) else text
