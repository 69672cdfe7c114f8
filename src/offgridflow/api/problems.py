"""One shape for every failure: ``application/problem+json`` (RFC 9457) with a stable code and what to do next.

::

    {"type": "/docs#busy", "title": "Too many queries at once", "status": 503, "detail": "...", "code": "BUSY",
     "action": "..."}

``type`` is an anchor of docs/api.md in lower case; ``detail`` never holds a secret or a stack trace.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from offgridflow.domain.errors import LedgerError, OffGridFlowError, UsageError

PROBLEM_TYPE: Final = "application/problem+json"

TITLES: Final[dict[str, tuple[int, str]]] = {
    "BAD_REQUEST": (400, "The request cannot be read"),
    "UNAUTHENTICATED": (401, "A token is needed"),
    "FORBIDDEN": (403, "Not allowed with this token"),
    "CROSS_SITE": (403, "Refused: asked from another site"),
    "NOT_FOUND": (404, "There is nothing here"),
    "METHOD_NOT_ALLOWED": (405, "Not that method"),
    "NOT_ACCEPTABLE": (406, "None of these formats"),
    "CONFLICT": (409, "Not in this state"),
    "BODY_TOO_LARGE": (413, "The body is too large"),
    "UNSUPPORTED_MEDIA_TYPE": (415, "The body is not JSON"),
    "UNKNOWN_HOST": (421, "Not a name of this server"),
    "USAGE": (422, "The question cannot be understood"),
    "IDEMPOTENCY_MISMATCH": (422, "The same Idempotency-Key with another request"),
    "TOO_MANY_GROUPS": (422, "Too many groups"),
    "RATE_LIMITED": (429, "Too many requests"),
    "INTERNAL": (500, "Something went wrong that nobody foresaw"),
    "BUSY": (503, "Too many queries at once"),
    "QUERY_TIMEOUT": (503, "The query took too long"),
    "LEDGER": (503, "The ledger cannot be read"),
    "NOT_READY": (503, "Not ready yet"),
}
"""Every code with its status and title; docs/api.md explains each (a test compares the two)."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one parameter or field: where it stands, and one sentence."""

    where: str
    sentence: str


class ApiError(OffGridFlowError):
    """A failure with its HTTP status.

    Args:
        code: a key of TITLES.
        sentence: what is wrong.
        action: what to do next.
        headers: response headers, for example Retry-After.
        fields: what is wrong with which parameter.

    """

    def __init__(
        self,
        code: str,
        sentence: str,
        *,
        action: str = "",
        headers: Mapping[str, str] | None = None,
        fields: Sequence[FieldProblem] = (),
    ) -> None:
        super().__init__(sentence, action=action, code=code)
        self.headers = dict(headers or {})
        self.fields = tuple(fields)


@dataclass(frozen=True, slots=True)
class Problem:
    """A failure ready to be sent."""

    status: int
    body: bytes
    headers: Mapping[str, str]


def problem_of(error: OffGridFlowError) -> Problem:
    """Return how an error is told: its own code where it is known here, else that of its kind."""
    code = _code(error)
    status, title = TITLES[code]
    shape: dict[str, object] = {
        "type": f"/docs#{code.lower()}",
        "title": title,
        "status": status,
        "detail": error.sentence,
        "code": code,
        "action": error.action,
    }
    headers: Mapping[str, str] = {}
    if isinstance(error, ApiError):
        headers = error.headers
        if error.fields:
            shape["errors"] = [{"where": each.where, "detail": each.sentence} for each in error.fields]
    return Problem(status, json.dumps(shape, ensure_ascii=False).encode(), headers)


def _code(error: OffGridFlowError) -> str:
    if error.code in TITLES:
        return error.code
    if isinstance(error, UsageError):
        return "USAGE"
    return "LEDGER" if isinstance(error, LedgerError) else "INTERNAL"
