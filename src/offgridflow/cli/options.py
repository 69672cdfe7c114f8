"""The options that commands share, so that they read and behave the same everywhere."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from offgridflow.domain.errors import UsageError
from offgridflow.domain.periods import Month


class Format(StrEnum):
    """How a command answers: a table for people, JSON or CSV for machines."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


FormatOption = Annotated[
    Format,
    typer.Option("--format", metavar="table|json|csv", help="Table for people; json or csv for machines."),
]
LedgerOption = Annotated[
    str | None,
    typer.Option(
        "--ledger",
        envvar="OFFGRIDFLOW_LEDGER",
        show_envvar=True,
        metavar="FOLDER|URI",
        help="The ledger; else that of offgridflow.toml, else ./offgridflow-ledger.",
    ),
]
FromOption = Annotated[
    str | None,
    typer.Option("--from", metavar="YYYY-MM[-DD]", help="First charge month or day, UTC, inclusive."),
]
ToOption = Annotated[
    str | None,
    typer.Option("--to", metavar="YYYY-MM[-DD]", help="Last charge month or day, UTC, inclusive."),
]
FirstPeriodOption = Annotated[
    str | None, typer.Option("--from", metavar="YYYY-MM", help="First billing period, inclusive.")
]
LastPeriodOption = Annotated[
    str | None, typer.Option("--to", metavar="YYYY-MM", help="Last billing period, inclusive.")
]
FullOption = Annotated[
    bool,
    typer.Option("--full", help="Read and commit again what is unchanged; try again what is held."),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where",
        metavar="KEY=VALUE",
        help="Only rows with this value; repeat for more keys, or more values of a key.",
    ),
]
ByOption = Annotated[str, typer.Option("--by", metavar="KEY,KEY...", help="Group keys, separated by commas.")]
ProfileOption = Annotated[
    str | None,
    typer.Option("--methodology", metavar="PROFILE", help="default, sci, ccf or assured; else that of the settings."),
]
LimitOption = Annotated[
    int,
    typer.Option("--limit", min=0, help="Rows of a table for people; 0 shows all. Never cuts json or csv."),
]

DEFAULT_LIMIT = 40


def month_of(option: str, text: str | None) -> str | None:
    """Return a month as YYYY-MM; UsageError names the option."""
    if text is None:
        return None
    try:
        return str(Month.parse(text))
    except ValueError as error:
        sentence = f"{option}: {error}."
        raise UsageError(sentence, action=f"Write for example {option} 2025-06.") from error


def periods_of(first: str | None, last: str | None) -> tuple[str | None, str | None]:
    """Return --from and --to as billing periods; UsageError where one is none, or the last comes before the first."""
    begin, end = month_of("--from", first), month_of("--to", last)
    if begin is not None and end is not None and end < begin:
        sentence = f"--to {end} lies before --from {begin}."
        raise UsageError(sentence, action="Swap --from and --to.")
    return begin, end


def names_of(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of keys; empty parts are left out."""
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def filters_of(items: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """Read ``key=value`` items; the value may hold further equal signs, and empty means unknown.

    The values of a key that stands several times are alternatives.
    """
    filters: dict[str, tuple[str, ...]] = {}
    for item in items or ():
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            sentence = f"--where {item!r} is not KEY=VALUE."
            raise UsageError(sentence, action="Write for example --where provider=aws.")
        filters[key.strip()] = (*filters.get(key.strip(), ()), value)
    return filters
