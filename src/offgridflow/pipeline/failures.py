"""When a failure is worth another run: at once, or only after something has changed.

The first six classes are those of cloud errors (``cloud.codes.ErrorClass``, by the same names); the rest is ours.
"""

from enum import StrEnum
from typing import Final

from offgridflow.domain.errors import (
    ConservationError,
    InputError,
    LedgerError,
    OffGridFlowError,
    ProviderError,
    UsageError,
)


class RetryClass(StrEnum):
    """Why something failed, as far as trying again is concerned."""

    TRANSIENT = "transient"
    AUTH = "auth"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    FATAL = "fatal"
    UNKNOWN = "unknown"
    CONTENT = "content"
    LEDGER = "ledger"
    SETTINGS = "settings"


HELD: Final = frozenset({RetryClass.AUTH, RetryClass.BAD_REQUEST, RetryClass.NOT_FOUND, RetryClass.CONTENT})
"""Asking again before settings or upstream change would only get the same answer."""

_TRANSIENT_CODES: Final = frozenset({"MISSING_PART", "COMMIT_UNKNOWN", "DELIVERY_UNDER_WAY", "REPORTED_TWICE"})
_AUTH_CODES: Final = frozenset({"REPORT_DENIED"})


def retry_class_of(error: OffGridFlowError) -> RetryClass:
    """Return the class of an error: a provider's own where there is one, else by its type."""
    if error.code in _TRANSIENT_CODES:
        return RetryClass.TRANSIENT
    if error.code in _AUTH_CODES:
        return RetryClass.AUTH
    if isinstance(error, ProviderError):
        known = str(getattr(error, "error_class", ""))
        return RetryClass(known) if known in set(RetryClass) else RetryClass.UNKNOWN
    for kind, found in _BY_TYPE.items():
        if isinstance(error, kind):
            return found
    return RetryClass.UNKNOWN


_BY_TYPE: Final[dict[type[OffGridFlowError], RetryClass]] = {
    InputError: RetryClass.CONTENT,
    ConservationError: RetryClass.CONTENT,
    LedgerError: RetryClass.LEDGER,
    UsageError: RetryClass.SETTINGS,
}
