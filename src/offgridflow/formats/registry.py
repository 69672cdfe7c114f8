"""Billing formats: each is one SQL file under ``mappings/`` whose head says what it needs and how it is recognised.

The head of a mapping is a block of comments, one ``-- key: value`` a line::

    -- name: focus                       stored in the ledger, never reused
    -- title: FOCUS cost and usage       for people
    -- version: 1                        part of the recipe
    -- money: billed_cost                the conserved column: billed_cost or effective_cost
    -- detect: all(a, b) any(c, d) none(e)    rules over normalised column names
    -- tags: map Tags | columns resourceTags/user:
    -- column: BilledCost number         kinds: text, number, time, day; add ``required``
    -- column: x from SkuDetails['InstanceType'] text
    -- column: y alias a, b, c text      the first column that is there

Two statements follow, each after its own marker line. ``-- lines:`` selects from ``raw`` (one row a line, columns as
declared and typed) the grouping keys and, with fixed names, ``charge_class``, ``billing_period``, ``billing_account_id``,
``provider``, ``billing_currency``, ``charge_time``, ``consumed_quantity``, ``billed_cost``, ``effective_cost``.
``-- groups:`` selects from ``grouped`` the columns of an activity that can be derived once per group.

Column names are compared without case, punctuation or byte order mark: ``lineItem/UsageAccountId`` and
``line_item_usage_account_id`` are the same column.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from offgridflow.domain.errors import InputError
from offgridflow.domain.identity import digest_of

Kind = Literal["text", "number", "time", "day"]

_NOT_WORD = re.compile(r"[^0-9a-z]+")
_RULE = re.compile(r"(all|any|none)\(([^)]*)\)")
_COLUMN = re.compile(
    r"(?P<name>\w+)(?: from (?P<map>[\w/]+)\['(?P<key>[^']+)'\])?(?: alias (?P<alias>.+?))?"
    r" (?P<kind>text|number|time|day)(?P<required> required)?",
)


def normal_name(column: str) -> str:
    """Return the form in which column names are compared: lower case letters and digits only.

    German Azure exports write ``Kosten (Cost)``: what stands in parentheses wins.
    """
    inner = re.search(r"\(([A-Za-z][\w ]*)\)\s*$", column)
    return _NOT_WORD.sub("", (inner[1] if inner else column).lower())


@dataclass(frozen=True, slots=True)
class Column:
    """One column that a mapping reads: ``names`` are normalised and tried in order; ``key`` picks a map element."""

    name: str
    names: tuple[str, ...]
    kind: Kind
    key: str | None
    required: bool


@dataclass(frozen=True, slots=True)
class Tags:
    """Where a format keeps its tags: one ``map`` column, or one column per key after a ``columns`` prefix.

    ``prefix`` is taken off the keys of a map (AWS writes ``user_team``) and off the headers of columns.
    """

    shape: Literal["map", "columns", "none"]
    column: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """A billing format: how it is recognised, what it reads, and its two SQL statements."""

    name: str
    title: str
    version: str
    money: Literal["billed_cost", "effective_cost"]
    all_of: frozenset[str]
    any_of: frozenset[str]
    none_of: frozenset[str]
    columns: tuple[Column, ...]
    tags: Tags
    lines_sql: str
    groups_sql: str
    regroup: bool
    digest: str

    def missing(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the normalised names that this format's rules need and ``columns`` lack."""
        have = {normal_name(column) for column in columns}
        lacking = sorted(self.all_of - have)
        if self.any_of and not self.any_of & have:
            lacking.append("one of " + "/".join(sorted(self.any_of)))
        return tuple(lacking)

    def matches(self, columns: Sequence[str]) -> bool:
        """Return whether a file with these columns is of this format."""
        have = {normal_name(column) for column in columns}
        return not self.missing(columns) and not self.none_of & have


def detect(columns: Sequence[str]) -> Format | None:
    """Return the format of a file with these columns, or None."""
    found = [candidate for candidate in registry() if candidate.matches(columns)]
    return found[0] if found else None


def refusal(name: str, columns: Sequence[str]) -> InputError:
    """Return the error for a file that is of no known format: what was seen, what is accepted, what is missing."""
    seen = ", ".join(column.strip("\ufeff") for column in columns[:8]) + (", ..." if len(columns) > 8 else "")  # noqa: PLR2004
    closest = min(registry(), key=lambda candidate: (len(candidate.missing(columns)), candidate.name))
    lacking = ", ".join(closest.missing(columns)) or "nothing, but it holds columns of another format"
    accepted = "; ".join(candidate.title for candidate in registry())
    return InputError(
        f"{name} is none of the accepted formats: its columns are {seen}. The closest is {closest.title}, which also "
        f"needs {lacking}.",
        action=f"Accepted: {accepted}.",
        code="UNKNOWN_FORMAT",
    )


@cache
def registry() -> tuple[Format, ...]:
    """Return all formats of this installation, in the order in which detection tries them (by name)."""
    folder = files("offgridflow.formats") / "mappings"
    mappings = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    return tuple(parse_mapping(entry.name, entry.read_text(encoding="utf-8")) for entry in mappings)


def format_by_name(name: str) -> Format:
    """Return the format with this name; KeyError if there is none."""
    return {candidate.name: candidate for candidate in registry()}[name]


def parse_mapping(file_name: str, text: str) -> Format:
    """Read one mapping file; ValueError names the file and what is wrong with its head."""
    head, separator, body = text.partition("-- lines:\n")
    lines_sql, second, groups_sql = body.partition("-- groups:\n")
    if not separator or not second:
        message = f"{file_name}: a mapping needs the marker lines '-- lines:' and '-- groups:'"
        raise ValueError(message)
    settings: dict[str, str] = {}
    columns: list[Column] = []
    for key, value in re.findall(r"^-- (\w+): (.+)$", head, re.MULTILINE):
        if key == "column":
            columns.append(_column(file_name, value.strip()))
        else:
            settings[key] = value.strip()
    rules = {rule: frozenset(map(normal_name, names.split(","))) for rule, names in _RULE.findall(settings["detect"])}
    required = frozenset(column.names[0] for column in columns if column.required and len(column.names) == 1)
    return Format(
        name=settings["name"],
        title=settings["title"],
        version=settings["version"],
        money="effective_cost" if settings["money"] == "effective_cost" else "billed_cost",
        all_of=rules.get("all", frozenset()) | required,
        any_of=rules.get("any", frozenset()),
        none_of=rules.get("none", frozenset()),
        columns=tuple(columns),
        tags=_tags(settings.get("tags", "none")),
        lines_sql=lines_sql.strip().rstrip(";"),
        groups_sql=groups_sql.strip().rstrip(";"),
        regroup=settings.get("regroup", "yes") == "yes",
        digest=digest_of(text),
    )


def _column(file_name: str, value: str) -> Column:
    match = _COLUMN.fullmatch(value)
    if match is None:
        message = f"{file_name}: cannot read the column line {value!r}"
        raise ValueError(message)
    names = match["alias"].split(",") if match["alias"] else [match["map"] or match["name"]]
    kind: Kind = match["kind"]  # type: ignore[assignment]
    return Column(
        name=match["name"],
        names=tuple(normal_name(name) for name in names),
        kind=kind,
        key=match["key"],
        required=match["required"] is not None,
    )


def _tags(value: str) -> Tags:
    shape, _, rest = value.partition(" ")
    column, _, prefix = rest.partition(" ")
    if shape == "map":
        return Tags("map", normal_name(column), prefix)
    if shape == "columns":
        return Tags("columns", "", rest)
    return Tags("none")
