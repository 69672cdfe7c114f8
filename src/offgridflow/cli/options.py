"""The options that commands share, so that they read and behave the same everywhere."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from offgridflow.domain.errors import UsageError


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
WhereOption = Annotated[
    list[str] | None,
    typer.Option("--where", metavar="KEY=VALUE", help="Only rows with this value; repeat for several keys."),
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


def names_of(text: str) -> tuple[str, ...]:
    """Split a comma-separated list of keys; empty parts are left out."""
    return tuple(name for name in (part.strip() for part in text.split(",")) if name)


def filters_of(items: Sequence[str] | None) -> dict[str, str]:
    """Read ``key=value`` items; the value may hold further equal signs, and empty means unknown."""
    filters: dict[str, str] = {}
    for item in items or ():
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            sentence = f"--where {item!r} is not KEY=VALUE."
            raise UsageError(sentence, action="Write for example --where provider=aws.")
        if key.strip() in filters:
            sentence = f"--where names {key.strip()!r} twice."
            raise UsageError(sentence, action="Give one value per key, and group by the key to see several.")
        filters[key.strip()] = value
    return filters
