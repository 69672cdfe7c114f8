"""The period before: as many months, or days, as the one that is asked about, and rows with both side by side."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Final

from offgridflow.reports.figures import Row, difference
from offgridflow.reports.scope import Days

COMPARED: Final = ("total_kgco2e", "energy_kwh", "billed_cost")
"""The figures that stand beside those of the period before."""


_FIRST_MONTH: Final = 12
"""January of the year 1, counted in months."""


def previous_days(days: Days) -> Days | None:
    """Return the period of equal length that ends the day before ``days`` begins; None where an end is open.

    A period of whole calendar months is preceded by as many calendar months, whatever their days.
    """
    if days.first is None or days.last is None:
        return None
    last = days.first - timedelta(days=1)
    after = days.last + timedelta(days=1)
    if days.first.day == 1 and after.day == 1:
        months = (after.year - days.first.year) * 12 + after.month - days.first.month
        index = days.first.year * 12 + days.first.month - 1 - months
        return Days(date(index // 12, index % 12 + 1, 1), last) if index >= _FIRST_MONTH else None
    length = days.last - days.first
    return Days(last - length, last) if last.toordinal() > length.days else None


def with_previous(rows: Sequence[Row], before: Sequence[Row], keys: Sequence[str]) -> list[Row]:
    """Return ``rows`` with ``previous_<figure>`` and ``<figure>_change`` from the row of ``before`` with equal keys."""
    known = {tuple(row[key] for key in keys): row for row in before}
    return [_beside(row, known.get(tuple(row[key] for key in keys))) for row in rows]


def _beside(row: Row, before: Row | None) -> Row:
    added: Row = {}
    for name in COMPARED:
        old = None if before is None else before[name]
        added[f"previous_{name}"] = old
        added[f"{name}_change"] = difference(row[name], old)
    return {**row, **added}
