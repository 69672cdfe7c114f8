"""SQL for one cell: how a raw column of any type becomes text, an exact decimal, an instant, or a fault.

Everything is per line and before any sum, so that a figure is the same whether it came as text, decimal or double.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from offgridflow.domain.sql import sql_text

LIMITS: Final = {"DECIMAL(33,15)": "1e18", "DECIMAL(37,15)": "1e22"}
MONEY: Final = "DECIMAL(33,15)"
"""Money of one line: below 10^18, so that the sum of 10^5 such lines still fits DECIMAL(38,15)."""
QUANTITY: Final = "DECIMAL(37,15)"
"""A quantity of one line: below 10^22; Google bills in byte-seconds, 10^20 of them a day are a petabyte."""
_FLOATS: Final = frozenset({"DOUBLE", "FLOAT"})
_SHORT: Final = "DECIMAL(15,12)"
"""Fifteen digits: a double that comes back unchanged from here has this decimal as its only short spelling."""
_EARLIEST, _LATEST = "TIMESTAMP '1990-01-01'", "TIMESTAMP '2200-01-01'"
_LIST_PAIR: Final = """['"]key['"]\\s*:\\s*['"]%s['"]\\s*,\\s*['"]value['"]\\s*:\\s*['"]([^'"]*)['"]"""
_SPECIAL: Final = frozenset(r"\.+*?()|[]{}^$")


@dataclass(frozen=True, slots=True)
class RawColumn:
    """A column as it is in the files: the normal names it answers to, its SQL, and its DuckDB type."""

    names: tuple[str, ...]
    sql: str
    type: str

    @property
    def is_text(self) -> bool:
        """Whether the column is text (every CSV and JSON cell is)."""
        return self.type == "VARCHAR"

    @property
    def is_nested(self) -> bool:
        """Whether the column is a MAP, a list or a STRUCT."""
        return self.type.endswith("]") or self.type.startswith(("MAP(", "STRUCT("))


def quote_name(name: str) -> str:
    """Return a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def text_of(raw: RawColumn) -> str:
    """Return the SQL of a column as text, as it stands in the file."""
    if raw.is_text:
        return raw.sql
    return f"CAST(to_json({raw.sql}) AS VARCHAR)" if raw.is_nested else f"CAST({raw.sql} AS VARCHAR)"


def clean(sql: str, null_words: Sequence[str]) -> str:
    """Return the SQL of trimmed text that is NULL where it is empty or one of the words that mean null."""
    if not null_words:
        return f"nullif(trim({sql}), '')"
    return f"CASE WHEN {absent(sql, null_words)} THEN NULL ELSE trim({sql}) END"


def absent(sql: str, null_words: Sequence[str]) -> str:
    """Return the SQL condition under which a text cell holds nothing; NULL where the cell is NULL."""
    words = ", ".join(sql_text(word) for word in ("", *null_words))
    return f"lower(trim({sql})) IN ({words})"


def element_of(raw: RawColumn, key: str) -> str:
    """Return the SQL text of one element of a column that holds a MAP, a list of pairs, a STRUCT, or text of those."""
    if raw.type.startswith("MAP("):
        return f"CAST({raw.sql}[{sql_text(key)}] AS VARCHAR)"
    if raw.is_nested:
        return element_of_text(f"CAST(to_json({raw.sql}) AS VARCHAR)", key)
    return element_of_text(text_of(raw), key)


def element_of_text(sql: str, key: str) -> str:
    """Return the SQL text of one element of text that holds a map.

    Understood are a JSON object, one without its outer braces (Azure), a JSON list of key-value pairs, and the same as
    Python prints it (exports that went through a script).
    """
    path = sql_text('$."' + key.replace('"', "") + '"')
    braced = f"('{{' || {sql} || '}}')"
    pattern = sql_text(_LIST_PAIR % "".join("\\" + letter if letter in _SPECIAL else letter for letter in key))
    return (
        f"CASE WHEN starts_with(ltrim({sql}), '[') THEN nullif(regexp_extract({sql}, {pattern}, 1), '') "
        f"WHEN json_valid({sql}) THEN json_extract_string({sql}, {path}) "
        f"WHEN json_valid({braced}) THEN json_extract_string({braced}, {path}) END"
    )


@dataclass(frozen=True, slots=True)
class Cell:
    """The typed value of a cell, and for kinds that can fail: when it could not be read, and when it was too large."""

    value: str
    bad: str | None = None
    too_large: str = "false"


def number_of(raw: RawColumn, kind: str, null_words: Sequence[str]) -> Cell:
    """Return a column as an exact decimal: the digits as written, rounded half away from zero at the 15th decimal."""
    value = _exact(raw.sql, raw.type, kind)
    if raw.type in _FLOATS:
        return Cell(value, f"NOT (abs({raw.sql}) < {LIMITS[kind]})", f"isfinite({raw.sql})")
    bad = f"({value}) IS NULL AND {raw.sql} IS NOT NULL"
    if raw.is_text:
        bad += f" AND NOT {absent(raw.sql, null_words)}"
    wide = f"TRY_CAST({raw.sql} AS DOUBLE)"
    return Cell(value, bad, f"coalesce(isfinite({wide}), false)")


def _exact(sql: str, raw_type: str, kind: str) -> str:
    """Return the decimal of a number. A double means its shortest spelling, as every CSV writer prints it."""
    if raw_type not in _FLOATS:
        return f"TRY_CAST({sql} AS {kind})"
    short = f"TRY_CAST({sql} AS {_SHORT})"
    spelled = f"TRY_CAST(CAST({sql} AS VARCHAR) AS {kind})"
    return f"CASE WHEN CAST({short} AS {raw_type}) = {sql} THEN CAST({short} AS {kind}) ELSE {spelled} END"


def sum_over_list(raw: RawColumn, field: str) -> Cell:
    """Return the exact sum of a field over a list (GCP credits): a real list, JSON text, or as Python prints it."""
    text = raw.sql if raw.is_text else f"CAST(to_json({raw.sql}) AS VARCHAR)"
    pattern = sql_text(f"""['"]{field}['"]\\s*:\\s*['"]?([^,'"}}\\]\\s]+)""")
    found = f"list_transform(regexp_extract_all({text}, {pattern}, 1), lambda item: TRY_CAST(item AS {MONEY}))"
    value = f"CAST(coalesce(list_sum({found}), 0) AS {MONEY})"
    return Cell(value, f"{raw.sql} IS NOT NULL AND list_count({found}) <> len({found})")


def first_time(raws: Sequence[RawColumn], styles: Sequence[str], null_words: Sequence[str], *, required: bool) -> Cell:
    """Return the first of several columns that holds something as a TIMESTAMP in UTC.

    Years outside 1990 to 2199 are misread dates, so they are faults, as is whatever is no date at all.
    """
    cells = [_time_of(raw, styles, null_words) for raw in raws]
    value = cells[0].value if len(cells) == 1 else f"coalesce({', '.join(cell.value for cell in cells)})"
    faults = [f"({cell.bad})" for cell in cells] + ([f"(({value}) IS NULL)"] if required else [])
    return Cell(value, " OR ".join(faults))


def _time_of(raw: RawColumn, styles: Sequence[str], null_words: Sequence[str]) -> Cell:
    if raw.type == "TIMESTAMP WITH TIME ZONE":
        value = f"({raw.sql} AT TIME ZONE 'UTC')"
    elif raw.type.startswith("TIMESTAMP") or raw.type == "DATE":
        value = f"TRY_CAST({raw.sql} AS TIMESTAMP)"
    else:
        text = f"trim({text_of(raw)})"
        known = [f"TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"]
        known.extend(f"try_strptime({text}, {sql_text(style)})" for style in styles)
        value = known[0] if len(known) == 1 else f"coalesce({', '.join(known)})"
    checked = f"CASE WHEN {value} BETWEEN {_EARLIEST} AND {_LATEST} THEN {value} END"
    bad = f"({checked}) IS NULL AND {raw.sql} IS NOT NULL"
    return Cell(checked, bad + (f" AND NOT {absent(raw.sql, null_words)}" if raw.is_text else ""))
