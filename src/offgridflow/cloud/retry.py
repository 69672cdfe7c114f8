"""The one retry layer: three attempts, full jitter, a quota for the whole client, the provider's own wish honoured.

The arithmetic follows the AWS SDKs' standard mode (a quota of 500 tokens per client, 14 for a transient retry, 5 for a
throttled one, given back on success): in a total outage a client makes at most 500 // 14 = 35 retries and then fails
fast. SDK retries are off, so attempts never multiply. The loop itself is tenacity's.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import tenacity

from offgridflow.cloud.errors import ClassifiedError, Failure, NextRunError, TransientError
from offgridflow.cloud.events import Event, Listener, Retried, no_listener
from offgridflow.cloud.pace import Cancellation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Attempts in all, backoff bounds in seconds, and the ceiling up to which a provider's wish to wait is granted."""

    attempts: int = 3
    base_seconds: float = 1.0
    cap_seconds: float = 30.0
    retry_after_ceiling_seconds: float = 120.0


class RetryQuota:
    """Tokens that retries of one client cost; thread-safe, never below zero, never above its size."""

    SIZE: Final = 500
    TRANSIENT_COST: Final = 14
    THROTTLED_COST: Final = 5
    SUCCESS_GAIN: Final = 1

    def __init__(self) -> None:
        self._tokens = self.SIZE
        self._lock = threading.Lock()

    def spend(self, *, throttled: bool) -> int | None:
        """Pay for one retry; return what it cost, or None where the quota does not allow it."""
        cost = self.THROTTLED_COST if throttled else self.TRANSIENT_COST
        with self._lock:
            if cost > self._tokens:
                return None
            self._tokens -= cost
            return cost

    def give_back(self, spent: int) -> None:
        """Return what the last retry of a successful call cost, or the gain of a success without one."""
        with self._lock:
            self._tokens = min(self.SIZE, self._tokens + (spent or self.SUCCESS_GAIN))

    @property
    def tokens(self) -> int:
        """Tokens left."""
        with self._lock:
            return self._tokens


@dataclass(frozen=True, slots=True)
class World:
    """What retrying needs of the world: clock (monotonic seconds), randomness in [0, 1), cancellation."""

    clock: Callable[[], float] = time.monotonic
    random: Callable[[], float] = random.random
    cancel: Cancellation | None = None


def backoff_seconds(policy: RetryPolicy, retry: int, roll: float) -> float:
    """Return the pause before the ``retry``-th retry (1, 2, ...): full jitter under an exponential ceiling."""
    ceiling = min(policy.cap_seconds, policy.base_seconds * 2.0 ** (retry - 1))
    return roll * ceiling


class Retrier:
    """Runs calls under one policy and one quota.

    Args:
        policy: attempts and pauses.
        quota: shared by all calls of one client.
        world: clock, randomness, cancellation.
        listener: told of every retry.

    """

    def __init__(
        self,
        policy: RetryPolicy,
        quota: RetryQuota,
        world: World | None = None,
        listener: Listener = no_listener,
    ) -> None:
        self._policy = policy
        self._quota = quota
        self._world = world or World()
        self._listener = listener

    def call(self, operation: Callable[[], T], *, deadline: float | None = None) -> T:
        """Return what ``operation`` returns; raise its last ClassifiedError when retrying does not help.

        ``deadline`` is an instant of the world's clock after which no retry starts. A wish of the provider to wait
        longer than the ceiling or the deadline ends the retrying, so that the next run takes the page up again.
        Raises NextRunError ``CANCELLED`` when cancelled during a pause.
        """
        attempt = _Attempt(self._policy, self._quota, self._world, self._listener, deadline)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(attempt.wants_retry),
            wait=attempt.pause_seconds,
            stop=tenacity.stop_after_attempt(self._policy.attempts),
            sleep=attempt.sleep,
            reraise=True,
        )
        result = retrying(operation)
        self._quota.give_back(attempt.last_cost)
        return result


class _Attempt:
    """The state of one call: what its last retry cost and how long to pause before the next."""

    def __init__(
        self,
        policy: RetryPolicy,
        quota: RetryQuota,
        world: World,
        listener: Listener,
        deadline: float | None,
    ) -> None:
        self.last_cost = 0
        self._policy = policy
        self._quota = quota
        self._world = world
        self._listener = listener
        self._deadline = deadline
        self._retries = 0
        self._pause = 0.0
        self._last: Failure | None = None

    def wants_retry(self, error: BaseException) -> bool:
        """Decide once per failed attempt; pays the quota when the answer is yes."""
        if not isinstance(error, TransientError) or isinstance(error, NextRunError):
            return False
        if self._retries + 1 >= self._policy.attempts:
            return False
        self._pause = self._pause_after(error)
        if self._pause < 0 or self._cancelled():
            return False
        cost = self._quota.spend(throttled=error.failure.throttled)
        if cost is None:
            return False
        self.last_cost = cost
        self._retries += 1
        self._last = error.failure
        self._listener(_retried(error, self._retries, self._pause))
        return True

    def pause_seconds(self, _state: tenacity.RetryCallState) -> float:
        """Return the pause that was decided with the retry."""
        return self._pause

    def sleep(self, seconds: float) -> None:
        """Pause; a cancellation ends the pause and the call."""
        waiter = self._world.cancel if self._world.cancel is not None else threading.Event()
        waiter.wait(seconds)
        if waiter.is_set() and self._last is not None:
            raise NextRunError(Failure(self._last.provider, self._last.operation, code="CANCELLED"))

    def _cancelled(self) -> bool:
        return self._world.cancel is not None and self._world.cancel.is_set()

    def _pause_after(self, error: ClassifiedError) -> float:
        own = backoff_seconds(self._policy, self._retries + 1, self._world.random())
        wish = error.failure.retry_after_seconds
        if wish is not None and wish > self._policy.retry_after_ceiling_seconds:
            return -1.0
        pause = own if wish is None else max(own, wish)
        late = self._deadline is not None and self._world.clock() + pause > self._deadline
        return -1.0 if late else pause


def _retried(error: ClassifiedError, retry: int, pause: float) -> Event:
    return Retried(
        provider=error.failure.provider,
        operation=error.failure.operation,
        retry=retry,
        pause_seconds=pause,
        error_class=error.error_class.value,
    )
