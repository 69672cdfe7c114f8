"""What a route needs: the shared parts of the server, who asks, and an answer with ETag and format."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from fastapi import Request, Response

from offgridflow.api.access import Caller, Scope
from offgridflow.api.formats import OPEN, Form, Record, chosen_form, rendered
from offgridflow.api.history import AllRuns
from offgridflow.api.kept import Asked, found, keep
from offgridflow.api.metrics import Metrics
from offgridflow.api.params import AsOf
from offgridflow.api.problems import ApiError, Code
from offgridflow.api.runs import Runs
from offgridflow.api.service import Service
from offgridflow.api.tokens import Tokens
from offgridflow.domain.errors import LedgerError
from offgridflow.settings import ApiSettings

if TYPE_CHECKING:
    from offgridflow.api.columns import Columns
    from offgridflow.api.editions import Edition
    from offgridflow.pipeline.runs import RunStore


_SLOW_SECONDS: Final = 0.5
"""An answer that takes longer is not made again before a new version is served: the version would come too late."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The shared parts of one server."""

    settings: ApiSettings
    service: Service
    tokens: Tokens
    runs: Runs
    all_runs: AllRuns
    metrics: Metrics
    history: "RunStore | None" = None
    """What the worker tried (``offgridflow run``); None where the ledger's storage has no place for it."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """The types of the configured sources by name."""


@dataclass(frozen=True, slots=True)
class Context:
    """One request: the parts, who asks, and the request itself."""

    parts: Parts
    caller: Caller
    request: Request

    @property
    def service(self) -> Service:
        """What answers questions."""
        return self.parts.service

    def edition(self, asked: AsOf, version: int | None = None) -> "Edition":
        """Return the version that is asked for, or that of a cursor. Raises ApiError NOT_FOUND where there is none."""
        if asked.version is not None and asked.as_of is not None:
            raise ApiError(Code.USAGE, "Both version and as_of are given.", action="Give one of them.")
        if asked.version is None and asked.as_of is None and version is None:
            coming: Edition | None = getattr(self.request.state, "edition", None)
            return self.service.store.current() if coming is None else coming
        try:
            return self.service.store.at(asked.version if version is None else version, asked.as_of)
        except LedgerError as error:
            raise ApiError(Code.NOT_FOUND, error.sentence, action=error.action) from error

    def require_whole(self) -> None:
        """Refuse callers that may see some accounts or tags only, where an answer cannot be cut to them."""
        if not self.caller.restriction.is_none:
            raise ApiError(
                Code.FORBIDDEN,
                "The token is restricted to accounts or tags, and this answer is about all of them.",
                action="Use a token without restriction.",
            )

    def answer(
        self,
        edition: "Edition",
        form: Form | None,
        make: "Callable[[], tuple[Record, Sequence[Record]]]",
        columns: "Columns" = OPEN,
    ) -> Response:
        """Return an answer about a version: 304 where the client has it, else kept bytes, else made now.

        ``columns`` are those of its table, whatever records there are.
        """
        headers, url = self.request.headers, self.request.url
        asked = Asked(
            self.service.state_of(edition),
            self.caller.restriction,
            chosen_form(form, headers.get("accept")),
            url.path,
            url.query,
        )
        bodies = self.service.bodies
        kept = found(bodies, asked, headers)
        if kept is None:
            began = time.monotonic()
            kept = keep(bodies, asked, headers, rendered(asked.form, *make(), columns))
            if time.monotonic() - began > _SLOW_SECONDS:
                self.service.slow.put(asked.name, None, 1)
        response = Response(kept.body, kept.status)
        response.raw_headers = kept.headers
        return response


def parts_of(request: Request) -> Parts:
    """Return the shared parts."""
    parts: Parts = request.app.state.parts
    return parts


def caller_of(request: Request) -> Caller:
    """Return who asks, as the guard found out."""
    caller: Caller | None = getattr(request.state, "caller", None)
    if caller is None:
        raise ApiError(Code.UNAUTHENTICATED, "This server answers to token holders only.", action="Send a token.")
    return caller


def needs(scope: Scope) -> Callable[[Request], Context]:
    """Return the dependency of a route that needs a scope."""

    def context(request: Request) -> Context:
        caller = caller_of(request)
        if not caller.may(scope):
            raise ApiError(Code.FORBIDDEN, f"The token lacks the scope {scope}.", action="Use a token with that scope.")
        return Context(parts_of(request), caller, request)

    return context
