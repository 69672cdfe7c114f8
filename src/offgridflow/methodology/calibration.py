"""A provider's published figure of a cell, spread over the rows of the cell (methodology.md section 5).

Scope 1 and 2 follow our IT energy; scope 3 our upstream + embodied. The sum over a cell is the published figure, to
the last digit that a double holds; what has no key stays with the provider, and no official figure means no figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

UNALLOCATED = "provider_unallocated"
UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True, slots=True)
class Published:
    """The provider's figures of one cell (month x account x region x service), kgCO2e; None where not published."""

    scope_1: float | None
    scope_2_location: float | None
    scope_2_market: float | None
    scope_3_location: float | None
    scope_3_market: float | None = None


@dataclass(frozen=True, slots=True)
class RowKey:
    """What a row of ours brings to a cell: IT energy, and upstream + embodied; None where it was not estimated."""

    name: str
    it_kwh: float | None
    scope_3_kg: float | None


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A row's share of the published figures, kgCO2e. None where the row has no key or nothing was published.

    ``location_kg`` and ``market_kg`` are scope 1 + 2 + 3; None where a part is not known.
    """

    name: str
    scope_1: float | None
    scope_2_location: float | None
    scope_2_market: float | None
    scope_3_location: float | None
    scope_3_market: float | None
    location_kg: float | None
    market_kg: float | None


def spread_figure(figure: float | None, keys: Sequence[float | None]) -> tuple[list[float | None], float | None]:
    """Return each row's share of a figure, and what no row can carry; the two sum to the figure (None: no figure).

    A negative figure is spread with its sign; a zero is a zero for every row that has a key. Keys are never negative.
    """
    if figure is None:
        return [None] * len(keys), None
    total = sum(key for key in keys if key is not None)
    if not total > 0:
        return [None] * len(keys), figure
    return [None if key is None else figure * key / total for key in keys], 0.0


def spread_cell(published: Published | None, rows: Sequence[RowKey]) -> tuple[Calibrated, ...]:
    """Return the rows with their shares; a row ``provider_unallocated`` is added for what no row can carry.

    Without a published cell every row is ``None`` throughout (``uncalibrated``), outside of any total.
    """
    if published is None:
        return tuple(Calibrated(row.name, *[None] * 7) for row in rows)
    energy = [row.it_kwh for row in rows]
    upstream = [row.scope_3_kg for row in rows]
    columns = (
        spread_figure(published.scope_1, energy),
        spread_figure(published.scope_2_location, energy),
        spread_figure(published.scope_2_market, energy),
        spread_figure(published.scope_3_location, upstream),
        spread_figure(published.scope_3_market, upstream),
    )
    made = [_row(row.name, [shares[index] for shares, _rest in columns]) for index, row in enumerate(rows)]
    rest = [left for _shares, left in columns]
    if any(rest):
        made.append(_row(UNALLOCATED, rest))
    return tuple(made)


def _row(name: str, shares: Sequence[float | None]) -> Calibrated:
    scope_1, location, market, scope_3, scope_3_market = shares
    return Calibrated(
        name,
        scope_1,
        location,
        market,
        scope_3,
        scope_3_market,
        _sum(scope_1, location, scope_3),
        _sum(scope_1, market, scope_3_market),
    )


def _sum(*parts: float | None) -> float | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None
