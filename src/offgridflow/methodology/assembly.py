"""The hardware side of what a SKU asks for: its pieces and their sums. It knows no place and no grid."""

from dataclasses import dataclass
from typing import NamedTuple

from offgridflow.domain.model import Span
from offgridflow.domain.reasons import Assumption, CoverageBucket, Group, Method
from offgridflow.methodology.demand import Demand
from offgridflow.methodology.pieces import Piece
from offgridflow.methodology.ranges import Spread, total_of


class Drawn(NamedTuple):
    """IT energy per consumed unit, kWh: what the pieces draw, and that with the provider's overhead laid on it."""

    energy_kwh: Spread
    loaded_kwh: Spread


@dataclass(frozen=True, slots=True)
class Assembly:
    """Pieces and their sums per consumed unit; ``paired`` is what draws on the paired region's grid, if anything.

    ``method`` and ``bucket`` are those of the demand, lowered where a piece had to fall back.
    """

    pieces: tuple[Piece, ...]
    here: Drawn
    paired: Drawn | None
    embodied_kg: Spread
    method: Method
    bucket: CoverageBucket
    marks: tuple[Assumption, ...]
    factor_ids: tuple[str, ...]


def assembly_of(pieces: tuple[Piece, ...], demand: Demand, asked: tuple[str, ...], overhead: Span) -> Assembly:
    """Return the sums of some pieces, with the marks and factor ids of the demand and of all pieces, once each."""
    here = [piece.energy_kwh for piece in pieces if not piece.paired]
    there = [piece.energy_kwh for piece in pieces if piece.paired]
    return Assembly(
        pieces,
        _drawn(here, overhead),
        _drawn(there, overhead) if there else None,
        total_of(piece.embodied_kg for piece in pieces),
        next((piece.method for piece in pieces if piece.method is not None), demand.method),
        max([demand.bucket, *(piece.bucket for piece in pieces if piece.bucket is not None)]),
        tuple(sorted({*demand.assumptions, *(mark for piece in pieces for mark in piece.marks)})),
        tuple(sorted({*asked, *(each for piece in pieces for each in piece.factor_ids)})),
    )


def _drawn(energy_kwh: list[Spread], overhead: Span) -> Drawn:
    total = total_of(energy_kwh)
    return Drawn(total, total.times(Group.OVERHEAD, overhead))
