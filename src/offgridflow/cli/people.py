"""Figures as people read them: few digits, thousands apart, a dash for unknown."""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

DASH: Final = "\u2013"
UNKNOWN: Final = DASH
_DIGITS: Final = 3
_WHOLE: Final = 1000


def figure(value: object) -> str:
    """Write a physical figure with three significant digits, whole numbers from 1,000 on.

    >>> figure(Decimal("0.0123456")), figure(Decimal("1234.5"))
    ('0.0123', '1,234')
    """
    number = _number(value)
    if number is None:
        return UNKNOWN
    if number == 0:
        return "0"
    if abs(number) >= _WHOLE:
        return f"{number.quantize(Decimal(1), ROUND_HALF_EVEN):,}"
    places = min(max(_DIGITS - 1 - number.adjusted(), 0), 12)
    text = format(number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN), "f")
    return text if set(text) - set("-0.") else f"{number:.1e}"


def money(value: object) -> str:
    """Write an amount of money with two decimals."""
    number = _number(value)
    return UNKNOWN if number is None else f"{number.quantize(Decimal('0.01'), ROUND_HALF_EVEN):,}"


def count(value: object) -> str:
    """Write a whole number."""
    return f"{value:,}" if isinstance(value, int) else UNKNOWN


def share(value: object) -> str:
    """Write a fraction as a percentage with one decimal."""
    number = _number(value)
    return UNKNOWN if number is None else f"{(number * 100).quantize(Decimal('0.1'), ROUND_HALF_EVEN)} %"


def text(value: object) -> str:
    """Write a text; control characters could move the cursor and are shown as a space."""
    if value is None or value == "":
        return UNKNOWN
    return "".join(character if character.isprintable() else " " for character in str(value))


def spread(low: object, high: object) -> str:
    """Write a range."""
    if low is None or high is None:
        return UNKNOWN
    return f"{figure(low)} {DASH} {figure(high)}"


def _number(value: object) -> Decimal | None:
    if isinstance(value, float):
        return Decimal(repr(value))
    return Decimal(value) if isinstance(value, int | Decimal) else None
