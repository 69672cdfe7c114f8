"""Six classes of provider errors, decided by code, status and exception type (the table is codes.py).

::

    ProviderError (domain)      provider, operation, status, provider's own code, request id; never a body
    +-- TransientError          retried: throttling, time-outs, 408, 429, 502, 503, 504, documented retryable codes
    |   +-- NextRunError        not retried in this call: cancelled, out of time, long quota, changed under way
    +-- AuthError               401, 403, expired or missing credentials; held until settings change
    +-- BadRequestError         400 and other 4xx: our mistake or a setting's
    +-- NotFoundError           404, 410: held until upstream changes
    +-- FatalError              500 without a documented retryable code, 501, 505 ..., a bad certificate, broken
    |                           promises (page loops, foreign links)
    +-- UnknownError            nothing that the table knows; never retried

Never from the text of a message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from offgridflow.cloud.codes import (
    CODES,
    EXCEPTION_CLASS,
    NEXT_RUN_CODES,
    THROTTLING_CODES,
    TRANSIENT_STATUSES,
    ErrorClass,
)
from offgridflow.domain.errors import ProviderError


@dataclass(frozen=True, slots=True)
class Failure:
    """What is known of a failed call. ``status`` is HTTP; ``code`` the provider's; ``retry_after_seconds`` its wish."""

    provider: str
    operation: str
    status: int | None = None
    code: str | None = None
    exception: str | None = None
    retry_after_seconds: float | None = None
    throttled: bool = False
    request_id: str | None = None


class ClassifiedError(ProviderError):
    """A provider error with its class. Catch one of the six subclasses."""

    error_class = ErrorClass.UNKNOWN

    def __init__(self, failure: Failure, *, action: str = "") -> None:
        seen = failure.code or failure.exception or "no code"
        status = f"HTTP {failure.status}" if failure.status is not None else "no HTTP answer"
        request = f", request {failure.request_id}" if failure.request_id else ""
        sentence = f"{failure.provider} {failure.operation} failed: {status}, {seen}{request}."
        super().__init__(
            sentence, action=action or _ACTIONS[self.error_class], code=f"PROVIDER_{self.error_class.upper()}"
        )
        self.failure = failure


class TransientError(ClassifiedError):
    """Worth trying again."""

    error_class = ErrorClass.TRANSIENT


class NextRunError(TransientError):
    """Worth another run, but no other try in this call. Its ``code`` is that of the failure, e.g. DEADLINE.

    ``CANCELLED`` and ``DEADLINE``: nothing more was sent. ``CHANGED_UNDER_WAY``: what was being read is no longer what
    was listed, so nothing may be committed from it. A long quota keeps the provider's code.
    """

    def __init__(self, failure: Failure, *, action: str = "") -> None:
        super().__init__(failure, action=action)
        if failure.code is not None and failure.code.isupper():
            self.code = failure.code


class AuthError(ClassifiedError):
    """Credentials are missing, wrong, expired, or lack a permission."""

    error_class = ErrorClass.AUTH


class BadRequestError(ClassifiedError):
    """The provider did not accept the request."""

    error_class = ErrorClass.BAD_REQUEST


class NotFoundError(ClassifiedError):
    """What was asked for is not there."""

    error_class = ErrorClass.NOT_FOUND


class FatalError(ClassifiedError):
    """Broken on the other side in a way that trying again does not mend, or a promise of the protocol was broken."""

    error_class = ErrorClass.FATAL


class UnknownError(ClassifiedError):
    """Nothing that the table knows."""

    error_class = ErrorClass.UNKNOWN


_ACTIONS: Final[Mapping[ErrorClass, str]] = {
    ErrorClass.TRANSIENT: "It will be tried again on the next run.",
    ErrorClass.AUTH: "Run 'offgridflow check' to see which credential, action, role or grant is missing.",
    ErrorClass.BAD_REQUEST: "Check the source's settings; it is held until they change.",
    ErrorClass.NOT_FOUND: "Check the names in the source's settings; it is held until they or the upstream change.",
    ErrorClass.FATAL: "Ask the provider's support with the request id if it goes on.",
    ErrorClass.UNKNOWN: "Report it together with the provider's code.",
}

_AUTH_STATUSES: Final = frozenset({401, 403, 407})
_NOT_FOUND_STATUSES: Final = frozenset({404, 410})
_TOO_MANY_REQUESTS: Final = 429


def class_of(failure: Failure) -> ErrorClass:
    """Return the class of a failure.

    The provider's code decides first, then a status that is worth a retry, then an exception type of the credentials
    (a token endpoint answers 400 to a wrong secret), then any other status, then the exception's type.
    """
    by_code = CODES.get(failure.provider, {}).get(failure.code or "")
    if by_code is not None:
        return by_code
    by_type = EXCEPTION_CLASS.get(failure.exception or "", ErrorClass.UNKNOWN)
    if failure.status is None or failure.status < 400:  # noqa: PLR2004 - HTTP: an answer that is no error, so the type decides
        return by_type
    if by_type is ErrorClass.AUTH and failure.status not in TRANSIENT_STATUSES:
        return by_type
    return class_of_status(failure.status)


def class_of_status(status: int) -> ErrorClass:
    """Return the class of an HTTP status that is not a success.

    A 1xx, 2xx or 3xx that ends up here is not an answer that any of our calls can have: unknown.
    """
    if status in TRANSIENT_STATUSES:
        return ErrorClass.TRANSIENT
    if status in _AUTH_STATUSES:
        return ErrorClass.AUTH
    if status in _NOT_FOUND_STATUSES:
        return ErrorClass.NOT_FOUND
    if 400 <= status < 500:  # noqa: PLR2004 - HTTP's own ranges
        return ErrorClass.BAD_REQUEST
    if 500 <= status < 600:  # noqa: PLR2004 - HTTP's own ranges
        return ErrorClass.FATAL
    return ErrorClass.UNKNOWN


def is_throttling(provider: str, status: int | None, code: str | None) -> bool:
    """Return whether a provider said "slower", by status or by code."""
    return status == _TOO_MANY_REQUESTS or (code or "") in THROTTLING_CODES.get(provider, frozenset())


_ERRORS: Final[Mapping[ErrorClass, type[ClassifiedError]]] = {
    ErrorClass.TRANSIENT: TransientError,
    ErrorClass.AUTH: AuthError,
    ErrorClass.BAD_REQUEST: BadRequestError,
    ErrorClass.NOT_FOUND: NotFoundError,
    ErrorClass.FATAL: FatalError,
    ErrorClass.UNKNOWN: UnknownError,
}


def error_of(failure: Failure, *, action: str = "") -> ClassifiedError:
    """Return the error to raise for a failure."""
    if failure.code in NEXT_RUN_CODES:
        return NextRunError(failure, action=action)
    return _ERRORS[class_of(failure)](failure, action=action)
