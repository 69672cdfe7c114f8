"""Text as it stands in SQL: for views and COPY, which take no parameters."""

from collections.abc import Iterable


def sql_text(text: object) -> str:
    """Return a SQL string literal."""
    return "'" + str(text).replace("'", "''") + "'"


def sql_list(texts: Iterable[object]) -> str:
    """Return a SQL list of string literals."""
    return "[" + ", ".join(map(sql_text, texts)) + "]"
