"""From exceptions of the providers' SDKs to a Failure, without importing any of them.

Everything is read from types, attributes and headers, never from the text of a message. What does not come from an
SDK, an HTTP library or a socket is not ours to translate: it passes through as it is, because it is a bug or belongs
to another layer.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final, TypeVar

from offgridflow.cloud.codes import EXCEPTION_CLASS, ErrorClass
from offgridflow.cloud.errors import Failure, is_throttling
from offgridflow.cloud.headers import retry_after_seconds

T = TypeVar("T")

_ROOTS: Final = frozenset(
    {"azure", "boto3", "botocore", "google", "grpc", "http", "httpx", "httpcore", "msal", "requests", "s3transfer"}
    | {"socket", "ssl", "urllib3"}
)
_REQUEST_IDS: Final = (
    "x-amzn-requestid", "x-amz-request-id", "x-ms-request-id", "x-ms-correlation-request-id", "x-guploader-uploadid",
)  # fmt: skip
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/+=-]{1,128}")
_DEEPEST: Final = 16


def failure_of(error: BaseException, provider: str, operation: str, now: Callable[[], datetime]) -> Failure | None:
    """Return what is known of ``error``, or None where it does not come from a call to a provider.

    Args:
        error: the exception; its causes and wrapped exceptions are looked through.
        provider: slug, decides whose codes count.
        operation: name for the sentence.
        now: the time, aware, for ``Retry-After`` dates.

    """
    if not _is_foreign(error):
        return None
    chain = tuple(_chain(error))
    headers = _first(_headers, chain) or {}
    status = _first(_status, chain)
    code = _first(_code, chain)
    return Failure(
        provider=provider,
        operation=operation,
        status=status,
        code=code,
        exception=_deciding_name(chain),
        retry_after_seconds=retry_after_seconds(headers, now),
        throttled=is_throttling(provider, status, code),
        request_id=_request_id(error, headers),
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and what it wraps: causes, urllib3's reason, azure's inner exception, exceptions in args."""
    seen: set[int] = set()
    waiting = [error]
    while waiting and len(seen) < _DEEPEST:
        current = waiting.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        context = None if current.__suppress_context__ else current.__context__
        wrapped = (
            current.__cause__,
            getattr(current, "inner_exception", None),
            getattr(current, "reason", None),
            *current.args,
            context,
        )
        waiting += [each for each in wrapped if isinstance(each, BaseException)]


def _is_foreign(error: BaseException) -> bool:
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    return any(kind.__module__.partition(".")[0] in _ROOTS for kind in type(error).__mro__)


def _deciding_name(chain: tuple[BaseException, ...]) -> str:
    """Return the type name that decides: a bad certificate anywhere, else the outermost name that the table knows.

    A credential refresh that failed for want of a network (google-auth) is a matter of the network.
    """
    known = [name for name in map(_known_name, chain) if name is not None]
    fatal = [name for name in known if EXCEPTION_CLASS[name] is ErrorClass.FATAL]
    if fatal:
        return fatal[0]
    if known and known[0] == "RefreshError":
        if getattr(chain[0], "retryable", False) is True:
            return "TransportError"
        return next((name for name in known if name == "TransportError"), known[0])
    return known[0] if known else type(chain[0]).__name__


def _known_name(error: BaseException) -> str | None:
    names = (kind.__name__ for kind in type(error).__mro__)
    return next((name for name in names if name in EXCEPTION_CLASS), None)


def _first(read: Callable[[BaseException], T | None], chain: tuple[BaseException, ...]) -> T | None:
    return next((value for value in map(read, chain) if value is not None), None)


def _response(error: BaseException) -> Mapping[str, object] | object | None:
    return getattr(error, "response", None)


def _part(error: BaseException, section: str, key: str) -> object:
    """Return a value of botocore's parsed response, or None."""
    response = _response(error)
    inner = response.get(section) if isinstance(response, Mapping) else None
    return inner.get(key) if isinstance(inner, Mapping) else None


def _headers(error: BaseException) -> Mapping[str, str] | None:
    found = _part(error, "ResponseMetadata", "HTTPHeaders")
    if not isinstance(found, Mapping):
        found = getattr(_response(error), "headers", None)
    if not isinstance(found, Mapping):
        return None
    return {str(name): str(value) for name, value in found.items()}


def _status(error: BaseException) -> int | None:
    candidates = (
        _part(error, "ResponseMetadata", "HTTPStatusCode"),
        getattr(error, "status_code", None),
        getattr(error, "code", None),
        getattr(_response(error), "status_code", None),
    )
    return next((int(each) for each in candidates if isinstance(each, int) and 100 <= each <= 599), None)  # noqa: PLR2004 - the range of HTTP statuses


def _code(error: BaseException) -> str | None:
    candidates = (
        _part(error, "Error", "Code"),
        getattr(error, "error_code", None),
        getattr(getattr(error, "error", None), "code", None),
        _google_reason(error),
    )
    return next((plain for plain in map(_plain, candidates) if plain is not None), None)


def _google_reason(error: BaseException) -> object:
    errors = getattr(error, "errors", None)
    first = errors[0] if isinstance(errors, (list, tuple)) and errors else None
    return first.get("reason") if isinstance(first, Mapping) else None


def _request_id(error: BaseException, headers: Mapping[str, str]) -> str | None:
    lowered = {name.lower(): value for name, value in headers.items()}
    candidates = (_part(error, "ResponseMetadata", "RequestId"), *(lowered.get(name) for name in _REQUEST_IDS))
    return next((plain for plain in map(_plain, candidates) if plain is not None), None)


def _plain(value: object) -> str | None:
    """Return a code or id if it looks like one; a provider's text must not carry anything else into our logs."""
    text = getattr(value, "value", value)  # StorageErrorCode is an enum
    return text if isinstance(text, str) and _PLAIN.fullmatch(text) else None
