"""How much is done at once: one heavy query per core, a short queue, and a time after which a query is cut off."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from offgridflow.api.problems import ApiError, Code


@dataclass(frozen=True, slots=True)
class GateLimits:
    """``slots`` run at once, ``queue_length`` wait for at most ``queue_seconds``."""

    slots: int
    queue_length: int
    queue_seconds: float


class Gate:
    """Lets a few through at a time; past the queue it answers BUSY with Retry-After.

    Args:
        limits: how many run and wait.
        clock: seconds, monotonic.

    """

    def __init__(self, limits: GateLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._free = threading.Condition()
        self.running = 0
        self.waiting = 0
        self.refused = 0

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Wait for a slot and hold it. Raises ApiError BUSY."""
        self._enter()
        try:
            yield
        finally:
            self.leave()

    def _enter(self) -> None:
        with self._free:
            if self.running >= self._limits.slots:
                self._wait()
            self.running += 1

    def _wait(self) -> None:
        if self.waiting >= self._limits.queue_length:
            raise self._busy()
        self.waiting += 1
        try:
            freed = self._free.wait_for(lambda: self.running < self._limits.slots, self._limits.queue_seconds)
        finally:
            self.waiting -= 1
        if not freed:
            raise self._busy()

    def try_enter(self) -> None:
        """Take a slot without waiting, to be given back by ``leave``. Raises ApiError BUSY."""
        with self._free:
            if self.running >= self._limits.slots:
                raise self._busy()
            self.running += 1

    def leave(self) -> None:
        """Give a slot back."""
        with self._free:
            self.running -= 1
            self._free.notify()

    def _busy(self) -> ApiError:
        self.refused += 1
        seconds = max(1, round(self._limits.queue_seconds))
        return ApiError(
            Code.BUSY,
            f"{self.running} queries run and {self.waiting} wait already.",
            action=f"Try again in {seconds} s, or ask by month, provider, account, region or service.",
            headers={"Retry-After": str(seconds)},
        )


class Deadlines:
    """Interrupts queries that run too long: one thread for all, because one for each costs more than a short query.

    Args:
        clock: seconds, monotonic.

    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: dict[duckdb.DuckDBPyConnection, float] = {}
        self._changed = threading.Condition()
        self._wakes_at = 0.0
        self._watching: threading.Thread | None = None

    @contextmanager
    def within(self, con: duckdb.DuckDBPyConnection, seconds: float) -> Iterator[None]:
        """Interrupt the one query that runs on ``con`` after ``seconds``. Raises ApiError QUERY_TIMEOUT."""
        self._add(con, self._clock() + seconds)
        try:
            yield
        except duckdb.InterruptException as error:
            raise ApiError(
                Code.QUERY_TIMEOUT,
                f"The query was stopped after {seconds:g} s.",
                action="Ask for fewer months or keys, or export the rows.",
                headers={"Retry-After": str(max(1, round(seconds)))},
            ) from error
        finally:
            with self._changed:
                self._due.pop(con, None)

    def _add(self, con: duckdb.DuckDBPyConnection, due: float) -> None:
        with self._changed:
            self._due[con] = due
            if self._watching is None:
                self._watching = threading.Thread(target=self._watch, name="deadlines", daemon=True)
                self._watching.start()
            elif due < self._wakes_at:
                self._changed.notify()

    def _watch(self) -> None:
        """Interrupt what is due, then sleep until the next may be; end where nothing runs.

        A query that ends in time wakes nobody: the sleep goes on, and finds nothing to do.
        """
        with self._changed:
            while self._due:
                now = self._clock()
                for con in [each for each, due in self._due.items() if due <= now]:
                    del self._due[con]
                    con.interrupt()
                self._wakes_at = min(self._due.values(), default=now)
                self._changed.wait(self._wakes_at - now)
            self._watching = None
