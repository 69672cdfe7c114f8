"""Low, central and high of a figure from its groups of uncertainty (methodology.md section 2).

The groups are varied one at a time; their falls and rises combine as the root of the sum of squares, because they are
independent opinions. The envelope is what the figure would be with all at once: it is not a confidence interval.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from offgridflow.domain.model import Span
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


@dataclass(frozen=True, slots=True)
class Spread:
    """A quantity with what each group moves it by.

    ``lows`` and ``highs`` have the same groups: the differences to ``central`` with a group at its low and at its high
    setting (a low setting may raise the value: the memory that a vCPU brings is taken off). ``floor`` and ``ceiling``
    are the least and the greatest value over all groups at once.
    """

    central: float
    floor: float
    ceiling: float
    lows: Mapping[Group, float] = field(default_factory=dict)
    highs: Mapping[Group, float] = field(default_factory=dict)

    @classmethod
    def of(cls, group: Group, span: Span) -> "Spread":
        """Return the spread of a quantity that one group moves."""
        low, high = span.low - span.central, span.high - span.central
        return cls(span.central, span.low, span.high, {group: low}, {group: high})

    def scaled(self, factor: float) -> "Spread":
        """Return the spread times a factor that is not negative."""
        return Spread(
            self.central * factor,
            self.floor * factor,
            self.ceiling * factor,
            {group: value * factor for group, value in self.lows.items()},
            {group: value * factor for group, value in self.highs.items()},
        )

    def plus(self, other: "Spread") -> "Spread":
        """Return the sum; a group moves both at once."""
        return Spread(
            self.central + other.central,
            self.floor + other.floor,
            self.ceiling + other.ceiling,
            _added(self.lows, other.lows),
            _added(self.highs, other.highs),
        )

    def times(self, group: Group, span: Span) -> "Spread":
        """Return the spread times a factor that is not negative and that ``group`` moves."""
        low, factor, high = span.low, span.central, span.high
        if low == factor == high == 1.0:
            return self
        lows = {each: value * factor for each, value in self.lows.items()}
        highs = {each: value * factor for each, value in self.highs.items()}
        if low != high:
            lows[group] = lows.get(group, 0.0) + self.central * (low - factor)
            highs[group] = highs.get(group, 0.0) + self.central * (high - factor)
        return Spread(self.central * factor, self.floor * low, self.ceiling * high, lows, highs)


NOTHING: Final = Spread(0.0, 0.0, 0.0)


def _added(one: Mapping[Group, float], other: Mapping[Group, float]) -> Mapping[Group, float]:
    if not one or not other:
        return one or other
    total = dict(one)
    for group, value in other.items():
        total[group] = total.get(group, 0.0) + value
    return total


def spans(spread: Spread) -> Span:
    """Return low, central and high of a spread by the root of the sum of squares, inside its envelope."""
    low2 = high2 = 0.0
    for group, low in spread.lows.items():
        high = spread.highs[group]
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
