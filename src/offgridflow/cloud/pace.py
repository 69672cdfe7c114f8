"""Token buckets: how fast one may ask one provider's endpoint.

One limiter per (provider, account or tenant, endpoint), shared by all threads of a process. The clock must be
monotonic; waiting can be cut short by a deadline or by cancellation, and asking for more than the bucket holds is
refused at once, because it could never be granted.
"""

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from offgridflow.domain.errors import UsageError

Clock = Callable[[], float]
"""Seconds on a clock that never goes back."""


class Cancellation(Protocol):
    """What tells a waiter to give up; ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """Return whether to give up."""
        ...

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep for at most ``timeout`` seconds or until set; return whether it is set."""
        ...


@dataclass(frozen=True, slots=True)
class Quota:
    """A bucket's size in tokens and its refill in tokens per second."""

    capacity: float
    refill_per_second: float

    def __post_init__(self) -> None:
        if not (0 < self.capacity < math.inf and 0 < self.refill_per_second < math.inf):
            seen = f"{self.capacity} and {self.refill_per_second}"
            sentence = f"A quota needs a positive, finite capacity and refill, not {seen}."
            raise UsageError(sentence, action="Correct the quota in the settings.")


class TokenBucket:
    """A thread-safe token bucket. In any window of w seconds it grants at most capacity + refill x w tokens.

    Args:
        quota: size and refill.
        clock: seconds, monotonic; argument so that tests can run without waiting.

    """

    def __init__(self, quota: Quota, clock: Clock = time.monotonic) -> None:
        self._quota = quota
        self._clock = clock
        self._tokens = quota.capacity
        self._updated = clock()
        self._lock = threading.Lock()

    def try_acquire(self, tokens: float = 1.0) -> bool:
        """Take ``tokens`` if they are there, without waiting; return whether they were taken."""
        self._refuse_impossible(tokens)
        with self._lock:
            self._refill()
            return self._take(tokens)

    def acquire(
        self,
        tokens: float = 1.0,
        *,
        timeout_seconds: float | None = None,
        cancel: Cancellation | None = None,
    ) -> bool:
        """Take ``tokens``, waiting for them; return False on timeout or cancellation, with nothing taken.

        A wait that cannot end in time is not begun. Raises UsageError for more tokens than the bucket can hold.
        """
        self._refuse_impossible(tokens)
        waiter = cancel if cancel is not None else threading.Event()
        deadline = None if timeout_seconds is None else self._clock() + timeout_seconds
        while not waiter.is_set():
            pause = self._take_or_wait_seconds(tokens)
            if pause == 0:
                return True
            if deadline is not None and deadline - self._clock() < pause:
                return False
            waiter.wait(max(pause, _SHORTEST_PAUSE_SECONDS))
        return False

    @property
    def available(self) -> float:
        """Tokens that could be taken now."""
        with self._lock:
            self._refill()
            return max(0.0, self._tokens)

    def _refuse_impossible(self, tokens: float) -> None:
        if not 0 < tokens <= self._quota.capacity:
            sentence = f"{tokens} tokens can never be had from a bucket of {self._quota.capacity}."
            raise UsageError(sentence, action="Ask for less at a time, or raise the capacity in the settings.")

    def _refill(self) -> None:
        now = self._clock()
        if now > self._updated:
            grown = self._tokens + (now - self._updated) * self._quota.refill_per_second
            self._tokens = min(self._quota.capacity, grown)
            self._updated = now

    def _take(self, tokens: float) -> bool:
        if self._tokens + _ROUNDING < tokens:
            return False
        self._tokens -= tokens  # may go below zero by _ROUNDING: a debt, so that rounding never adds up to a gift
        return True

    def _take_or_wait_seconds(self, tokens: float) -> float:
        with self._lock:
            self._refill()
            if self._take(tokens):
                return 0.0
            return (tokens - self._tokens) / self._quota.refill_per_second


_ROUNDING: Final = 1e-9
_SHORTEST_PAUSE_SECONDS: Final = 1e-3  # shorter ones may not move a clock at all, and waiting would never end


class LimiterKey(NamedTuple):
    """Who is asked (provider), on whose account or tenant (scope), and where (endpoint, e.g. ``s3``)."""

    provider: str
    scope: str
    endpoint: str


OBJECT_STORES: Final = frozenset({"s3", "blob", "gcs"})
"""Endpoints that hold objects; all others are report and cost APIs."""

REPORT_QUOTAS: Final[Mapping[str, Quota]] = {
    "aws": Quota(capacity=100, refill_per_second=5),
    "azure": Quota(capacity=3, refill_per_second=3),
    "gcp": Quota(capacity=20, refill_per_second=20),
}
"""Report and cost APIs. Azure counts per tenant, which all teams share, so its bucket has no burst to speak of."""

OBJECT_STORE_QUOTA: Final = Quota(capacity=100, refill_per_second=100)
OTHER_QUOTA: Final = Quota(capacity=3, refill_per_second=3)
"""For a provider that has no entry: as careful as the most careful of the three."""


def default_quota(key: LimiterKey) -> Quota:
    """Return the quota of ``key`` where the settings say nothing."""
    if key.endpoint in OBJECT_STORES:
        return OBJECT_STORE_QUOTA
    return REPORT_QUOTAS.get(key.provider, OTHER_QUOTA)


def quotas(overrides: Mapping[str, Quota] | None = None) -> Callable[[LimiterKey], Quota]:
    """Return what decides quotas: ``overrides`` of the settings first, then the defaults.

    An override's key is ``provider/endpoint`` or ``provider``; the narrower one wins.
    """
    named = dict(overrides or {})

    def quota_of(key: LimiterKey) -> Quota:
        narrow = named.get(f"{key.provider}/{key.endpoint}") or named.get(key.provider)
        return narrow or default_quota(key)

    return quota_of


class Limiters:
    """One bucket per key, made on first use and the same for every caller.

    Args:
        quota_of: the quota of a key; see ``quotas``.
        clock: see TokenBucket.

    """

    def __init__(self, quota_of: Callable[[LimiterKey], Quota] = default_quota, clock: Clock = time.monotonic) -> None:
        self._quota_of = quota_of
        self._clock = clock
        self._buckets: dict[LimiterKey, TokenBucket] = {}
        self._lock = threading.Lock()

    def of(self, key: LimiterKey) -> TokenBucket:
        """Return the bucket of ``key``."""
        with self._lock:
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._buckets[key] = TokenBucket(self._quota_of(key), self._clock)
            return bucket
