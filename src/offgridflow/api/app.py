"""The ASGI application: routes, failures, compression, and the guard around them all."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
import duckdb
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES

from offgridflow import __version__
from offgridflow.api import routes_figures, routes_health, routes_ledger, schemas
from offgridflow.api.context import Parts
from offgridflow.api.editions import UNREADABLE, Store
from offgridflow.api.formats import MEDIA_TYPES, Form
from offgridflow.api.guard import Guard
from offgridflow.api.history import AllRuns
from offgridflow.api.methods import allowed
from offgridflow.api.metrics import Metrics
from offgridflow.api.packing import Packing
from offgridflow.api.problems import PROBLEM_TYPE, ApiError, Code, FieldProblem, problem_of
from offgridflow.api.runs import Runs
from offgridflow.api.service import Service
from offgridflow.api.state import state_of
from offgridflow.api.tokens import Tokens
from offgridflow.api.warm import ask_again
from offgridflow.domain.errors import OffGridFlowError
from offgridflow.domain.identity import digest_of
from offgridflow.reports.price_list import read_price_list
from offgridflow.web.pages import add_pages, page_of_error

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi.params import Depends

    from offgridflow.api.editions import Edition
    from offgridflow.pipeline.model import Progress
    from offgridflow.pipeline.recipe import Kitchen
    from offgridflow.pipeline.runs import RunStore
    from offgridflow.reports.price_list import PriceList
    from offgridflow.settings import Settings

_logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""How often the server looks for a new version of the ledger."""
_THREADS_BESIDE_QUEUE: Final = 24
_PACKED_IN_THREAD_BYTES: Final = 16 * 1024
"""From here on compressing is left to a thread, so that a stream does not hold up other answers."""
_CODES: Final = {
    400: Code.BAD_REQUEST,
    401: Code.UNAUTHENTICATED,
    403: Code.FORBIDDEN,
    404: Code.NOT_FOUND,
    405: Code.METHOD_NOT_ALLOWED,
    413: Code.BODY_TOO_LARGE,
    415: Code.UNSUPPORTED_MEDIA_TYPE,
}

_DESCRIPTION: Final = """The emission ledger of cloud use, served.

Figures are those of the command line, to the digit. Every answer about the ledger names its `ledger_version`, carries
an ETag and can be asked for as of an older version (`version=`, `as_of=`). Lists end with `next: null`. Every
failure is `application/problem+json` with a stable `code`.
"""


def create_app(settings: "Settings", ledger_uri: str | None = None) -> "Server":
    """Return the server of a ledger: an ASGI application that owns its parts until its lifespan ends.

    Raises LedgerError where the server's state cannot be kept, InputError for a price list and FactorSetError for grid
    factors that cannot be used. The ledger itself is opened at startup.
    """
    listed = None if settings.whatif.prices is None else read_price_list(settings.whatif.prices)
    uri = settings.ledger.address(ledger_uri)
    chosen = settings.api
    state = state_of(uri, chosen.state)
    cores = os.cpu_count() or 1
    store = Store(uri, chosen.rollup_tags, cores, chosen.memory_mib)
    runs, history = Runs(state, _ingest(settings, uri)), _history(settings, uri)
    parts = Parts(
        chosen,
        Service(
            store,
            chosen,
            lambda: _kitchen(settings),
            cores,
            listed=listed,
            made_with=_made_with(settings, listed),
        ),
        Tokens(state),
        runs,
        AllRuns(runs, history),
        Metrics(),
        history,
        {name: str(table.get("type", "")) for name, table in settings.sources.items()},
    )
    return Server(parts)


def _made_with(settings: "Settings", listed: "PriceList | None") -> str:
    """Return the digest of what answers depend on beside the ledger, so that none outlives it in somebody's cache."""
    sections = [each.model_dump(mode="json") for each in (settings.grain, settings.methodology)]
    grid = settings.methodology.grid_file
    return digest_of([__version__, *sections, listed and listed.digest, grid and _digest_of_grid(grid)])[:12]


def _digest_of_grid(path: "Path") -> str:
    """Return the digest of the user's grid factors. Raises FactorSetError where they cannot be used."""
    from offgridflow.factors.overlay import content_of, read_user_grid  # noqa: PLC0415  factor tables are late

    return digest_of([content_of(row) for row in read_user_grid(path)])


def _history(settings: "Settings", uri: str) -> "RunStore | None":
    from offgridflow.pipeline.troubles import history_at  # noqa: PLC0415  the pipeline is late

    return history_at(uri, settings.run.state)


def _kitchen(settings: "Settings") -> "Kitchen":
    from offgridflow.pipeline.kitchen import kitchen_of  # noqa: PLC0415  factor tables are late

    return kitchen_of(settings)


def _ingest(settings: "Settings", uri: str) -> "Callable[[Mapping[str, object], Progress], Mapping[str, object]]":
    from offgridflow.api.ingesting import ingest  # noqa: PLC0415  the pipeline is late

    return lambda parameters, progress: ingest(settings, uri, parameters, progress)


class Server:
    """The application behind its guard.

    Args:
        parts: what routes share.

    """

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.fastapi = _application(parts)
        self._guarded = Guard(self.fastapi, parts.settings, parts.tokens, parts.service, parts.metrics)
        parts.service.store.before_serving = self._warm

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401  ASGI
        """Answer a request."""
        await self._guarded(scope, receive, send)

    def _warm(self, edition: "Edition") -> None:
        """Answer what was asked again and again for an edition that is about to be served."""
        self.parts.service.warm(edition)
        repeated = self.parts.service.repeated.values()
        if repeated:
            asyncio.run(ask_again(self.fastapi, edition, repeated))


def _application(parts: Parts) -> FastAPI:
    bearer: Depends = _bearer()
    app = FastAPI(
        title="OffGridFlow",
        version=__version__,
        description=_DESCRIPTION,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=_lifespan,
        redirect_slashes=False,
    )
    app.state.parts = parts
    app.include_router(routes_health.router)
    for router in (routes_figures.router, routes_ledger.router):
        app.include_router(router, dependencies=[bearer])
    add_pages(app)
    _add_failures(app)
    app.add_middleware(
        Packing,
        minimum_size=1024,
        compresslevel=4,
        thread_minimum_size=_PACKED_IN_THREAD_BYTES,
        exclude_content_types=(
            *DEFAULT_EXCLUDED_CONTENT_TYPES,
            *(MEDIA_TYPES[form] for form in (Form.PARQUET, Form.ARROW)),
        ),
    )
    _document(app)
    return app


def _bearer() -> Any:  # noqa: ANN401  FastAPI's Depends has no public type
    from fastapi import Depends  # noqa: PLC0415  beside its only use

    return Depends(HTTPBearer(auto_error=False, description="offgridflow token create"))


def _document(app: FastAPI) -> None:
    """Put the shape of failures into the OpenAPI document."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        document = made()
        shapes = document.setdefault("components", {}).setdefault("schemas", {})
        problem = schemas.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        for name, shape in problem.pop("$defs", {}).items():
            shapes[name] = shape
        shapes["Problem"] = problem
        return document

    setattr(app, "openapi", openapi)  # noqa: B010  FastAPI documents it so; mypy refuses to assign to a method


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    parts: Parts = app.state.parts
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS_BESIDE_QUEUE + parts.settings.queue_length
    await asyncio.to_thread(parts.runs.start)
    watching = asyncio.create_task(_watch(parts))
    try:
        yield
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await asyncio.to_thread(parts.runs.stop)
        await asyncio.to_thread(parts.service.store.close)
        parts.tokens.close()


async def _watch(parts: Parts) -> None:
    """Look for new versions; one that cannot be read now may be soon: until then readyz, page and metrics say so."""
    store, told = parts.service.store, ""
    while True:
        with contextlib.suppress(*UNREADABLE):  # the store holds why
            await asyncio.to_thread(store.refresh)
        now = store.trouble.sentence if store.trouble else ""
        if now != told:
            told = now
            _logger.warning("the newest version of the ledger %s", f"cannot be read: {now}" if now else "is read again")
        await asyncio.sleep(LOOK_SECONDS)


# failures -----------------------------------------------------------------------------------------------------------


def _add_failures(app: FastAPI) -> None:
    app.add_exception_handler(OffGridFlowError, _on_own)
    app.add_exception_handler(duckdb.Error, _on_engine)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_unforeseen)


def _answer(request: Request, error: OffGridFlowError, extra: Mapping[str, str] | None = None) -> Response:
    page = page_of_error(request, error)
    if page is not None:
        return page
    problem = problem_of(error)
    return Response(problem.body, problem.status, {**problem.headers, **(extra or {})}, PROBLEM_TYPE)


async def _on_own(request: Request, error: Exception) -> Response:
    own = error if isinstance(error, OffGridFlowError) else OffGridFlowError("An unknown error.")
    answer = _answer(request, own)
    if answer.status_code == 503:  # noqa: PLR2004  Service Unavailable
        answer.headers.setdefault("Retry-After", "5")
    return answer


async def _on_engine(request: Request, error: Exception) -> Response:
    _logger.error("the engine failed at %s: %s", request.url.path, error)
    told = ApiError(Code.LEDGER, "The ledger could not be read for this.", action="Try again; if it lasts, run verify.")
    return _answer(request, told, {"Retry-After": "5"})


async def _on_invalid(request: Request, error: Exception) -> Response:
    found = error.errors() if isinstance(error, RequestValidationError) else ()
    if any(each["type"] == "json_invalid" for each in found):
        return _answer(request, ApiError(Code.BAD_REQUEST, "The body is not JSON.", action="Correct it."))
    fields = [
        FieldProblem(".".join(str(part) for part in each["loc"][1:]) or str(each["loc"][0]), _told(each))
        for each in found
    ]
    first = fields[0] if fields else FieldProblem("request", "It is not understood")
    told = ApiError(
        Code.USAGE,
        f"The parameter {first.where} cannot be used. {first.sentence}.",
        action="Correct it; /docs lists all parameters.",
        fields=fields,
    )
    return _answer(request, told)


def _told(error: Mapping[str, Any]) -> str:
    """Return what is wrong with a parameter, of a filter in the words of the documentation."""
    is_filter = error["type"] == "string_pattern_mismatch" and "where" in error["loc"]
    return "A filter is key=value or tag:KEY=value" if is_filter else str(error["msg"])


async def _on_http(request: Request, error: Exception) -> Response:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    if status == 405:  # noqa: PLR2004  Method Not Allowed: all that the address knows, not its first route alone
        headers = {"Allow": allowed(request.app.routes, request.scope)}
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    code = _CODES.get(status, Code.INTERNAL)
    told = ApiError(code, str(getattr(error, "detail", "")) + ".", action="/docs lists all addresses.")
    return _answer(request, told, headers)


async def _on_unforeseen(request: Request, _: Exception) -> Response:
    told = ApiError(Code.INTERNAL, "Something went wrong that nobody foresaw.", action="See the server's log.")
    return _answer(request, told)
