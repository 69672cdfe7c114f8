"""Exact decimals out: shares that add up to 1, and JSON whose numbers are full decimals without an exponent."""

import json
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import Enum
from typing import Final

Scalar = str | int | Decimal | None
"""A cell of a report: text, a count, a figure, or unknown."""

Row = dict[str, Scalar]

SHARE_PLACES: Final = 12
"""Decimal places of every share and ratio."""

EXACT: Final = Context(prec=80, rounding=ROUND_HALF_EVEN)
"""Wide enough that sums and products of DECIMAL(38,15) never round."""

_UNIT: Final = Decimal(1).scaleb(-SHARE_PLACES)


def shares(weights: Sequence[Decimal | int]) -> tuple[Decimal | None, ...]:
    """Return the share of each weight in their sum; the shares add up to exactly 1 (largest remainder).

    Weights are not negative. All shares are None where the sum is 0: a share of nothing is unknown, not zero.
    """
    exact = [Decimal(weight) for weight in weights]
    total = _sum(exact)
    if total == 0:
        return (None,) * len(exact)
    scaled = [EXACT.divide(EXACT.multiply(weight, Decimal(10**SHARE_PLACES)), total) for weight in exact]
    floors = [int(value) for value in scaled]
    missing = 10**SHARE_PLACES - sum(floors)
    by_remainder = sorted(range(len(exact)), key=lambda i: (floors[i] - scaled[i], i))
    for index in by_remainder[:missing]:
        floors[index] += 1
    return tuple(EXACT.multiply(Decimal(floor), _UNIT) for floor in floors)


def ratio(part: Decimal | int | None, whole: Decimal | int | None) -> Decimal | None:
    """Return ``part / whole`` rounded to SHARE_PLACES; None where either is unknown or ``whole`` is 0."""
    if part is None or whole is None or whole == 0:
        return None
    return EXACT.quantize(EXACT.divide(Decimal(part), Decimal(whole)), _UNIT)


def _sum(values: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for value in values:
        total = EXACT.add(total, value)
    return total


def difference(one: Scalar, other: Scalar) -> Decimal | None:
    """Return ``one - other``, exactly; None where either is unknown or no figure."""
    if not isinstance(one, int | Decimal) or not isinstance(other, int | Decimal):
        return None
    return EXACT.subtract(Decimal(one), Decimal(other))


def total_of(values: Sequence[Decimal | None]) -> Decimal | None:
    """Return the exact sum of the known values; None where none is known."""
    known = [value for value in values if value is not None]
    return _sum(known) if known else None


def plain(value: Decimal | float) -> str:
    """Write a number in full: no exponent, no trailing zeros, no negative zero.

    Raises ValueError for NaN and infinity, which no report may hold.
    """
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite():
        message = f"{value!r} is not a number that a report may hold"
        raise ValueError(message)
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def to_json(value: object, *, indent: int | None = 2) -> str:
    """Write ``value`` as JSON: Decimals and floats as full decimals, enums by value, keys in their order.

    Accepts None, bool, int, float, Decimal, str, enums, and mappings and sequences of them.
    """
    return _write(value, "" if indent is None else "\n", " " * (indent or 0))


def _write(value: object, newline: str, step: str) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Mapping):
        items = [f"{json.dumps(str(key))}: {_write(item, newline + step, step)}" for key, item in value.items()]
        return _enclosed("{", items, "}", newline, step)
    if isinstance(value, list | tuple):
        return _enclosed("[", [_write(item, newline + step, step) for item in value], "]", newline, step)
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int | float | Decimal):
        return plain(value)
    message = f"{type(value).__name__} has no JSON form here"
    raise TypeError(message)


def _enclosed(left: str, items: Sequence[str], right: str, newline: str, step: str) -> str:
    if not items:
        return left + right
    if not newline:
        return left + ", ".join(items) + right
    inner = newline + step
    return left + inner + ("," + inner).join(items) + newline + right
