"""The dashboard's addresses: overview, explain, what-if, sign-in, API. Server-rendered, the state in the address."""

import importlib.resources
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

import jinja2
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from pydantic import Field
from starlette.staticfiles import StaticFiles

from offgridflow import __version__
from offgridflow.api.access import Scope
from offgridflow.api.context import Context, needs, parts_of
from offgridflow.api.guard import SESSION_COOKIE
from offgridflow.api.params import MOST_CHARACTERS, Filter, Strict, pairs_of
from offgridflow.api.problems import TITLES, ApiError, Code, Problem, problem_of
from offgridflow.api.targets import local_target
from offgridflow.reports.scope import filters_of, key_of, scope_of
from offgridflow.web import words
from offgridflow.web.charts import METRICS
from offgridflow.web.links import View
from offgridflow.web.overview import overview
from offgridflow.web.stories import Change, explained, whatif_story

_PACKAGE: Final = Path(str(importlib.resources.files("offgridflow.web")))
_SEE_OTHER: Final = 303

router = APIRouter(include_in_schema=False)
Reader = Annotated[Context, Depends(needs(Scope.READ))]
_Short = Annotated[str | None, Field(max_length=200)]


class PageQuery(Strict):
    """The state of a page. Empty fields of a form count as absent."""

    from_: str | None = Field(None, alias="from", max_length=10)
    to: str | None = Field(None, max_length=10)
    by: str = Field("provider", max_length=600)
    metric: str = Field("carbon", pattern=f"^({'|'.join(METRICS)})?$")
    where: list[Filter] = Field(default=[], max_length=20)
    name: str | None = Field(None, max_length=MOST_CHARACTERS)
    region: _Short = None
    new_region: _Short = None
    family: _Short = None
    new_family: _Short = None
    storage: _Short = None
    new_storage: _Short = None

    def view(self) -> View:
        """Return the view. Raises UsageError for a key, month or day that is not one."""
        where = pairs_of(self.where)
        first, last = (value[:7] if value else None for value in (self.from_, self.to))
        key = key_of(self.by.split(",")[0].strip() or "provider").name
        scope_of(first, last, filters_of(where))  # refuses what reports would refuse, on pages without a report too
        return View(first, last, key, self.metric or "carbon", where)

    def change(self) -> Change:
        """Return what is to be changed."""
        pairs = (
            (self.region, self.new_region),
            (self.family, self.new_family),
            (self.storage, self.new_storage),
        )
        return Change(*((old.strip(), new.strip()) if old and new else None for old, new in pairs))


Asked = Annotated[PageQuery, Query()]


def add_pages(app: FastAPI) -> None:
    """Add the dashboard's routes and files to the server."""
    app.include_router(router)
    app.mount("/static", StaticFiles(directory=_PACKAGE / "static"), name="static")


@cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PACKAGE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"words": words, "product_version": __version__, "metrics": METRICS}
    return environment


def rendered(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """Return a page. It is never kept by caches: what it shows depends on who asks."""
    body = _templates().get_template(template).render(**values)
    return HTMLResponse(body, status, {"Cache-Control": "no-store"})


def problem_page(problem: Problem, error: ApiError | Any) -> HTMLResponse:  # noqa: ANN401  any error of ours
    """Return a failure as a page."""
    page = rendered(
        "problem.html",
        problem.status,
        page="problem",
        caller=None,
        title=TITLES[Code(error.code)][1] if error.code in set(Code) else "That did not work",
        sentence=error.sentence,
        action=error.action,
        code=error.code,
    )
    page.headers.update(problem.headers)
    return page


def _shown(reader: Context, page: str, version: int, **values: object) -> HTMLResponse:
    """Return a page of figures of a version, with a banner where a newer one is there that cannot be read."""
    trouble = reader.service.store.trouble
    unread = None if trouble is None else trouble.told(version)
    return rendered(f"{page}.html", 200, page=page, caller=reader.caller, version=version, unread=unread, **values)


@router.get("/")
def show_overview(reader: Reader, query: Asked) -> Response:
    """Totals, trend, breakdown."""
    edition = reader.service.store.current()
    values = overview(reader, edition, query.view(), datetime.now(UTC))
    return _shown(reader, "overview", edition.version, **values)


@router.get("/explain")
def show_explain(reader: Reader, query: Asked) -> Response:
    """A figure opened to its arithmetic."""
    edition = reader.service.store.current()
    values = explained(reader, edition, query.view(), (query.name or "").strip() or None)
    return _shown(reader, "explain", edition.version, **values)


@router.get("/whatif")
def show_whatif(reader: Reader, query: Asked) -> Response:
    """The same use elsewhere."""
    edition = reader.service.store.current()
    values = whatif_story(reader, edition, query.view(), query.change())
    return _shown(reader, "whatif", edition.version, asked=query, **values)


@router.get("/docs")
def show_docs(reader: Reader, request: Request) -> Response:
    """The API's routes and the codes of failures."""
    document = request.app.openapi()
    routes = [
        {"method": method.upper(), "path": path, "text": operation.get("description") or operation.get("summary", "")}
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    codes = [(code.value, status, title) for code, (status, title) in TITLES.items()]
    return rendered("docs.html", page="docs", caller=reader.caller, routes=routes, codes=codes)


@router.get("/favicon.ico")
def favicon() -> Response:
    """The browser asks for it whatever the page says."""
    return RedirectResponse("/static/favicon.svg", 308)


@router.get("/login")
def show_login(request: Request) -> Response:
    """Where a token opens a browser session."""
    target = local_target(request.query_params.get("next", ""))
    if getattr(request.state, "caller", None) is not None:  # signed in already, or nobody has to
        return RedirectResponse(target, _SEE_OTHER)
    return rendered("login.html", page="login", caller=None, sentence=None, target=target)


@router.post("/login")
async def login(request: Request) -> Response:
    """Open a session with a token from the form."""
    parts = parts_of(request)
    given = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=5)
    target = local_target(given.get("next", [""])[0])
    caller = parts.tokens.caller(given.get("token", [""])[0].strip())
    if caller is None:
        sentence = "That token is unknown, expired or revoked."
        return rendered("login.html", 401, page="login", caller=None, sentence=sentence, target=target)
    secret = parts.tokens.open_session(caller, parts.settings.session_hours)
    answer = RedirectResponse(target, _SEE_OTHER)
    answer.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=round(parts.settings.session_hours * 3600),
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
def logout(request: Request) -> Response:
    """End the session of this browser."""
    parts_of(request).tokens.close_session(request.cookies.get(SESSION_COOKIE, ""))
    answer = RedirectResponse("/login", _SEE_OTHER)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


def page_of_error(request: Request, error: Any) -> HTMLResponse | None:  # noqa: ANN401  any error of ours
    """Return a failure as a page where a browser asked for one, else None."""
    wants_page = "text/html" in request.headers.get("accept", "")
    if not wants_page or request.url.path.startswith("/api/"):
        return None
    return problem_page(problem_of(error), error)
