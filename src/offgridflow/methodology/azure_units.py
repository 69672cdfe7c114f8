"""Azure's UnitOfMeasure, in the one place where its block sizes are decided.

Quantity of an Azure export counts the unit after the number, not the block: a real row has ``10 Hours``, Quantity 22
and a cost of 22 hours of that machine; the block only sizes the price. So the number before a named unit
(``10 Hours``, ``1000 GB Hours``, ``10 /Day``) is dropped. A letter (``10K``, ``1M``) is part of the unit: rows of
``10K`` have a cost of Quantity x price of the block. A bare number (``1000``) could be either: unknown.
FOCUS exports of Azure bring ``Units/Month`` and ``Hours`` without blocks, and plain ``Units`` for both kinds of count.
"""

import re
from functools import lru_cache
from typing import Final

from offgridflow.domain.units import Conversion, Dimension, table_conversion_of, told

_BLOCK: Final = re.compile(r"(\d{1,12}(?:[.,]\d{1,6}){0,3})\s*([kmb](?![a-z]))?\s*(.*)", re.DOTALL)
_LETTER: Final = {"k": 1e3, "m": 1e6, "b": 1e9}
_HOURS_PER: Final = {
    "second": 1 / 3600,
    "minute": 1 / 60,
    "hour": 1.0,
    "hora": 1.0,
    "小时": 1.0,
    "day": 24.0,
}
_MONTHS_PER: Final = {"month": 1.0, "me": 1.0, "月": 1.0, "year": 12.0, "3 month": 3.0, "6 month": 6.0}
_GIB_PER: Final = {
    "mb": 2.0**-10,
    "mib": 2.0**-10,
    "gb": 1.0,
    "gib": 1.0,
    "tb": 1024.0,
    "tib": 1024.0,
    "pb": 2.0**20,
    "pib": 2.0**20,
}
_HOUR_WORDS: Final = {
    "core hour": 1.0,
    "core hr": 1.0,
    "instance hour": 1.0,
    "unit hour": 1.0,
    "hourly unit": 1.0,
    "daily unit": 24.0,
    "hora": 1.0,
    "小时": 1.0,
    "hr": 1.0,
}
_COUNT_WORDS: Final = frozenset({"", "unit", "count"})
_WORDS: Final[dict[str, Conversion]] = {
    **{word: Conversion(Dimension.GIB, gib) for word, gib in _GIB_PER.items()},
    **{word: Conversion(Dimension.HOURS, hours) for word, hours in (_HOURS_PER | _HOUR_WORDS).items()},
    **{word: Conversion(Dimension.COUNT, 1.0) for word in _COUNT_WORDS},
    "month": Conversion(Dimension.UNIT_MONTHS, 1.0),
    "token": Conversion(Dimension.TOKENS, 1.0),
}


def _singular(text: str) -> str:
    return text.removesuffix("s")


def _per_time(amount: str, time: str) -> Conversion | None:
    """Read ``<amount>/<time>``: data or units held for a time."""
    gib = _GIB_PER.get(amount)
    if amount not in _COUNT_WORDS and gib is None:
        return None
    if (hours := _HOURS_PER.get(time)) is not None:
        if gib is not None:
            return Conversion(Dimension.GIB_HOURS, gib * hours)
        return Conversion(Dimension.HOURS, hours)
    if (months := _MONTHS_PER.get(time)) is not None:
        if gib is not None:
            return Conversion(Dimension.GIB_MONTHS, gib * months)
        return Conversion(Dimension.UNIT_MONTHS, months)
    return None


def _named(text: str) -> Conversion | None:
    """Read a unit without its block, lower case."""
    if "/" in text:
        amount, _, time = text.partition("/")
        return _per_time(_singular(amount.strip()), _singular(time.strip()))
    word = _singular(text)
    amount, _, time = word.partition(" ")
    if amount in _GIB_PER and time in _HOURS_PER:
        return Conversion(Dimension.GIB_HOURS, _GIB_PER[amount] * _HOURS_PER[time])
    found = _WORDS.get(word)
    return table_conversion_of(text) if found is None else found


def azure_conversion_of(unit: str | None) -> Conversion | None:
    """Return the conversion of a UnitOfMeasure or of an Azure FOCUS unit; None where it is not known.

    >>> azure_conversion_of("10 Hours")
    Conversion(dimension=<Dimension.HOURS: 'hours'>, multiplier=1.0)
    """
    return None if unit is None else told(_azure_conversion_of(unit), unit)


@lru_cache(maxsize=4096)
def _azure_conversion_of(unit: str) -> Conversion | None:
    text = " ".join(unit.lower().split())
    if not text or text == "unassigned":
        return None
    block = _BLOCK.fullmatch(text)
    if block is None:
        return _named(text)
    number, letter, rest = block.groups()
    if letter is not None:
        return _lettered(_LETTER[letter] * _first_number(number), rest)
    return _blocked(number, rest.removeprefix("1 "))  # "1 1 Hour" is in Microsoft's own list of units


def _blocked(number: str, rest: str) -> Conversion | None:
    """Read a unit after the number of its price block; a bare number other than 1 is a count of nobody knows what."""
    if not rest:
        return Conversion(Dimension.COUNT, 1.0) if number == "1" else None
    if rest == "s" or rest.startswith("/10 day"):  # "10000s" counts ten thousands of transactions, not seconds
        return None
    return _named(rest)


def _lettered(count: float, rest: str) -> Conversion | None:
    """Read ``10K``, ``1K Tokens``, ``10K/Month``: the letter belongs to the unit."""
    if rest.startswith("token"):
        return Conversion(Dimension.TOKENS, count)
    if rest in _COUNT_WORDS or rest in {"transactions", "requests", "operations"}:
        return Conversion(Dimension.COUNT, count)
    return None


def _first_number(text: str) -> float:
    digits = text.replace(",", "")
    return float(digits) if digits.count(".") <= 1 else 0.0
