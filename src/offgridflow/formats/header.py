"""Names of raw columns, compared without their case, separators, byte order marks and translations.

``lineItem/UsageAmount`` of a legacy CUR, ``line_item_usage_amount`` of its Athena twin and ``LineItemUsageAmount`` are
one name. Azure portals in other languages write ``Kosten (Cost)``: the English name in the parentheses counts too.
"""

import re
from collections.abc import Iterable, Sequence

_SEPARATORS = re.compile(r"[^0-9a-z]+")
_TRANSLATED = re.compile(r"^(?P<outer>[^()]+)\((?P<inner>[^()]+)\)\s*$")


def normal_name(name: str) -> str:
    """Return the name in lower case without anything but letters and digits.

    >>> normal_name("lineItem/UsageAmount") == normal_name("line_item_usage_amount")
    True
    """
    return _SEPARATORS.sub("", name.strip().lower())


def names_of(column: str) -> tuple[str, ...]:
    """Return the normal names that a raw column answers to, the most telling first.

    >>> names_of("Kosten (Cost)")
    ('cost', 'kosten')
    """
    found = _TRANSLATED.match(column.strip().lstrip("\ufeff"))
    names = (found["inner"], found["outer"]) if found else (column,)
    return tuple(name for name in map(normal_name, names) if name)


def index_of(columns: Sequence[str]) -> dict[str, int]:
    """Return normal name -> position; where two columns share a name, the first one has it."""
    found: dict[str, int] = {}
    for rank in range(2):
        for position, column in enumerate(columns):
            names = names_of(column)
            if rank < len(names):
                found.setdefault(names[rank], position)
    return found


def normal_names(columns: Iterable[str]) -> frozenset[str]:
    """Return every normal name that the columns answer to."""
    return frozenset(name for column in columns for name in names_of(column))
