"""``offgridflow factors``: the factor set with provenance, licence and evidence of every number."""

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from offgridflow.cli import people
from offgridflow.cli.options import DEFAULT_LIMIT, Format, FormatOption, LimitOption
from offgridflow.cli.output import Answer, Column, Table, emit
from offgridflow.cli.session import catalogue
from offgridflow.domain.errors import UsageError

if TYPE_CHECKING:
    from offgridflow.factors import Catalogue
    from offgridflow.factors.model import Factor

ORDER = 34


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("factors")(factors)


def factors(
    search: Annotated[
        str | None, typer.Argument(metavar="[TEXT]", help="Part of a factor's id, key or source.")
    ] = None,
    *,
    kind: Annotated[str | None, typer.Option("--kind", help="Only factors of this kind.")] = None,
    sources: Annotated[bool, typer.Option("--sources", help="The sources with their licences.")] = False,
    corrections: Annotated[bool, typer.Option("--corrections", help="What was corrected in the sources.")] = False,
    form: FormatOption = Format.TABLE,
    limit: LimitOption = DEFAULT_LIMIT,
) -> None:
    """Show the factor set with ranges, sources and licences. Its name, version and digest, and every factor.

    Without TEXT and --kind: how many factors of each kind there are.
    """
    found = catalogue()
    if sources + corrections + (search is not None or kind is not None) > 1:
        sentence = "Sources, corrections and factors are three lists."
        raise UsageError(sentence, action="Ask for one of --sources, --corrections, or TEXT and --kind.")
    if kind is not None:
        _check_kind(found, kind)
    if sources:
        answer = _listing(found, "sources", list(found.sources()))
    elif corrections:
        answer = _listing(found, "corrections", list(found.corrections()))
    elif search is None and kind is None:
        answer = _summary(found)
    else:
        answer = _factors(found, _chosen(found.factors(), search, kind))
    emit(answer, form, limit)


def _check_kind(found: "Catalogue", kind: str) -> None:
    """Raise UsageError for a kind that no factor has."""
    kinds = sorted({factor.kind for factor in found.factors()})
    if kind not in kinds:
        sentence = f"--kind {kind!r} is no kind of factor."
        raise UsageError(sentence, action=f"Use one of: {', '.join(kinds)}.")


def _head(found: "Catalogue") -> dict[str, object]:
    return {"name": found.name, "version": found.version, "digest": found.digest}


def _notes(found: "Catalogue") -> list[str]:
    return [f"Factor set {found.name}, digest {found.digest[:16]}."]


def _chosen(found: Iterable["Factor"], search: str | None, kind: str | None) -> list["Factor"]:
    wanted = (search or "").lower()
    return [
        factor
        for factor in found
        if (kind is None or factor.kind == kind)
        and wanted in f"{factor.factor_id} {factor.key} {factor.source}".lower()
    ]


def _factors(found: "Catalogue", chosen: list["Factor"]) -> Answer:
    rows: list[Mapping[str, object]] = [_record(factor) for factor in chosen]
    columns = (
        Column("kind", "kind"),
        Column("key", "key"),
        Column("central", "central", people.fine),
        Column(f"low {people.DASH} high", lambda row: people.spread(row["low"], row["high"], people.fine), str),
        Column("unit", "unit"),
        Column("evidence", "evidence"),
        Column("source", lambda row: f"{row['source']}, {row['vintage']} ({row['licence']})"),
    )
    data = {"factor_set": _head(found), "factors": rows}
    notes = (
        _notes(found)
        if rows
        else ["No factor answers to that; without arguments all kinds are listed.", *_notes(found)]
    )
    return Answer(data, rows, [Table("Factors", columns, rows)] if rows else [], notes=notes)


def _record(factor: "Factor") -> dict[str, object]:
    values = dataclasses.asdict(factor)
    return {name: str(value) if name.startswith("valid_") and value else value for name, value in values.items()}


def _summary(found: "Catalogue") -> Answer:
    counts = Counter((factor.kind, factor.evidence) for factor in found.factors())
    kinds = dict.fromkeys(kind for kind, _ in sorted(counts))
    grades = ("read", "derived", "recalled")
    rows: list[Mapping[str, object]] = [
        {
            "kind": kind,
            "factors": sum(counts[kind, grade] for grade in grades),
            **{grade: counts[kind, grade] for grade in grades},
        }
        for kind in kinds
    ]
    columns = [Column("kind", "kind"), *(Column(name, name, people.count) for name in ("factors", *grades))]
    table = Table("Factors by kind and evidence", columns, rows)
    return Answer({"factor_set": _head(found), "kinds": rows}, rows, [table], notes=_notes(found))


def _listing(found: "Catalogue", name: str, rows: list[dict[str, str]]) -> Answer:
    columns = [Column(key, key) for key in (rows[0] if rows else ())]
    data = {"factor_set": _head(found), name: rows}
    return Answer(data, rows, [Table(name.capitalize(), columns, rows)], notes=_notes(found))
