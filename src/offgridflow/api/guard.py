"""What every request passes before any route: host, size, who asks, how often, from which site. In one readable file.

Cross-site requests (CSRF) are told by the headers that browsers set and pages cannot (after Filippo Valsorda,
"Cross-Site Request Forgery", 2025): a changing request needs Sec-Fetch-Site same-origin or none; without that header
its Origin must name this host; without both no browser sent it. A bearer token without a cookie needs no check, because
no browser adds it by itself. Since no GET changes anything, and every other request is checked so, the cookie of a
session is SameSite=Lax: a link on another site leads to the page, signed in.
"""

import math
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect

from offgridflow.api.access import LOCAL_USER, Caller
from offgridflow.api.kept import kept_answer
from offgridflow.api.methods import as_get, without_body
from offgridflow.api.metrics import Metrics
from offgridflow.api.problems import PROBLEM_TYPE, ApiError, Code, problem_of
from offgridflow.api.targets import MOST_BYTES, login_to
from offgridflow.cloud.pace import Quota, TokenBucket
from offgridflow.domain.errors import OffGridFlowError

if TYPE_CHECKING:
    from offgridflow.api.service import Service
    from offgridflow.api.tokens import Tokens
    from offgridflow.settings import ApiSettings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

SESSION_COOKIE: Final = "ogf_session"
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_OPEN_PATHS: Final = frozenset({"/healthz", "/readyz", "/login", "/api/v1/openapi.json", "/favicon.ico"})
_OPEN_PREFIXES: Final = ("/static/",)
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class _Label:
    """Stands for a route in the metrics."""

    path: str


_KEPT: Final = _Label("kept")

SECURITY_HEADERS: Final = (
    (
        b"content-security-policy",
        (
            b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
            b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        ),
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)


class Guard:
    """The outermost ASGI application.

    Args:
        app: what lies behind.
        settings: limits and names of this server.
        tokens: who may come in.
        service: holds the answers that were given.
        metrics: where requests are counted.
        clock: seconds, monotonic.

    """

    def __init__(
        self,
        app: App,
        settings: "ApiSettings",
        tokens: "Tokens",
        service: "Service",
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._app = app
        self._settings = settings
        self._tokens = tokens
        self._service = service
        self._metrics = metrics
        self._clock = clock
        self._hosts = frozenset(host.lower() for host in settings.hosts)
        self._is_local = settings.host in LOOPBACK
        self._buckets: dict[str, TokenBucket] = {}
        self._lock = threading.Lock()

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Check a request, pass it on, and count it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = self._clock(), 500
        is_head = scope["method"] == "HEAD"
        asked = as_get(scope) if is_head else scope

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), *SECURITY_HEADERS]
            await send(message)

        try:
            await self._checked(asked, receive, without_body(counted) if is_head else counted)
        finally:
            self._metrics.observe(_route_of(asked), scope["method"], status, self._clock() - began)

    async def _checked(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        headers = _headers(scope)
        try:
            self._check_host(headers)
            self._check_length(scope, headers)
            caller = self._caller(scope, headers)
            _check_site(scope, headers)
            if caller is not None:
                self._check_rate(caller)
        except OffGridFlowError as error:
            if _wants_page(scope, headers) and error.code == "UNAUTHENTICATED":
                await _redirect(send, login_to(scope["raw_path"] or b"/", scope["query_string"]))
                return
            await send_problem(send, error)
            return
        if caller is not None and (kept := kept_answer(self._service, scope, headers, caller)) is not None:
            scope["route"] = _KEPT
            await send({"type": "http.response.start", "status": kept.status, "headers": kept.headers})
            await send({"type": "http.response.body", "body": kept.body})
            return
        scope.setdefault("state", {})["caller"] = caller
        await _within(self._app, scope, receive, send, self._settings.body_kib * 1024)

    def _check_host(self, headers: dict[str, str]) -> None:
        """Refuse names that are not ours: a page that rebinds its own name to 127.0.0.1 must not read the ledger."""
        name = (urlsplit("//" + headers.get("host", "")).hostname or "").lower()
        if name in self._hosts or name in LOOPBACK:
            return
        if not self._hosts and not self._is_local and self._tokens.any_active():
            return
        raise ApiError(
            Code.UNKNOWN_HOST, "This server does not answer to that host name.", action="Add it to api.hosts."
        )

    def _check_length(self, scope: MutableMapping[str, Any], headers: dict[str, str]) -> None:
        size = headers.get("content-length", "0")
        if not size.isdecimal() or int(size) > self._settings.body_kib * 1024:
            raise _too_large(self._settings.body_kib * 1024)
        if len(scope["raw_path"] or b"") + len(scope["query_string"]) > MOST_BYTES:
            raise ApiError(Code.BAD_REQUEST, f"The address is longer than {MOST_BYTES} bytes.", action="Filter less.")

    def _caller(self, scope: MutableMapping[str, Any], headers: dict[str, str]) -> Caller | None:
        """Return who asks; None where the path is open. Raises ApiError UNAUTHENTICATED."""
        path = scope["path"]
        bearer = headers.get("authorization", "")
        if bearer:
            kind, _, token = bearer.partition(" ")
            found = self._tokens.caller(token.strip()) if kind.lower() == "bearer" else None
            if found is not None:
                return found
            raise _unauthenticated(sentence="The token is unknown, expired or revoked.")
        session = _session_of(headers)
        if session is not None:
            found = self._tokens.session_caller(session)
            if found is not None:
                return found
        if self._is_local and not self._tokens.any_active():
            return LOCAL_USER
        if path in _OPEN_PATHS or path.startswith(_OPEN_PREFIXES):
            return None
        raise _unauthenticated(sentence="This server answers to token holders only.")

    def _check_rate(self, caller: Caller) -> None:
        if caller.token_id is None:
            return
        chosen = self._settings
        with self._lock:
            bucket = self._buckets.get(caller.token_id)
            if bucket is None:
                quota = Quota(chosen.burst, chosen.requests_per_minute / 60)
                bucket = self._buckets[caller.token_id] = TokenBucket(quota, self._clock)
        if not bucket.try_acquire():
            seconds = max(1, math.ceil(60 / chosen.requests_per_minute))
            raise ApiError(
                Code.RATE_LIMITED,
                f"A token may ask {chosen.requests_per_minute:g} times a minute.",
                action=f"Try again in {seconds} s.",
                headers={"Retry-After": str(seconds)},
            )


def _check_site(scope: MutableMapping[str, Any], headers: dict[str, str]) -> None:
    if scope["method"] in _SAFE or ("authorization" in headers and "cookie" not in headers):
        return
    site = headers.get("sec-fetch-site")
    if site is not None:
        allowed = site in {"same-origin", "none"}
    else:
        origin = headers.get("origin")
        allowed = origin is None or urlsplit(origin).netloc == headers.get("host")
    if not allowed:
        raise ApiError(Code.CROSS_SITE, "A page of another site asked for a change.", action="Ask from this site.")


async def _within(app: App, scope: MutableMapping[str, Any], receive: Receive, send: Send, most_bytes: int) -> None:
    """Pass a request on whose body may come in pieces without a length: past the limit it is cut off.

    What the application answers to the body that broke off is replaced by the refusal.
    """
    seen, is_refused = 0, False

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if seen > most_bytes else message

    async def replaced(message: Message) -> None:
        nonlocal is_refused
        if seen <= most_bytes:
            await send(message)
        elif not is_refused:
            is_refused = True
            await send_problem(send, _too_large(most_bytes))

    try:
        await app(scope, limited, replaced)
    except ClientDisconnect:
        if seen > most_bytes and not is_refused:
            await send_problem(send, _too_large(most_bytes))


def _too_large(most_bytes: int) -> ApiError:
    return ApiError(Code.BODY_TOO_LARGE, f"A body may have {most_bytes} bytes.", action="Send less.")


def _unauthenticated(*, sentence: str) -> ApiError:
    return ApiError(
        Code.UNAUTHENTICATED,
        sentence,
        action="Send Authorization: Bearer TOKEN; make one with offgridflow token create.",
        headers={"WWW-Authenticate": 'Bearer realm="offgridflow"'},
    )


async def send_problem(send: Send, error: OffGridFlowError) -> None:
    """Send an error in the one shape."""
    problem = problem_of(error)
    headers = [(b"content-type", PROBLEM_TYPE.encode()), (b"content-length", str(len(problem.body)).encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": problem.body})


async def _redirect(send: Send, where: str) -> None:
    await send({"type": "http.response.start", "status": 303, "headers": [(b"location", where.encode())]})
    await send({"type": "http.response.body", "body": b""})


def _headers(scope: MutableMapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _session_of(headers: dict[str, str]) -> str | None:
    try:
        morsel = SimpleCookie(headers.get("cookie", "")).get(SESSION_COOKIE)
    except CookieError:
        return None
    return morsel.value if morsel is not None else None


def _wants_page(scope: MutableMapping[str, Any], headers: dict[str, str]) -> bool:
    return (
        scope["method"] == "GET" and "text/html" in headers.get("accept", "") and not scope["path"].startswith("/api/")
    )


def _route_of(scope: MutableMapping[str, Any]) -> str:
    """Return the template of the route that answered; ``kept`` for memory, ``refused`` where none was reached."""
    return str(getattr(scope.get("route"), "path", "refused"))
