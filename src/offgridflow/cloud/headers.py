"""What a provider asks of us in its answer: how long to wait."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

_MILLISECONDS: Final = ("retry-after-ms", "x-ms-retry-after-ms")
_QPU_PREFIX: Final = "x-ms-ratelimit-"  # cost management and consumption, by QPU, entity, tenant, client type
_QPU_SUFFIX: Final = "-retry-after"


def retry_after_seconds(headers: Mapping[str, str], now: Callable[[], datetime]) -> float | None:
    """Return the longest wait that the headers ask for, in seconds, or None where they ask for none.

    Understands ``Retry-After`` in seconds and as an HTTP date, the millisecond variants, and Azure Cost Management's
    QPU headers. What cannot be read, or is negative, is left aside.
    """
    lowered = {name.lower(): value.strip() for name, value in headers.items()}
    wishes = [_seconds_or_date(lowered.get("retry-after", ""), now)]
    wishes += [_scaled(lowered.get(name, ""), 0.001) for name in _MILLISECONDS]
    wishes += [
        _scaled(value, 1.0)
        for name, value in lowered.items()
        if name.startswith(_QPU_PREFIX) and name.endswith(_QPU_SUFFIX)
    ]
    valid = [wish for wish in wishes if wish is not None]
    return max(valid) if valid else None


def _scaled(text: str, factor: float) -> float | None:
    try:
        seconds = float(text) * factor
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None


def _seconds_or_date(text: str, now: Callable[[], datetime]) -> float | None:
    seconds = _scaled(text, 1.0)
    if seconds is not None or not text:
        return seconds
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now()).total_seconds())
