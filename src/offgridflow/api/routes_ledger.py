"""Routes about the ledger itself: sources, quarantine, history, factor sets, runs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response

from offgridflow import factors
from offgridflow.api import columns, params, schemas
from offgridflow.api.access import Scope
from offgridflow.api.context import Context, needs
from offgridflow.api.documents import problems, tabular
from offgridflow.api.formats import MEDIA_TYPES, Form, Record, chosen_form, rendered
from offgridflow.api.paging import Cursor, digest_of, page_of, read_cursor
from offgridflow.api.problems import ApiError, Code
from offgridflow.reports.csv_text import jsonable
from offgridflow.reports.figures import to_json
from offgridflow.reports.records import records
from offgridflow.reports.reported import REPORTED
from offgridflow.reports.sources import SourceState, sources_of

if TYPE_CHECKING:
    from offgridflow.api.editions import Edition
    from offgridflow.ledger import LiveCommit
    from offgridflow.ledger.reported import LiveReport

router = APIRouter(prefix="/api/v1", tags=["ledger"])
Reader = Annotated[Context, Depends(needs(Scope.READ))]
Starter = Annotated[Context, Depends(needs(Scope.RUN))]


def _json_starter(starter: Starter, request: Request) -> Context:
    """Refuse a body that does not say that it is JSON. Raises ApiError UNSUPPORTED_MEDIA_TYPE."""
    headers = request.headers
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
    is_json = media == "application/json" or (media.startswith("application/") and media.endswith("+json"))
    if is_json or not (media or has_body):
        return starter
    sentence = f"The body is {media or 'of no named type'}, not JSON."
    raise ApiError(Code.UNSUPPORTED_MEDIA_TYPE, sentence, action="Send Content-Type: application/json.")


JsonStarter = Annotated[Context, Depends(_json_starter)]
RunId = Annotated[str, Path(max_length=64, pattern=r"^[0-9A-Za-z-]+$", description="`run_id` of a run.")]


def _paged(
    reader: Context, query: params.ListQuery | params.RunsQuery, name: str, rows: Sequence[Record]
) -> tuple[Sequence[Record], str | None]:
    digest = digest_of(name)
    cursor = read_cursor(query.cursor, digest) if query.cursor else None
    return page_of(rows, cursor, query.limit, reader.service.store.current().version, digest)


@router.get("/sources", responses={200: tabular(schemas.Sources), **problems(422)}, response_class=Response)
def sources(reader: Reader, query: Annotated[params.ListQuery, Query()]) -> Response:
    """Sources, configured or found in the ledger, with their live billing periods and months of providers' reports."""
    reader.require_whole()
    edition = reader.edition(query)

    def make() -> tuple[Record, Sequence[Record]]:
        providers = _report_providers(reader, edition)
        states = sources_of(reader.parts.sources, edition.commits, edition.reports)
        page, following = _paged(reader, query, "sources", [_source(state, providers) for state in states])
        flat = [{"source": each["source"], "type": each["type"]} | period for each in page for period in _periods(each)]
        return {"sources": list(page), "ledger_version": edition.version, "next": following}, flat

    return reader.answer(edition, query.format, make, columns.SOURCE_PERIODS)


def _report_providers(reader: Context, edition: "Edition") -> Mapping[str, str]:
    """Return whose report a source brings, by source."""
    if not edition.reports:
        return {}
    with reader.service.heavy(edition, reader.caller.restriction) as reading:
        rows = records(reading.con, f"SELECT source, min(provider) AS provider FROM {REPORTED} GROUP BY source")
    return {row["source"]: row["provider"] for row in rows}


def _source(state: SourceState, providers: Mapping[str, str]) -> dict[str, object]:
    last = state.last_committed_at
    return {
        "source": state.source,
        "type": state.type,
        "provider": state.commits[0].provider if state.commits else providers.get(state.source),
        "newest_period": state.newest_period,
        "line_items": state.line_items,
        "last_committed_at": None if last is None else last.isoformat(),
        "periods": [*(_billed(commit) for commit in state.commits), *(_reported(month) for month in state.reports)],
    }


def _billed(commit: "LiveCommit") -> dict[str, object]:
    return {
        "kind": "bill",
        "billing_period": commit.billing_period,
        "format": commit.format,
        "committed_at": commit.committed_at.isoformat(),
        "line_items": commit.line_items,
        "fingerprint": commit.fingerprint,
        "factor_set": commit.factor_set,
        "run_id": commit.run_id,
        "commit_id": commit.commit_id,
    }


def _reported(report: "LiveReport") -> dict[str, object]:
    return {
        "kind": "report",
        "billing_period": report.month,
        "format": None,
        "committed_at": report.committed_at.isoformat(),
        "line_items": None,
        "fingerprint": report.content_digest,
        "factor_set": None,
        "run_id": None,
        "commit_id": report.commit_id,
    }


def _periods(source: Record) -> Sequence[dict[str, object]]:
    periods = source["periods"]
    return periods if isinstance(periods, list) else []


@router.get("/quarantine", responses={200: tabular(schemas.Rows), **problems(422)}, response_class=Response)
def quarantine(reader: Reader, query: Annotated[params.ListQuery, Query()]) -> Response:
    """Lines that could not be read: file, line, reason, an excerpt of the value."""
    reader.require_whole()
    digest = digest_of("quarantine")
    cursor = read_cursor(query.cursor, digest) if query.cursor else None
    edition = reader.edition(query, cursor.version if cursor else None)

    def make() -> tuple[Record, Sequence[Record]]:
        offset = cursor.offset if cursor else 0
        with reader.service.heavy(edition, reader.caller.restriction) as reading:
            sql = (
                "SELECT * FROM quarantine ORDER BY source, billing_period, file, line_number, column_name "
                "LIMIT ? OFFSET ?"
            )
            rows = records(reading.con, sql, [query.limit + 1, offset])
        following = Cursor(edition.version, offset + query.limit, digest).text() if len(rows) > query.limit else None
        page = rows[: query.limit]
        return {"rows": page, "ledger_version": edition.version, "next": following}, page

    return reader.answer(edition, query.format, make, columns.UNREADABLE_LINES)


@router.get("/history", responses={200: tabular(schemas.History), **problems(422)}, response_class=Response)
def history(reader: Reader, query: Annotated[params.ListQuery, Query()]) -> Response:
    """What was done to the ledger, the newest first: commits, deletions, upkeep."""
    reader.require_whole()
    edition = reader.edition(query)

    def make() -> tuple[Record, Sequence[Record]]:
        done = [
            {name: entry.get(name) for name in columns.HISTORY}
            for entry in reader.service.store.history()
            if _version(entry) <= edition.version
        ]
        page, following = _paged(reader, query, "history", done)
        return {"history": list(page), "ledger_version": edition.version, "next": following}, page

    return reader.answer(edition, query.format, make, columns.HISTORY)


def _version(entry: Mapping[str, object]) -> int:
    version = entry.get("version", 0)
    return version if isinstance(version, int) else 0


@router.get("/factor-sets", responses={200: tabular(schemas.FactorSets), **problems(422)}, response_class=Response)
def factor_sets(reader: Reader, query: Annotated[params.ListQuery, Query()]) -> Response:
    """The factor set of this server with digest, publishers and licences; and which made the live figures."""
    edition = reader.edition(query)

    def make() -> tuple[Record, Sequence[Record]]:
        made = factors.load()
        own: dict[str, object] = {
            "name": made.name,
            "version": made.version,
            "digest": made.digest,
            "sources": [dict(source) for source in made.sources()],
        }
        page, following = _paged(reader, query, "factor-sets", [own])
        shape = {
            "factor_sets": list(page),
            "used_by_ledger": edition.provenance.factor_set,
            "ledger_version": edition.version,
            "next": following,
        }
        return shape, [dict(source) for source in made.sources()]

    return reader.answer(edition, query.format, make, columns.FACTOR_SOURCES)


@router.get("/runs", tags=["runs"], responses={200: tabular(schemas.RunList), **problems(422)}, response_class=Response)
def runs(
    reader: Reader, query: Annotated[params.RunsQuery, Query()], accept: Annotated[str | None, Header()] = None
) -> Response:
    """Runs, whoever started them, the newest first; history lists every commit, those of ad-hoc ingests too."""
    reader.require_whole()
    form = chosen_form(None, accept)
    page, following = _paged(reader, query, "runs", reader.parts.all_runs.list())
    body = rendered(form, {"runs": list(page), "next": following}, page, columns.RUNS)
    return Response(body, media_type=MEDIA_TYPES[form], headers={"Cache-Control": "no-store"})


@router.get("/runs/{run_id}", tags=["runs"], responses={200: {"model": schemas.Run}, **problems(422)})
def run(reader: Reader, run_id: RunId) -> Response:
    """One run with its result, and what it did with each billing period of the sources."""
    reader.require_whole()
    return _json(reader.parts.all_runs.get(run_id))


@router.post(
    "/runs",
    tags=["runs"],
    status_code=202,
    responses={202: {"model": schemas.Run}, **problems(409, 415, 422)},
    response_class=Response,
)
def start_run(
    starter: JsonStarter,
    body: params.RunRequest,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")],
) -> Response:
    """Ingest the configured paths and sources. The same Idempotency-Key gives the first answer again for 24 hours."""
    if body.date_from and body.date_to and body.date_to < body.date_from:
        raise params.usage(parameter="to", sentence=f"It lies before from, {body.date_from}.")
    parameters = body.model_dump(by_alias=True)
    told = starter.parts.runs.ask(starter.caller.token_id or starter.caller.name, idempotency_key, parameters)
    headers = {"Idempotency-Replayed": "true"} if told.is_repeated else {}
    return Response(told.body, told.status, headers, MEDIA_TYPES[Form.JSON])


@router.post(
    "/runs/{run_id}/cancel",
    tags=["runs"],
    status_code=202,
    responses={202: {"model": schemas.Run}, **problems(409, 422)},
    response_class=Response,
)
def cancel_run(starter: Starter, run_id: RunId) -> Response:
    """Ask a run to stop at its next step; what is committed stays. Asking again changes nothing."""
    return _json(starter.parts.all_runs.cancel(run_id), 202)


def _json(shape: Mapping[str, object], status: int = 200) -> Response:
    return Response(
        to_json(jsonable(shape), indent=None), status, {"Cache-Control": "no-store"}, MEDIA_TYPES[Form.JSON]
    )
