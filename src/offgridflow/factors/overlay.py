"""Grid factors that the user brings in a CSV, checked cell by cell.

Columns: ``provider`` (empty for a country or an area), ``place`` (a region id, an ISO-3166 alpha-3 country, or a grid
area of the set such as ``zone:CA-QC``), ``period`` (``YYYY``, ``YYYY-MM`` or an hour ``YYYY-MM-DDTHH``), ``g_per_kwh``,
``boundary`` (``direct``, ``lifecycle_delivered`` or ``lifecycle_generation``), ``source``. Hours are in
UTC. A rate of an hour takes the hour's value, a rate of a month the plain mean of its hours.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from offgridflow.domain.identity import digest_of
from offgridflow.domain.periods import Hour, Month
from offgridflow.domain.reasons import Assumption
from offgridflow.domain.user_csv import Header, Record, records
from offgridflow.factors.gridbook import UserValue
from offgridflow.factors.tables import FactorSetError

COLUMNS: Final = ("provider", "place", "period", "g_per_kwh", "boundary", "source")
BOUNDARIES: Final = ("direct", "lifecycle_delivered", "lifecycle_generation")
MOST_G_PER_KWH: Final = 3000.0
"""No grid and no single generator emits more per kWh; a larger number is in another unit."""

_PERIOD = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})T(\d{2})(?::00)?(?::00)?Z?)?)?")
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class UserGridRow:
    """One line of the user's file, checked. ``month`` is 0 where the value is of the whole year.

    ``hour`` is set where the value is of an hour; year and month are then those of the hour.
    """

    provider: str
    place: str
    year: int
    month: int
    g_per_kwh: float
    boundary: str
    source: str
    hour: Hour | None = None


def read_user_grid(path: Path) -> tuple[UserGridRow, ...]:
    """Read the user's grid factors.

    Raises:
        FactorSetError: naming file, line and column of the first cell that is wrong.

    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        sentence = f"The grid factors in {path.name} cannot be read: {error}."
        raise FactorSetError(sentence, action="Write a CSV in UTF-8.") from error
    columns = f"Columns are {', '.join(COLUMNS)}."
    rows = tuple(map(_row, records(text, path.name, _fault_of, columns, FactorSetError)))
    _refuse_twice(rows, path.name)
    return rows


def _fault_of(header: Header) -> str:
    """Return what is wrong with the columns; others than ours may stand beside them."""
    missing = next((column for column in COLUMNS if column not in header), None)
    return "" if missing is None else f"column {missing} is missing"


def _row(record: Record) -> UserGridRow:
    record.refuse_empty("place", "source")
    year, month, hour = _period(record)
    if record["boundary"] not in BOUNDARIES:
        record.refuse("boundary", f"write one of {', '.join(BOUNDARIES)}")
    return UserGridRow(
        record["provider"].lower(),
        record["place"],
        year,
        month,
        _grams(record),
        record["boundary"],
        record["source"],
        hour,
    )


def _period(record: Record) -> tuple[int, int, Hour | None]:
    match = _PERIOD.fullmatch(record["period"])
    try:
        if match is not None and match[3] is not None:
            hour = Hour.parse("-".join(match.group(1, 2, 3)) + f"T{match[4]}")
            return hour.month.year, hour.month.month, hour
    except ValueError:
        match = None
    month = int(match[2] or 0) if match else 0
    if match is None or month > _MONTHS or (match[2] is not None and month < 1):
        record.refuse("period", "write YYYY, YYYY-MM or YYYY-MM-DDTHH")
    return int(match[1]), month, None


def _grams(record: Record) -> float:
    try:
        value = float(record["g_per_kwh"])
    except ValueError:
        value = math.nan
    if not 0 <= value <= MOST_G_PER_KWH:
        record.refuse("g_per_kwh", f"write grams from 0 to {MOST_G_PER_KWH:g}")
    return value


def _refuse_twice(rows: Iterable[UserGridRow], name: str) -> None:
    seen = set()
    for row in rows:
        key = (row.provider, row.place, period_text(row.year, row.month, row.hour), row.boundary, row.source)
        if key in seen:
            sentence = f"{name}: {row.place} has two values for {key[2]}, boundary {row.boundary}."
            raise FactorSetError(sentence, action="Keep one of them.")
        seen.add(key)


def period_text(year: int, month: int, hour: Hour | None) -> str:
    """Return a year (``month`` 0), a month or an hour as it is written in the file."""
    return str(hour) if hour is not None else str(Month(year, month)) if month else str(year)


def values_of(
    rows: Iterable[UserGridRow], source_name: str, loss_fraction: float
) -> dict[tuple[str, str], list[UserValue]]:
    """Return the user's values by (provider, place), in kg/kWh at the meter.

    Each hour has its own, and its month has the plain mean of the month's hours, unless the file has the month itself.
    """
    found: dict[tuple[str, str], list[UserValue]] = defaultdict(list)
    for (provider, place, year, month, hour, boundary), values in sorted(_grouped(rows).items(), key=_in_order):
        factor_id = f"user:{source_name}:{provider or 'any'}:{place}:{period_text(year, month, hour)}:{boundary}"
        kg = sum(values) / len(values)
        generated = boundary == "lifecycle_generation"
        marks = (Assumption.GRID_LOSS_DEFAULT.value,) if generated else ()
        kg = kg / (1 - loss_fraction) if generated else kg
        found[provider, place].append(UserValue(factor_id, kg, boundary == "direct", year, month, marks, hour))
    return dict(found)


_Key = tuple[str, str, int, int, Hour | None, str]


def _grouped(rows: Iterable[UserGridRow]) -> dict[_Key, list[float]]:
    """Return the values in kg by place, period and boundary."""
    grouped: dict[_Key, list[float]] = defaultdict(list)
    means: dict[_Key, list[float]] = defaultdict(list)
    for row in rows:
        key = (row.provider, row.place.lower(), row.year, row.month, row.hour, row.boundary)
        grouped[key].append(row.g_per_kwh / 1000)
        if row.hour is not None:
            means[*key[:4], None, row.boundary].append(row.g_per_kwh / 1000)
    return {**means, **grouped}


def _in_order(item: tuple[_Key, list[float]]) -> tuple[str, str, int, int, str, str]:
    provider, place, year, month, hour, boundary = item[0]
    return provider, place, year, month, str(hour or ""), boundary


def content_of(row: UserGridRow) -> dict[str, object]:
    """Return a row as what the digest of a set is made of; a row without an hour says nothing of hours."""
    content = asdict(row)
    hour = content.pop("hour")
    return content if hour is None else {**content, "hour": str(row.hour)}


def digest_with(base: str, content: object) -> str:
    """Return the digest of a set with something laid over it."""
    return digest_of([base, content])
