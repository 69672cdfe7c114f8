"""The billing formats that this installation knows, and which of them a file is."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from offgridflow.domain.errors import InputError
from offgridflow.formats.header import normal_names
from offgridflow.formats.model import Format, parse_format

_SHOWN_COLUMNS: Final = 12
_SHOWN_LENGTH: Final = 60
_ALIKE: Final = 0.5


@cache
def registry() -> tuple[Format, ...]:
    """Return every format of this installation by name: one per ``*.sql`` file in ``formats/mappings``."""
    folder = files("offgridflow.formats") / "mappings"
    found = [
        parse_format(entry.read_text(encoding="utf-8")) for entry in folder.iterdir() if entry.name.endswith(".sql")
    ]
    return tuple(sorted(found, key=lambda known: known.name))


def format_by_name(name: str) -> Format:
    """Return the format with this name; KeyError if there is none."""
    return {known.name: known for known in registry()}[name]


def known_format(name: str) -> Format | None:
    """Return the format with this name, or None where this installation does not have it (any more)."""
    return next((known for known in registry() if known.name == name), None)


def detect(columns: Sequence[str], sample_row: Mapping[str, str | None] | None = None) -> Format | None:
    """Return the format of a file with this header, or None. The name of the file plays no part.

    Of several rules that match, the one that asks for most columns wins. A header that matches a rule but lacks a
    required column is not of the format; ``refusal`` says so.

    Args:
        columns: the raw column names, in any order; fields of Parquet structs as ``struct.field`` or left out.
        sample_row: the first row, for rules that a header alone cannot decide (none needs it so far).

    """
    del sample_row
    found = _matching(normal_names(columns))
    return found if found is not None and not found.missing_of(normal_names(columns)) else None


def refusal(name: str, columns: Sequence[str]) -> InputError:
    """Return the error for a file that ``detect`` does not know: what was seen, what is missing, what is accepted."""
    names = normal_names(columns)
    found = _matching(names) or _like(names)
    if found is not None:
        missing = found.missing_of(names)
        what, which = ("columns", "them") if len(missing) > 1 else ("column", "it")
        sentence = f"{name} looks like {found.title}, but it lacks the {what} {', '.join(missing)}."
        return InputError(sentence, action=f"Add {which} to the export and deliver it again.", code="MISSING_COLUMN")
    # what our own connector groups in BigQuery is not for people to bring
    accepted = "; ".join(known.title for known in registry() if known.line_items is None)
    sentence = f"{name} is none of the accepted billing formats: its columns are {_shown(columns)}."
    return InputError(sentence, action=f"Accepted are: {accepted}.", code="UNKNOWN_FORMAT")


def _matching(names: frozenset[str]) -> Format | None:
    matching = [known for known in registry() if known.detection.matches(names)]
    return max(matching, key=lambda known: (len(known.detection.all_of), known.name), default=None)


def _like(names: frozenset[str]) -> Format | None:
    """Return the format that a header is most like, where it has more than half of what its rule asks for."""
    found = max(registry(), key=lambda each: (each.detection.likeness(names), len(_read_of(each) & names)))
    return found if found.detection.likeness(names) > _ALIKE else None


def _read_of(known: Format) -> frozenset[str]:
    return frozenset(source.column for column in known.columns for source in column.sources)


def _shown(columns: Sequence[str]) -> str:
    names = [column if len(column) <= _SHOWN_LENGTH else f"{column[:_SHOWN_LENGTH]}..." for column in columns]
    if not names:
        return "none"
    rest = len(names) - _SHOWN_COLUMNS
    return ", ".join(repr(name.strip("\ufeff")) for name in names[:_SHOWN_COLUMNS]) + (
        f" and {rest} more" if rest > 0 else ""
    )
