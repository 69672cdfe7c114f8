"""Routes about figures: emissions, activities, export, coverage, rates, explain, what-if, reconcile, inventory."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import StreamingResponse

from offgridflow.api import columns, params, schemas
from offgridflow.api.access import Scope
from offgridflow.api.context import Context, needs
from offgridflow.api.documents import problems, tabular
from offgridflow.api.export import Export
from offgridflow.api.formats import MEDIA_TYPES, Form, Record, chosen_form
from offgridflow.api.methods import HEADERS_ONLY
from offgridflow.api.paging import Cursor, digest_of, page_of, read_cursor
from offgridflow.reports.explain import step_records
from offgridflow.reports.inventory import inventory
from offgridflow.reports.inventory_page import records_of
from offgridflow.reports.previous import with_previous
from offgridflow.reports.reconcile import reconcile
from offgridflow.reports.records import records
from offgridflow.reports.reported import published_rows
from offgridflow.reports.scope import filters_of, scope_of
from offgridflow.reports.swap import Swap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from offgridflow.api.columns import Columns
    from offgridflow.api.editions import Edition
    from offgridflow.api.service import Question
    from offgridflow.reports.coverage import CoverageReport
    from offgridflow.reports.figures import Row
    from offgridflow.reports.totals import Report

router = APIRouter(prefix="/api/v1", tags=["figures"])
Reader = Annotated[Context, Depends(needs(Scope.READ))]


@router.get("/emissions", responses={200: tabular(schemas.Emissions), **problems(422, 503)}, response_class=Response)
def emissions(reader: Reader, query: Annotated[params.EmissionsQuery, Query()]) -> Response:
    """Totals of usage by any keys: impacts with range, money, lines, what was excluded, and coverage.

    By month, provider, account, region, service or a chosen tag, over whole months, the answer comes from a rollup.
    """
    question = query.question(query.by)
    digest = digest_of("emissions", question, query.sort, query.top, query.compare)
    cursor = read_cursor(query.cursor, digest) if query.cursor else None
    edition = reader.edition(query, cursor.version if cursor else None)
    wanted = columns.emissions(question.by, is_compared=query.compare)
    if query.sort is not None:
        _check_sort(query.sort, wanted)

    def make() -> tuple[Record, "Sequence[Record]"]:
        found = reader.service.report(edition, reader.caller.restriction, question)
        rows, before = _rows(reader, edition, question, found, query)
        page, following = page_of(rows, cursor, query.limit, edition.version, digest)
        shape = {**found.to_json(), "rows": list(page), "next": following}
        return (shape if before is None else {**shape, "previous": before.to_json()}), page

    return reader.answer(edition, query.format, make, wanted)


def _rows(
    reader: Context, edition: "Edition", question: "Question", found: "Report", query: params.EmissionsQuery
) -> tuple["Sequence[Row]", "Report | None"]:
    rows: Sequence[Row] = found.rows
    before = None
    if query.compare:
        earlier = question.before()
        if earlier is None:
            raise params.usage(parameter="compare", sentence="Without from and to there is no period before.")
        before = reader.service.report(edition, reader.caller.restriction, earlier)
        rows = with_previous(rows, before.rows, (*found.keys, "billing_currency"))
    if query.sort is not None:
        rows = _sorted(rows, query.sort)
    return rows[: query.top] if query.top else rows, before


def _check_sort(sort: str, known: "Columns") -> None:
    if sort.removeprefix("-") not in known:
        sentence = f"The rows have no column of that name; they have {', '.join(sorted(known))}."
        raise params.usage(parameter="sort", sentence=sentence)


def _sorted(rows: "Sequence[Row]", sort: str) -> "Sequence[Row]":
    name = sort.removeprefix("-")
    is_falling = sort.startswith("-")
    with_value = [row for row in rows if row[name] is not None]
    ordered = sorted(with_value, key=lambda row: _order(row[name]), reverse=is_falling)
    return [*ordered, *(row for row in rows if row[name] is None)]


def _order(value: object) -> tuple[int, Decimal, str]:
    if isinstance(value, int | Decimal):
        return (0, Decimal(value), "")
    return (1, Decimal(0), str(value))


@router.get("/activities", responses={200: tabular(schemas.Rows), **problems(422, 503)}, response_class=Response)
def activities(reader: Reader, query: Annotated[params.ActivitiesQuery, Query()]) -> Response:
    """Rows of the ledger, usage and excluded ones, in the order of its files; for all of them use export."""
    question = query.question()
    digest = digest_of("activities", question)
    cursor = read_cursor(query.cursor, digest) if query.cursor else None
    edition = reader.edition(query, cursor.version if cursor else None)

    def make() -> tuple[Record, "Sequence[Record]"]:
        scope = scope_of(question.date_from, question.date_to, question.filters)
        condition, values = scope.where()
        offset = cursor.offset if cursor else 0
        with reader.service.heavy(edition, reader.caller.restriction) as reading:
            rows = records(
                reading.con,
                f"SELECT * FROM {scope.view} WHERE {condition} LIMIT ? OFFSET ?",
                [*values, query.limit + 1, offset],
            )
        page = rows[: query.limit]
        following = Cursor(edition.version, offset + query.limit, digest).text() if len(rows) > query.limit else None
        return {"rows": page, "ledger_version": edition.version, "next": following}, page

    return reader.answer(edition, query.format, make, columns.ACTIVITIES)


_STREAMS: Final[dict[str, Any]] = {
    "description": "FOCUS 1.2 names, and ours with the prefix x_.",
    "content": {MEDIA_TYPES[form]: {"schema": {"type": "string"}} for form in Form if form is not Form.JSON},
}


@router.get("/export", responses={200: _STREAMS, **problems(422, 503)}, response_class=Response)
def export(reader: Reader, query: Annotated[params.ExportQuery, Query()]) -> Response:
    """All rows as FOCUS with x_ columns, streamed in constant memory; CSV unless another format is asked for."""
    question = query.question()
    scope = scope_of(question.date_from, question.date_to, question.filters)
    form = chosen_form(query.format, reader.request.headers.get("accept"), Form.CSV)
    if form is Form.JSON:
        raise params.usage(parameter="format", sentence="An export is csv, ndjson, parquet or arrow.")
    edition = reader.edition(query)
    headers = {
        "Content-Disposition": f'attachment; filename="offgridflow-v{edition.version}.{form}"',
        "Cache-Control": "no-store",
    }
    if getattr(reader.request.state, HEADERS_ONLY, False):  # nobody would read the rows
        return StreamingResponse(iter((b"",)), media_type=MEDIA_TYPES[form], headers=headers)
    stream = Export(edition, reader.caller.restriction, scope, form, reader.service)
    return StreamingResponse(iter(stream), media_type=MEDIA_TYPES[form], headers=headers)


@router.get("/coverage", responses={200: tabular(schemas.Coverage), **problems(422, 503)}, response_class=Response)
def coverage(reader: Reader, query: Annotated[params.CoverageQuery, Query()]) -> Response:
    """What was estimated, how, and what was not and why; the table formats hold the buckets."""
    edition, question = reader.edition(query), query.question()

    def make() -> tuple[Record, "Sequence[Record]"]:
        found: CoverageReport = reader.service.coverage(edition, reader.caller.restriction, question)
        return found.to_json(), found.buckets

    return reader.answer(edition, query.format, make, columns.COVERAGE_BUCKETS)


@router.get("/sensitivity", responses={200: tabular(schemas.Answer), **problems(422, 503)}, response_class=Response)
def sensitivity(reader: Reader, query: Annotated[params.CoverageQuery, Query()]) -> Response:
    """How far each group of uncertainty moves the total, the widest first."""
    edition, question = reader.edition(query), query.question()

    def make() -> tuple[Record, "Sequence[Record]"]:
        found = reader.service.sensitivity(edition, reader.caller.restriction, question)
        return {**found.to_json(), "ledger_version": edition.version}, found.groups

    return reader.answer(edition, query.format, make, columns.SENSITIVITY_GROUPS)


@router.get("/rates", responses={200: tabular(schemas.Rates), **problems(422, 503)}, response_class=Response)
def rates(reader: Reader, query: Annotated[params.RatesQuery, Query()]) -> Response:
    """The rate card: energy, emissions and water per ONE consumed unit of each SKU."""
    pairs = params.pairs_of(query.where)
    digest = digest_of("rates", pairs, query.search)
    cursor = read_cursor(query.cursor, digest) if query.cursor else None
    edition = reader.edition(query, cursor.version if cursor else None)

    def make() -> tuple[Record, "Sequence[Record]"]:
        found = reader.service.rates(edition, reader.caller.restriction, filters_of(pairs), query.search)
        page, following = page_of(found.rates, cursor, query.limit, edition.version, digest)
        return {"rates": list(page), "ledger_version": edition.version, "next": following}, page

    return reader.answer(edition, query.format, make, columns.RATE_CARD)


@router.get("/explain", responses={200: tabular(schemas.Explained), **problems(422, 503)}, response_class=Response)
def explain(reader: Reader, query: Annotated[params.ExplainQuery, Query()]) -> Response:
    """How a figure came about: quantity x rate, each step, each factor with source and licence."""
    edition, question = reader.edition(query), query.question()

    def make() -> tuple[Record, "Sequence[Record]"]:
        found = reader.service.explain(edition, reader.caller.restriction, question, query.name, query.most)
        return {**found.to_json(), "ledger_version": edition.version}, step_records(found)

    return reader.answer(edition, query.format, make, columns.STEPS)


@router.get("/whatif", responses={200: tabular(schemas.Compared), **problems(422, 503)}, response_class=Response)
def whatif(reader: Reader, query: Annotated[params.WhatIfQuery, Query()]) -> Response:
    """The same use in another region, instance family or storage class. Nothing is stored."""
    swap = Swap(_pair(query.region), _pair(query.family), _pair(query.storage))
    if swap == Swap():
        raise params.usage(
            parameter="region", sentence="Nothing to change was named: give region, family or storage as OLD:NEW."
        )
    edition, question = reader.edition(query), query.question(query.by)

    def make() -> tuple[Record, "Sequence[Record]"]:
        found = reader.service.what_if(edition, reader.caller.restriction, question, swap)
        rows = found.rows() if query.table == "rows" else [move.to_json() for move in found.moves]
        return {**found.to_json(), "ledger_version": edition.version}, rows

    wanted = columns.what_if(question.by) if query.table == "rows" else columns.MOVES
    return reader.answer(edition, query.format, make, wanted)


def _pair(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    old, _, new = text.partition(":")
    return old, new


@router.get("/reconcile", responses={200: tabular(schemas.Reconciled), **problems(422, 503)}, response_class=Response)
def reconciled(reader: Reader, query: Annotated[params.MonthsQuery, Query()]) -> Response:
    """Our estimate beside the provider's own report; empty report columns where none was ingested."""
    reader.require_whole()
    edition = reader.edition(query)
    keys = tuple(key for key in (part.strip() for part in query.by.split(",")) if key)

    def make() -> tuple[Record, "Sequence[Record]"]:
        with reader.service.heavy(edition, reader.caller.restriction) as reading:
            found = reconcile(reading.con, query.date_from, query.date_to, keys, provenance=reading.provenance)
        return found.to_json(), found.rows

    return reader.answer(edition, query.format, make, columns.reconciled(keys))


@router.get("/reported", responses={200: tabular(schemas.Rows), **problems(422, 503)}, response_class=Response)
def reported(reader: Reader, query: Annotated[params.ReportedQuery, Query()]) -> Response:
    """The providers' own figures as they were published: every breakdown and model version, unknown ones null.

    Breakdowns and model versions tell of the same emissions, location- and market-based ones too: rows are not to be
    added up. Reconcile compares them with the estimate, each emission once.
    """
    reader.require_whole()
    digest = digest_of("reported", query.date_from, query.date_to, query.pairs())
    cursor = read_cursor(query.cursor, digest) if query.cursor else None
    edition = reader.edition(query, cursor.version if cursor else None)

    def make() -> tuple[Record, "Sequence[Record]"]:
        offset = cursor.offset if cursor else 0
        with reader.service.heavy(edition, reader.caller.restriction) as reading:
            months = (query.date_from, query.date_to)
            rows = published_rows(reading.con, months, filters_of(query.pairs()), (query.limit + 1, offset))
        page = rows[: query.limit]
        following = Cursor(edition.version, offset + query.limit, digest).text() if len(rows) > query.limit else None
        return {"rows": page, "ledger_version": edition.version, "next": following}, page

    return reader.answer(edition, query.format, make, columns.PUBLISHED)


@router.get("/inventory", responses={200: tabular(schemas.Inventory), **problems(422, 503)}, response_class=Response)
def inventoried(reader: Reader, query: Annotated[params.InventoryQuery, Query()]) -> Response:
    """The GHG Protocol inventory of a year: Scope 3 category 1, location- and market-based side by side."""
    reader.require_whole()
    edition = reader.edition(query)
    units = None if query.functional_units is None else Decimal(repr(query.functional_units))

    def make() -> tuple[Record, "Sequence[Record]"]:
        with reader.service.heavy(edition, reader.caller.restriction) as reading:
            found = inventory(reading.con, query.year, units, query.unit, provenance=reading.provenance)
        return found.to_json(), records_of(found)

    return reader.answer(edition, query.format, make, columns.INVENTORY)
