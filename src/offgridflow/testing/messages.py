"""Requests and replies of the fake cloud, and errors in the form in which each provider sends them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from offgridflow.testing.faults import Answer


class Dialect(StrEnum):
    """Whose error bodies and headers to send."""

    PLAIN = "plain"
    S3 = "s3"
    AWS_JSON = "aws_json"
    AZURE = "azure"
    AZURE_BLOB = "azure_blob"
    GOOGLE = "google"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it arrived. ``headers`` have lower-case names."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    @classmethod
    def of(cls, method: str, target: str, headers: Mapping[str, str], body: bytes) -> "Seen":
        """Return the request for a raw target (path and query)."""
        url = urlsplit(target)
        lowered = {name.lower(): value for name, value in headers.items()}
        return cls(method, url.path, dict(parse_qsl(url.query, keep_blank_values=True)), lowered, body)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. ``Content-Length`` is added."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, value: object, status: int = 200) -> "Reply":
        """Return a reply with ``value`` as JSON."""
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


Handler = Callable[[Seen], Reply]

_REQUEST_ID: Final = "fake-0001"


def error_reply(dialect: Dialect, fault: Answer) -> Reply:
    """Return an error in the words of a provider."""
    body, headers = _ERRORS[dialect](fault)
    return Reply(fault.status, body, headers | dict(fault.headers))


def _plain(fault: Answer) -> tuple[bytes, dict[str, str]]:
    return fault.code.encode(), {"Content-Type": "text/plain"}


def _xml(fault: Answer) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{fault.code}</Code><Message>as told</Message>'
        f"<RequestId>{_REQUEST_ID}</RequestId></Error>"
    ).encode()


def _s3(fault: Answer) -> tuple[bytes, dict[str, str]]:
    return _xml(fault), {"Content-Type": "application/xml", "x-amz-request-id": _REQUEST_ID}


def _aws_json(fault: Answer) -> tuple[bytes, dict[str, str]]:
    headers = {"Content-Type": "application/json", "x-amzn-errortype": fault.code, "x-amzn-RequestId": _REQUEST_ID}
    return json.dumps({"message": "as told"}).encode(), headers


def _azure(fault: Answer) -> tuple[bytes, dict[str, str]]:
    body = json.dumps({"error": {"code": fault.code, "message": "as told"}}).encode()
    return body, {"Content-Type": "application/json", "x-ms-request-id": _REQUEST_ID}


def _azure_blob(fault: Answer) -> tuple[bytes, dict[str, str]]:
    headers = {"Content-Type": "application/xml", "x-ms-request-id": _REQUEST_ID, "x-ms-error-code": fault.code}
    return _xml(fault), headers


def _google(fault: Answer) -> tuple[bytes, dict[str, str]]:
    reasons = [{"domain": "global", "reason": fault.code, "message": "as told"}]
    error = {"code": fault.status, "message": "as told", "errors": reasons}
    return json.dumps({"error": error}).encode(), {"Content-Type": "application/json; charset=UTF-8"}


_ERRORS: Final[Mapping[Dialect, Callable[[Answer], tuple[bytes, dict[str, str]]]]] = {
    Dialect.PLAIN: _plain,
    Dialect.S3: _s3,
    Dialect.AWS_JSON: _aws_json,
    Dialect.AZURE: _azure,
    Dialect.AZURE_BLOB: _azure_blob,
    Dialect.GOOGLE: _google,
}

_THROTTLES: Final[Mapping[Dialect, tuple[int, str]]] = {
    Dialect.PLAIN: (429, ""),
    Dialect.S3: (503, "SlowDown"),
    Dialect.AWS_JSON: (429, "ThrottlingException"),
    Dialect.AZURE: (429, "TooManyRequests"),
    Dialect.AZURE_BLOB: (503, "ServerBusy"),
    Dialect.GOOGLE: (403, "rateLimitExceeded"),
}


def throttled(dialect: Dialect, retry_after: str | None = None, header: str = "Retry-After") -> Answer:
    """Return the fault with which a provider says "slower": with ``header`` if ``retry_after`` is given."""
    status, code = _THROTTLES[dialect]
    return Answer(status, code, {} if retry_after is None else {header: retry_after})


def paged_json(
    pages: Sequence[Sequence[object]],
    next_of: Mapping[str, str | None] | None = None,
    parameter: str = "page",
) -> Handler:
    """Return a handler that serves ``pages`` as ``{"items": [...], "next": token}``, by ``?page=token``.

    The token of a page is its number as text; the first is ``"0"``, also where no token is given. ``next_of`` overrides
    what a page names as the next one: a cycle, a foreign link, an early end.
    """
    overrides = next_of or {}

    def handle(seen: Seen) -> Reply:
        token = seen.query.get(parameter, "0")
        number = int(token)
        if not 0 <= number < len(pages):
            return error_reply(Dialect.PLAIN, Answer(404, "no such page"))
        following = str(number + 1) if number + 1 < len(pages) else None
        return Reply.of_json({"items": list(pages[number]), "next": overrides.get(token, following)})

    return handle
