"""One shape for every failure: ``application/problem+json`` (RFC 9457) with a stable code and what to do next.

::

    {"type": "/docs#busy", "title": "Too many queries at once", "status": 503, "detail": "...", "code": "BUSY",
     "action": "..."}

``type`` is an anchor of docs/api.md in lower case; ``detail`` never holds a secret or a stack trace.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from offgridflow.domain.errors import LedgerError, OffGridFlowError, UsageError

PROBLEM_TYPE: Final = "application/problem+json"


class Code(StrEnum):
    """The stable codes of failures; docs/api.md explains each (a test compares the two)."""

    BAD_REQUEST = "BAD_REQUEST"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    CROSS_SITE = "CROSS_SITE"
    NOT_FOUND = "NOT_FOUND"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    CONFLICT = "CONFLICT"
    BODY_TOO_LARGE = "BODY_TOO_LARGE"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"
    UNKNOWN_HOST = "UNKNOWN_HOST"
    USAGE = "USAGE"
    IDEMPOTENCY_MISMATCH = "IDEMPOTENCY_MISMATCH"
    TOO_MANY_GROUPS = "TOO_MANY_GROUPS"
    RATE_LIMITED = "RATE_LIMITED"
    INTERNAL = "INTERNAL"
    BUSY = "BUSY"
    QUERY_TIMEOUT = "QUERY_TIMEOUT"
    LEDGER = "LEDGER"
    NOT_READY = "NOT_READY"


TITLES: Final[dict[Code, tuple[int, str]]] = {
    Code.BAD_REQUEST: (400, "The request cannot be read"),
    Code.UNAUTHENTICATED: (401, "A token is needed"),
    Code.FORBIDDEN: (403, "Not allowed with this token"),
    Code.CROSS_SITE: (403, "Refused: asked from another site"),
    Code.NOT_FOUND: (404, "There is nothing here"),
    Code.METHOD_NOT_ALLOWED: (405, "Not that method"),
    Code.NOT_ACCEPTABLE: (406, "None of these formats"),
    Code.CONFLICT: (409, "Not in this state"),
    Code.BODY_TOO_LARGE: (413, "The body is too large"),
    Code.UNSUPPORTED_MEDIA_TYPE: (415, "The body is not JSON"),
    Code.UNKNOWN_HOST: (421, "Not a name of this server"),
    Code.USAGE: (422, "The question cannot be understood"),
    Code.IDEMPOTENCY_MISMATCH: (422, "The same Idempotency-Key with another request"),
    Code.TOO_MANY_GROUPS: (422, "Too many groups"),
    Code.RATE_LIMITED: (429, "Too many requests"),
    Code.INTERNAL: (500, "Something went wrong that nobody foresaw"),
    Code.BUSY: (503, "Too many queries at once"),
    Code.QUERY_TIMEOUT: (503, "The query took too long"),
    Code.LEDGER: (503, "The ledger cannot be read"),
    Code.NOT_READY: (503, "Not ready yet"),
}
"""The HTTP status and title of every code."""


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """What is wrong with one parameter or field: where it stands, and one sentence."""

    where: str
    sentence: str


class ApiError(OffGridFlowError):
    """A failure with its HTTP status.

    Args:
        code: what went wrong.
        sentence: what is wrong.
        action: what to do next.
        headers: response headers, for example Retry-After.
        fields: what is wrong with which parameter.

    """

    def __init__(
        self,
        code: Code,
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


def _code(error: OffGridFlowError) -> Code:
    if error.code in set(Code):
        return Code(error.code)
    if isinstance(error, UsageError):
        return Code.USAGE
    return Code.LEDGER if isinstance(error, LedgerError) else Code.INTERNAL
