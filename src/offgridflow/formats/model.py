"""A billing format: what its SQL file declares.

A format is ONE file ``formats/mappings/<name>.sql``: a front matter (TOML between ``/*---`` and ``---*/``) that says
how to know the format and which raw columns it reads, then two plain SELECTs. ``docs/formats.md`` explains it.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from offgridflow.domain.identity import digest_of
from offgridflow.formats.header import normal_name, normal_names

Kind = Literal["text", "money", "quantity", "time"]
MoneyColumn = Literal["billed_cost", "effective_cost"]

_FILE: Final = re.compile(
    r"\A\s*/\*---\n(?P<front>.*?)\n---\*/\s*"
    r"-- lines\b[^\n]*\n(?P<lines>.*?FROM raw)\s*;\s*"
    r"-- groups\b[^\n]*\n(?P<groups>.*?FROM grouped)\s*;\s*\Z",
    re.DOTALL,
)
_COLUMN_OPTIONS: Final = frozenset({"kind", "from", "once", "sum_of"})
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
_KEYED: Final = re.compile(r"(?P<column>[^\[\]]+)\[(?P<key>[^\[\]]+)\]")


class FormatFileError(ValueError):
    """A format file that breaks the rules of ``docs/formats.md``; met by its author, never by a user."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a declared column comes from: a raw column, or a key of a raw column that holds a map.

    ``spelling`` is the column's name as the format itself writes it, for people.
    """

    column: str
    key: str | None = None
    spelling: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> "Source":
        """Read ``column`` or ``column[key]``."""
        keyed = _KEYED.fullmatch(text)
        name, key = (keyed["column"], keyed["key"]) if keyed else (text, None)
        return cls(normal_name(name), key, name)


@dataclass(frozen=True, slots=True)
class Column:
    """A declared column: a name for the SQL, what it holds, and the raw columns that may give it.

    Of several raw columns that are present, money and quantity take the first; text and time take, per line, the first
    that is not null. ``once`` columns depend on the ``once_by`` columns of the format alone and are read once per
    group, not per line. ``sum_of`` adds up that field over a list in the raw column (GCP credits).
    """

    name: str
    kind: Kind
    sources: tuple[Source, ...]
    required: bool = False
    once: bool = False
    sum_of: str | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """How to know the format by its header: every name of ``all_of``, one of each ``any_of``, none of ``none_of``.

    ``spellings`` are all these names as the format itself writes them, for people.
    """

    all_of: frozenset[str]
    any_of: tuple[frozenset[str], ...] = ()
    none_of: frozenset[str] = frozenset()
    spellings: Mapping[str, str] = field(default_factory=dict, compare=False)

    def matches(self, names: frozenset[str]) -> bool:
        """Tell whether a header with these normal names is of the format."""
        return self.all_of <= names and all(group & names for group in self.any_of) and not self.none_of & names

    def likeness(self, names: frozenset[str]) -> float:
        """Return the share (0..1) of what is asked for that a header has; 0 where it has what must not be there."""
        if self.none_of & names:
            return 0.0
        met = len(self.all_of & names) + sum(bool(group & names) for group in self.any_of)
        return met / (len(self.all_of) + len(self.any_of))

    def missing_of(self, names: frozenset[str]) -> tuple[frozenset[str], ...]:
        """Return what a header lacks: of each set of names, one would do."""
        lacking = [frozenset({name}) for name in sorted(self.all_of - names, key=self.spelling)]
        return (*lacking, *(group for group in self.any_of if not group & names))

    def spelling(self, name: str) -> str:
        """Return a name as the format writes it."""
        return self.spellings.get(name, name)


@dataclass(frozen=True, slots=True)
class Identity:
    """Plain expressions over declared columns that say whose line it is and what it costs, without the mapping.

    The raw totals and the quarantine use them. ``money`` may be wider than a column (GCP: cost + credits).
    """

    provider: str
    account: str
    period: str
    currency: str
    money: str


@dataclass(frozen=True, slots=True)
class Variant:
    """A delivery whose content, not its header, says that its money is another (Azure amortised cost).

    It is one if ``when`` holds on some line. ``unless`` holds only on lines of the plain kind, so both together mean
    that two exports of the same usage were given as one. The column ``variant`` of ``raw`` is its name, else NULL.
    """

    name: str
    when: str
    unless: str
    money: MoneyColumn


@dataclass(frozen=True, slots=True)
class Split:
    """A part of a line's money that is another charge: where ``when`` holds, a second line has it and counts as none.

    ``replace`` gives the declared columns that differ in the second line, as expressions over the first (GCP: credits).
    """

    when: str
    replace: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Format:
    """A billing format as its file declares it. ``lines_sql`` ends in FROM raw, ``groups_sql`` in FROM grouped.

    ``version`` is a digest of the file, and so part of every recipe. ``money`` is the conserved column. ``line_items``
    names the declared column that says for how many lines of the bill a record stands; without it, each is one.
    """

    name: str
    title: str
    engines: tuple[str, ...]
    columns: tuple[Column, ...]
    detection: Detection
    identity: Identity
    money: MoneyColumn
    lines_sql: str
    groups_sql: str
    version: str
    null_words: tuple[str, ...] = ()
    date_styles: tuple[str, ...] = ()
    tag_columns: tuple[str, ...] = ()
    tag_prefixes: tuple[str, ...] = ("",)
    once_by: tuple[str, ...] = ()
    variants: tuple[Variant, ...] = ()
    split: Split | None = None
    line_items: str | None = None

    def missing_of(self, columns: frozenset[str]) -> tuple[str, ...]:
        """Return what a header with these normal names lacks to be read, each as the format writes it."""
        lacking = {
            frozenset(source.column for source in column.sources): " or ".join(
                source.spelling for source in column.sources
            )
            for column in self.columns
            if column.required and not any(source.column in columns for source in column.sources)
        }
        detected = [
            " or ".join(sorted(map(self.detection.spelling, names)))
            for names in self.detection.missing_of(columns)
            if not any(names & known for known in lacking)
        ]
        return (*lacking.values(), *detected)


def parse_format(text: str) -> Format:
    """Read the text of a format file. Raises FormatFileError with what is wrong."""
    found = _FILE.match(text.replace("\r\n", "\n"))
    if found is None:
        message = "A format file is a front matter, then '-- lines' and '-- groups' with one SELECT each."
        raise FormatFileError(message)
    try:
        front = tomllib.loads(found["front"])
        return _build(front, found["lines"], found["groups"], text)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        message = f"The front matter is not as docs/formats.md says: {error!r}"
        raise FormatFileError(message) from error


def _build(front: Mapping[str, Any], lines: str, groups: str, text: str) -> Format:
    columns = (*_columns(front["required"], required=True), *_columns(front.get("optional", {}), required=False))
    _check(front["name"], columns, tuple(front.get("once_by", ())))
    return Format(
        name=front["name"],
        title=front["title"],
        engines=tuple(front["engines"]),
        columns=columns,
        detection=_detection(front["detect"]),
        identity=Identity(**front["identity"]),
        money=front["money"],
        lines_sql=lines.strip(),
        groups_sql=groups.strip(),
        version=digest_of(text)[:16],
        null_words=tuple(front.get("null_words", ())),
        date_styles=tuple(front.get("date_styles", ())),
        tag_columns=tuple(map(normal_name, front.get("tag_columns", ()))),
        tag_prefixes=tuple(front.get("tag_prefixes", ("",))),
        once_by=tuple(front.get("once_by", ())),
        variants=tuple(
            Variant(name, variant["when"].strip(), variant["unless"].strip(), variant["money"])
            for name, variant in front.get("variants", {}).items()
        ),
        split=Split(front["split"]["when"], dict(front["split"]["replace"])) if "split" in front else None,
        line_items=front.get("line_items"),
    )


def _columns(table: Mapping[str, Any], *, required: bool) -> tuple[Column, ...]:
    return tuple(_column(name, declared, required=required) for name, declared in table.items())


def _column(name: str, declared: str | Mapping[str, Any], *, required: bool) -> Column:
    options: Mapping[str, Any] = {"kind": declared} if isinstance(declared, str) else declared
    unknown = set(options) - _COLUMN_OPTIONS
    if unknown:
        message = f"Column {name} has options that mean nothing: {', '.join(sorted(unknown))}."
        raise FormatFileError(message)
    kind = options.get("kind", "text")
    if kind not in get_args(Kind):
        message = f"Column {name} has the kind {kind!r}; it may be one of {', '.join(get_args(Kind))}."
        raise FormatFileError(message)
    return Column(
        name=name,
        kind=cast("Kind", kind),
        sources=tuple(map(Source.parse, options.get("from", [name]))),
        required=required,
        once=bool(options.get("once", False)),
        sum_of=options.get("sum_of"),
    )


def _detection(rule: Mapping[str, Any]) -> Detection:
    return Detection(
        all_of=normal_names(rule["all"]),
        any_of=tuple(normal_names(group) for group in rule.get("any", ())),
        none_of=normal_names(rule.get("none", ())),
        spellings={normal_name(name): name for group in (rule["all"], *rule.get("any", ())) for name in group},
    )


def _check(name: str, columns: tuple[Column, ...], once_by: tuple[str, ...]) -> None:
    names = [column.name for column in columns]
    wrong = [word for word in (name, *names) if not _NAME.fullmatch(word)]
    if wrong or len(set(names)) != len(names):
        message = f"Names are lower_snake_case and unique; see {wrong or sorted(names)}."
        raise FormatFileError(message)
    if any(column.once and column.kind != "text" for column in columns):
        message = "Only text is read once per group."
        raise FormatFileError(message)
    if not set(once_by) <= set(names):
        message = f"once_by names columns that are not declared: {sorted(set(once_by) - set(names))}."
        raise FormatFileError(message)
