"""Grid factors that the user brings in a CSV, checked cell by cell.

Columns: ``provider`` (empty for a country or an area), ``place`` (a region id, an ISO-3166 alpha-3 country, or a grid
area of the set such as ``zone:CA-QC``), ``period`` (``YYYY``, ``YYYY-MM`` or an hour ``YYYY-MM-DDTHH``), ``g_per_kwh``,
``boundary`` (``direct``, ``lifecycle_delivered`` or ``lifecycle_generation``), ``source``. Hours become the plain mean
of their month, because rates are by month.
"""

import csv
import math
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from offgridflow.domain.identity import digest_of
from offgridflow.domain.reasons import Assumption
from offgridflow.factors.gridbook import UserValue
from offgridflow.factors.tables import FactorSetError

COLUMNS: Final = ("provider", "place", "period", "g_per_kwh", "boundary", "source")
BOUNDARIES: Final = ("direct", "lifecycle_delivered", "lifecycle_generation")
MOST_G_PER_KWH: Final = 3000.0
"""No grid and no single generator emits more per kWh; a larger number is in another unit."""

_PERIOD = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})T(\d{2})(?::00)?(?::00)?Z?)?)?")
_MONTHS, _DAYS, _HOURS = 12, 31, 23


@dataclass(frozen=True, slots=True)
class UserGridRow:
    """One line of the user's file, checked. ``month`` is 0 where the value is of the whole year."""

    provider: str
    place: str
    year: int
    month: int
    g_per_kwh: float
    boundary: str
    source: str


def read_user_grid(path: Path) -> tuple[UserGridRow, ...]:
    """Read the user's grid factors.

    Raises:
        FactorSetError: naming file, line and column of the first cell that is wrong.

    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return _rows(csv.reader(file, strict=True), path.name)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        sentence = f"The grid factors in {path.name} cannot be read: {error}."
        raise FactorSetError(sentence, action="Write a CSV in UTF-8.") from error


def _rows(lines: Iterable[list[str]], name: str) -> tuple[UserGridRow, ...]:
    source = iter(lines)
    header = tuple(cell.strip().lower() for cell in next(source, []))
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        sentence = f"{name}, line 1: column {missing[0]} is missing."
        raise FactorSetError(sentence, action=f"Columns are {', '.join(COLUMNS)}.")
    found = []
    for line, cells in enumerate(source, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            sentence = f"{name}, line {line}: {len(cells)} cells, the header has {len(header)}."
            raise FactorSetError(sentence, action="Quote cells that hold commas.")
        found.append(_row(dict(zip(header, (cell.strip() for cell in cells), strict=True)), f"{name}, line {line}"))
    _refuse_twice(found, name)
    return tuple(found)


def _row(cells: dict[str, str], where: str) -> UserGridRow:
    for column in ("place", "source"):
        if not cells[column]:
            raise _wrong(where, column, "", "it must not be empty")
    year, month = _period(cells["period"], where)
    if cells["boundary"] not in BOUNDARIES:
        raise _wrong(where, "boundary", cells["boundary"], f"write one of {', '.join(BOUNDARIES)}")
    return UserGridRow(
        cells["provider"].lower(),
        cells["place"],
        year,
        month,
        _grams(cells["g_per_kwh"], where),
        cells["boundary"],
        cells["source"],
    )


def _period(text: str, where: str) -> tuple[int, int]:
    match = _PERIOD.fullmatch(text)
    month, day, hour = (int(match[each] or 0) for each in (2, 3, 4)) if match else (0, 0, 0)
    bad = match is None or month > _MONTHS or day > _DAYS or hour > _HOURS or (match[2] is not None and month < 1)
    if match is None or bad:
        raise _wrong(where, "period", text, "write YYYY, YYYY-MM or YYYY-MM-DDTHH")
    return int(match[1]), month


def _grams(text: str, where: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MOST_G_PER_KWH:
        raise _wrong(where, "g_per_kwh", text, f"write grams from 0 to {MOST_G_PER_KWH:g}")
    return value


def _wrong(where: str, column: str, seen: str, accepted: str) -> FactorSetError:
    return FactorSetError(f"{where}, column {column}: {seen!r} is not accepted.", action=f"{accepted.capitalize()}.")


def _refuse_twice(rows: Iterable[UserGridRow], name: str) -> None:
    seen = set()
    for row in rows:
        key = (row.provider, row.place, row.year, row.boundary, row.source)
        if row.month == 0:
            if key in seen:
                sentence = f"{name}: {row.place} has two values for {row.year}, boundary {row.boundary}."
                raise FactorSetError(sentence, action="Keep one of them.")
            seen.add(key)


def values_of(
    rows: Iterable[UserGridRow], source_name: str, loss_fraction: float
) -> dict[tuple[str, str], list[UserValue]]:
    """Return the user's values by (provider, place), in kg/kWh at the meter; hours of a month are averaged."""
    grouped: dict[tuple[str, str, int, int, str], list[float]] = defaultdict(list)
    for row in rows:
        grouped[row.provider, row.place.lower(), row.year, row.month, row.boundary].append(row.g_per_kwh / 1000)
    found: dict[tuple[str, str], list[UserValue]] = defaultdict(list)
    for (provider, place, year, month, boundary), values in sorted(grouped.items()):
        period = f"{year}-{month:02d}" if month else str(year)
        factor_id = f"user:{source_name}:{provider or 'any'}:{place}:{period}:{boundary}"
        kg = sum(values) / len(values)
        generated = boundary == "lifecycle_generation"
        marks = (Assumption.GRID_LOSS_DEFAULT.value,) if generated else ()
        kg = kg / (1 - loss_fraction) if generated else kg
        found[provider, place].append(UserValue(factor_id, kg, boundary == "direct", year, month, marks))
    return dict(found)


def digest_with(base: str, content: object) -> str:
    """Return the digest of a set with something laid over it."""
    return digest_of([base, content])
