"""Grid areas by year, what the user brings on top of them, and the mean of several places."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from offgridflow.domain.model import Span
from offgridflow.domain.periods import Hour, Month, Period, month_of
from offgridflow.domain.reasons import Assumption
from offgridflow.factors.model import GridFactor
from offgridflow.factors.records import Row, span_of

_LOSS_ID = "coefficient:grid_loss_default"
_RATIO_ID = "coefficient:grid_us_lifecycle_ratio"


class GridBook:
    """The set's grid factors.

    Args:
        rows: rows of ``grid.csv``.

    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._areas: dict[str, dict[int, Row]] = {}
        for row in rows:
            self._areas.setdefault(row["area"], {})[int(row["year"])] = row
        self._years = {area: sorted(rows) for area, rows in self._areas.items()}

    def areas(self) -> frozenset[str]:
        """Return the areas that have a factor."""
        return frozenset(self._areas)

    def row(self, area: str, year: int) -> Row | None:
        """Return the row of an area and a year, None where there is none."""
        return self._areas.get(area, {}).get(year)

    def at(self, area: str, year: int) -> GridFactor | None:
        """Return the factor of a year, else of the newest older year (``newest``), else of the oldest year."""
        years = self._years.get(area)
        if not years:
            return None
        place = bisect_right(years, year)
        chosen = years[place - 1] if place else years[0]
        return _factor(self._areas[area][chosen], newest=chosen < year)


def _factor(row: Row, *, newest: bool) -> GridFactor:
    key = f"{row['area']}:{row['year']}"
    marks = tuple(row["marks"].split())
    ids = [
        f"grid_direct:{key}" if row["direct"] else "",
        f"grid_lifecycle:{key}" if row["lifecycle"] else "",
        f"grid_generation:{key}" if row["generation_g_per_kwh"] else "",
        _LOSS_ID if Assumption.GRID_LOSS_DEFAULT in marks else "",
        _RATIO_ID if row["area"].startswith("egrid:") else "",
    ]
    return GridFactor(
        direct=span_of(row, "direct_low", "direct", "direct_high"),
        lifecycle_delivered=span_of(row, "lifecycle_low", "lifecycle", "lifecycle_high"),
        year=int(row["year"]),
        newest=newest,
        marks=marks,
        factor_ids=tuple(each for each in ids if each),
    )


def mean_of(grids: Sequence[GridFactor]) -> GridFactor:
    """Return the plain mean of several places; a boundary that one of them lacks is lacking in the mean."""
    return GridFactor(
        direct=_mean([each.direct for each in grids]),
        lifecycle_delivered=_mean([each.lifecycle_delivered for each in grids]),
        year=min(each.year for each in grids),
        newest=any(each.newest for each in grids),
        marks=tuple(dict.fromkeys(mark for each in grids for mark in each.marks)),
        factor_ids=tuple(dict.fromkeys(one for each in grids for one in each.factor_ids)),
    )


def _mean(spans: Sequence[Span | None]) -> Span | None:
    known = [each for each in spans if each is not None]
    if not known or len(known) < len(spans):
        return None
    count = len(known)
    return Span(
        sum(each.low for each in known) / count,
        sum(each.central for each in known) / count,
        sum(each.high for each in known) / count,
    )


@dataclass(frozen=True, slots=True)
class UserValue:
    """One grid intensity that the user brought, kgCO2e/kWh at the meter, for a year or a month of it (0: the year).

    ``hour`` is set where it is of an hour of that month alone.
    """

    factor_id: str
    kg_per_kwh: float
    direct: bool
    year: int
    month: int
    marks: tuple[str, ...] = ()
    hour: Hour | None = None


class UserGrid:
    """What the user brought for one place.

    Args:
        values: values of one place, any order.

    """

    def __init__(self, values: Iterable[UserValue]) -> None:
        kept = sorted(values, key=lambda each: (each.year, each.month))
        self._direct = _Values([each for each in kept if each.direct])
        self._lifecycle = _Values([each for each in kept if not each.direct])

    def over(self, base: GridFactor | None, period: Period, *, wins: bool) -> GridFactor | None:
        """Return the set's factor with the user's values laid over it, or under it where the set's ``wins``."""
        year = month_of(period).year
        direct, lifecycle = self._direct.at(period), self._lifecycle.at(period)
        if base is not None and not wins:
            direct = direct if base.direct is None else None
            lifecycle = lifecycle if base.lifecycle_delivered is None else None
        used = [each for each in (direct, lifecycle) if each is not None]
        if not used:
            return base
        empty = GridFactor(None, None, used[0].year, newest=False, marks=(), factor_ids=())
        base = base or empty
        kept = tuple(one for one in base.factor_ids if _kept(one, direct, lifecycle))
        more = tuple(mark for each in used for mark in (Assumption.GRID_USER.value, *each.marks))
        marks = (*more, *(() if lifecycle is not None else base.marks))
        return replace(
            base,
            direct=base.direct if direct is None else Span.exactly(direct.kg_per_kwh),
            lifecycle_delivered=base.lifecycle_delivered if lifecycle is None else Span.exactly(lifecycle.kg_per_kwh),
            year=used[-1].year,
            newest=any(each.year < year for each in used),
            marks=tuple(dict.fromkeys(marks)),
            factor_ids=(*(each.factor_id for each in used), *kept),
        )


def _kept(factor_id: str, direct: UserValue | None, lifecycle: UserValue | None) -> bool:
    """Return whether a factor of the set still stands behind the result."""
    return direct is None if factor_id.startswith("grid_direct:") else lifecycle is None


class _Values:
    """The user's values of one place and boundary, sorted by year and month."""

    def __init__(self, values: Sequence[UserValue]) -> None:
        self._plain = [each for each in values if each.hour is None]
        self._hours: dict[Hour, UserValue] = {}
        for each in values:
            if each.hour is not None:
                self._hours.setdefault(each.hour, each)
        self._hourly = {hour.month for hour in self._hours}

    def at(self, period: Period) -> UserValue | None:
        """Return the value of a month, or of an hour where its month has hours.

        An hour without a value in such a month has the month's, marked.
        """
        month = month_of(period)
        if not isinstance(period, Hour) or month not in self._hourly:
            return _pick(self._plain, month)
        exact = self._hours.get(period)
        if exact is not None:
            return exact
        found = _pick(self._plain, month)
        return found and replace(found, marks=(*found.marks, Assumption.GRID_HOUR_MISSING.value))


def _pick(values: Sequence[UserValue], period: Month) -> UserValue | None:
    """Return the value of the month, else of its year, else the newest older, else the oldest."""
    if not values:
        return None
    wanted = (period.year, period.month)
    for exact in (wanted, (period.year, 0)):
        for value in values:
            if (value.year, value.month) == exact:
                return value
    older = [value for value in values if (value.year, value.month) < wanted]
    return older[-1] if older else values[0]
