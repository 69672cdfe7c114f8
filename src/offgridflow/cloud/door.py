"""The one door out to providers: pace, retry, error classes and events around any call.

Whatever reaches a provider goes through ``Door.call``. SDK retries must be off, so that attempts never multiply.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Generic, TypeVar

from offgridflow.cloud.errors import ClassifiedError, Failure, NextRunError, error_of
from offgridflow.cloud.events import OK, Called, Listener, SpanKind, no_listener, span
from offgridflow.cloud.pace import LimiterKey, Limiters
from offgridflow.cloud.retry import Retrier, RetryPolicy, RetryQuota, World
from offgridflow.cloud.translate import failure_of

T = TypeVar("T")

CANCELLED: Final = "CANCELLED"
DEADLINE: Final = "DEADLINE"


def utc_now() -> datetime:
    """Return the time, aware."""
    return datetime.now(tz=UTC)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One thing to ask of a provider: where, what it is called in errors and events, and how."""

    key: LimiterKey
    operation: str
    fn: Callable[[], T]
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a client waits for a connection, and for the next bytes of an answer, before the attempt has failed."""

    connect_seconds: float = 10.0
    read_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How the door behaves: limiters, retry policy, time-outs of clients, and what it needs of the world."""

    limiters: Limiters = field(default_factory=Limiters)
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    timeouts: Timeouts = field(default_factory=Timeouts)
    world: World = field(default_factory=World)
    now: Callable[[], datetime] = utc_now


class Door:
    """Pace + retry + classification + events in one callable; thread-safe, one per process.

    There is one limiter and one retry quota per (provider, scope, endpoint): in a total outage each of them makes at
    most 35 transient or 100 throttled retries, and then fails fast.

    Args:
        rules: see Rules; the settings decide.
        listener: told of every attempt, retry and span.

    """

    def __init__(self, rules: Rules | None = None, listener: Listener = no_listener) -> None:
        self._rules = rules or Rules()
        self._listener = listener
        self._quotas: dict[LimiterKey, RetryQuota] = {}
        self._lock = threading.Lock()

    @property
    def listener(self) -> Listener:
        """Whom the door tells; walks and streams tell the same one."""
        return self._listener

    @property
    def timeouts(self) -> Timeouts:
        """What clients are made with."""
        return self._rules.timeouts

    @property
    def clock(self) -> Callable[[], float]:
        """The monotonic clock that deadlines are instants of, in seconds."""
        return self._rules.world.clock

    def call(
        self,
        provider: str,
        scope: str,
        endpoint: str,
        operation: str,
        fn: Callable[[], T],
        *,
        deadline: float | None = None,
    ) -> T:
        """Return what ``fn`` returns, asked at the endpoint's pace and again where that may help.

        Args:
            provider: slug (``aws``, ``azure``, ``gcp``).
            scope: account or tenant whose quota is spent.
            endpoint: part of the provider that counts calls, e.g. ``s3``.
            operation: what is asked, for errors and events; never a URL.
            fn: makes one request; exceptions of the SDKs become one of six classes, all others pass through.
            deadline: instant of ``clock`` after which nothing is begun.

        Raises:
            ClassifiedError: one of the six classes; without a cause, because messages of SDKs hold URLs and bodies.
                NextRunError ``CANCELLED`` or ``DEADLINE`` where nothing (more) was sent.

        """
        call = Call(LimiterKey(provider, scope, endpoint), operation, fn, deadline)
        retrier = Retrier(self._rules.retry, self.retry_quota(call.key), self._rules.world, self._listener)
        attributes = {"provider": provider, "scope": scope, "endpoint": endpoint}
        with span(self._listener, SpanKind.CALL, operation, attributes):
            return retrier.call(lambda: self._attempt(call), deadline=deadline)

    def retry_quota(self, key: LimiterKey) -> RetryQuota:
        """Return the retry quota of one client."""
        with self._lock:
            return self._quotas.setdefault(key, RetryQuota())

    def _attempt(self, call: Call[T]) -> T:
        waited = self._wait_for_turn(call)
        begun = self.clock()
        caught: _Caught = _Caught(call.key.provider, call.operation, self._rules.now)
        results: list[T] = []
        with caught:
            results.append(call.fn())
        self._listener(self._called(call, caught.error, self.clock() - begun, waited))
        if caught.error is not None:
            raise caught.error
        return results[0]

    def _wait_for_turn(self, call: Call[T]) -> float:
        """Wait for the limiter; return for how many seconds."""
        begun = self.clock()
        left = None if call.deadline is None else call.deadline - begun
        cancel = self._rules.world.cancel
        limiter = self._rules.limiters.of(call.key)
        if (left is None or left >= 0) and limiter.acquire(timeout_seconds=left, cancel=cancel):
            return self.clock() - begun
        code = CANCELLED if cancel is not None and cancel.is_set() else DEADLINE
        raise NextRunError(Failure(call.key.provider, call.operation, code=code))

    def _called(self, call: Call[T], error: ClassifiedError | None, latency: float, waited: float) -> Called:
        return Called(
            provider=call.key.provider,
            operation=call.operation,
            outcome=OK if error is None else error.error_class.value,
            latency_seconds=latency,
            limiter_wait_seconds=waited,
            limiter_left=self._rules.limiters.of(call.key).available,
            retry_left=self.retry_quota(call.key).tokens,
        )


class _Caught:
    """Swallows what a provider's SDK raises and keeps it as a ClassifiedError; lets everything else through.

    The classified error is raised after the block, so that it does not drag the SDK's exception along as its context.
    """

    def __init__(self, provider: str, operation: str, now: Callable[[], datetime]) -> None:
        self.error: ClassifiedError | None = None
        self._provider = provider
        self._operation = operation
        self._now = now

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, ClassifiedError):
            self.error = error
        elif isinstance(error, Exception):
            failure = failure_of(error, self._provider, self._operation, self._now)
            self.error = None if failure is None else error_of(failure)
        return self.error is not None
