"""Figures as people read them: few digits, thousands apart, a dash for unknown."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

DASH: Final = "\u2013"
UNKNOWN: Final = DASH
_DIGITS: Final = 3
_FINEST: Final = Decimal("0.001")
_MOST_PLACES: Final = 6


def figure(value: object) -> str:
    """Write a physical figure with three significant digits, whole numbers from 1,000 on, nothing finer than 0.001.

    >>> figure(Decimal("0.0123456")), figure(Decimal("1234.5")), figure(Decimal("0.0000012"))
    ('0.012', '1,234', '<0.001')
    """
    number = _number(value)
    if number is None:
        return UNKNOWN
    if number == 0:
        return "0"
    if abs(number) < _FINEST:
        return "<0.001" if number > 0 else ">-0.001"
    return _rounded(number, most=_DIGITS)


def fine(value: object) -> str:
    """Write a figure per unit or a difference: three significant digits, with an exponent where it is tiny.

    >>> fine(Decimal("0.0123456")), fine(Decimal("-0.0000012345"))
    ('0.0123', '-1.23e-6')
    """
    number = _number(value)
    if number is None:
        return UNKNOWN
    if number == 0:
        return "0"
    if abs(number) < _FINEST:
        mantissa, _, exponent = f"{number:.2e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    return _rounded(number, most=_MOST_PLACES)


def _rounded(number: Decimal, most: int) -> str:
    places = min(max(_DIGITS - 1 - number.adjusted(), 0), most)
    return f"{number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN):,f}"


def money(value: object) -> str:
    """Write an amount of money with two decimals."""
    number = _number(value)
    return UNKNOWN if number is None else f"{number.quantize(Decimal('0.01'), ROUND_HALF_EVEN) + 0:,}"


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


def whole(value: object) -> str:
    """Write a text that is there to be copied: no table breaks it over two lines."""
    return text(value)


def instant(value: object) -> str:
    """Write an instant of ISO 8601 to the second, in UTC; no table breaks it.

    >>> instant("2026-11-28T22:20:05.123456+01:00")
    '2026-11-28T21:20:05Z'
    """
    if not isinstance(value, str) or not value:
        return UNKNOWN
    return datetime.fromisoformat(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spread(low: object, high: object, write: Callable[[object], str] = figure) -> str:
    """Write a range; once where both ends read the same."""
    if low is None or high is None:
        return UNKNOWN
    first, last = write(low), write(high)
    return first if first == last else f"{first} {DASH} {last}"


def number(value: object) -> Decimal:
    """Return a figure to order by; unknown is 0."""
    return _number(value) or Decimal(0)


def _number(value: object) -> Decimal | None:
    if isinstance(value, float):
        return Decimal(repr(value))
    return Decimal(value) if isinstance(value, int | Decimal) else None
