"""Low, central and high of a figure from its groups of uncertainty (methodology.md section 2).

The groups are varied one at a time; their falls and rises combine as the root of the sum of squares, because they are
independent opinions. The envelope is what the figure would be with all at once: it is not a confidence interval.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from offgridflow.domain.model import UNMOVED, Span
from offgridflow.domain.reasons import Group


def combined(total: float, falls: Iterable[float], rises: Iterable[float]) -> Span:
    """Return ``T - sqrt(sum of squared falls)``, T, ``T + sqrt(sum of squared rises)``; same unit as ``total``.

    The low end is not clamped here; ``spans`` clamps it to the envelope, which it could otherwise undercut.
    """
    low = total - math.sqrt(sum(fall * fall for fall in falls))
    return Span(low, total, total + math.sqrt(sum(rise * rise for rise in rises)))


def envelope(total: float, falls: Iterable[float], rises: Iterable[float]) -> tuple[float, float]:
    """Return the total less all falls and plus all rises: the envelope where only falls and rises are known."""
    return total - sum(falls), total + sum(rises)


Move = tuple[float, float]
"""The differences to the central value with a group at its low and at its high setting."""


class Spread(NamedTuple):
    """A quantity with what each group moves it by; a tuple, because rating one SKU makes several.

    ``moves`` are the differences to ``central`` by group (a low setting may raise the value: the memory that a vCPU
    brings is taken off). ``floor`` and ``ceiling`` are the least and the greatest value over all groups at once.
    """

    central: float
    floor: float
    ceiling: float
    moves: Mapping[Group, Move] = UNMOVED

    @classmethod
    def of(cls, group: Group, span: Span) -> "Spread":
        """Return the spread of a quantity that one group moves."""
        move = span.low - span.central, span.high - span.central
        return cls(span.central, span.low, span.high, {group: move})

    def scaled(self, factor: float) -> "Spread":
        """Return the spread times a factor that is not negative."""
        central, floor, ceiling, moves = self
        scaled = {group: (low * factor, high * factor) for group, (low, high) in moves.items()}
        return Spread(central * factor, floor * factor, ceiling * factor, scaled)

    def plus(self, other: "Spread") -> "Spread":
        """Return the sum; a group moves both at once."""
        return Spread(
            self.central + other.central,
            self.floor + other.floor,
            self.ceiling + other.ceiling,
            _added(self.moves, other.moves),
        )

    def times(self, group: Group, span: Span) -> "Spread":
        """Return the spread times a factor that is not negative and that ``group`` moves."""
        low, factor, high = span.low, span.central, span.high
        if low == factor == high == 1.0:
            return self
        central, floor, ceiling, moves = self
        scaled = {each: (fall * factor, rise * factor) for each, (fall, rise) in moves.items()}
        if low != high:
            fall, rise = scaled.get(group, _STILL)
            scaled[group] = (fall + central * (low - factor), rise + central * (high - factor))
        return Spread(central * factor, floor * low, ceiling * high, scaled)


_STILL: Final[Move] = (0.0, 0.0)
NOTHING: Final = Spread(0.0, 0.0, 0.0)


def _added(one: Mapping[Group, Move], other: Mapping[Group, Move]) -> Mapping[Group, Move]:
    if not one or not other:
        return one or other
    total = dict(one)
    for group, (low, high) in other.items():
        before = total.get(group, _STILL)
        total[group] = (before[0] + low, before[1] + high)
    return total


def spans(spread: Spread) -> Span:
    """Return low, central and high of a spread by the root of the sum of squares, inside its envelope."""
    low2 = high2 = 0.0
    for low, high in spread.moves.values():
        if low > high:
            low, high = high, low  # noqa: PLW2901  a low setting that raises the value counts as a rise
        if low < 0:
            low2 += low * low
        if high > 0:
            high2 += high * high
    central = spread.central
    low = max(central - math.sqrt(low2), min(spread.floor, central))
    return Span(low, central, central + math.sqrt(high2))


def total_of(spreads: Iterable[Spread]) -> Spread:
    """Return the sum of spreads; nothing where there are none."""
    total: Spread | None = None
    for each in spreads:
        total = each if total is None else total.plus(each)
    return NOTHING if total is None else total
