"""Time that passes only when somebody waits."""

import threading

from offgridflow.cloud.retry import World


class SimulatedTime:
    """Clock, sleep and cancellation in one; thread-safe.

    It is a ``Cancellation`` (``is_set``, ``wait``), so limiters and retries that are given it sleep in no time at all.

    Args:
        start: first reading of the clock in seconds.
        cancel_at: reading at which a wait ends cancelled; None for never.

    """

    def __init__(self, start: float = 0.0, cancel_at: float | None = None) -> None:
        self._now = start
        self._cancel_at = cancel_at
        self._cancelled = False
        self._lock = threading.Lock()
        self.waits: list[float] = []

    def clock(self) -> float:
        """Return the seconds so far."""
        with self._lock:
            return self._now

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass without anybody waiting, e.g. inside a fake call."""
        with self._lock:
            self._now += seconds

    def set(self) -> None:
        """Cancel."""
        with self._lock:
            self._cancelled = True

    def is_set(self) -> bool:
        """Return whether it was cancelled."""
        with self._lock:
            return self._cancelled

    def wait(self, timeout: float | None = None) -> bool:
        """Let ``timeout`` seconds pass, or those up to the cancellation; return whether it is cancelled."""
        with self._lock:
            seconds = timeout or 0.0
            self.waits.append(seconds)
            until = self._now + seconds
            if self._cancel_at is not None and until >= self._cancel_at:
                self._cancelled = True
                until = max(self._now, self._cancel_at)
            self._now = until
            return self._cancelled

    def world(self, roll: float = 1.0) -> World:
        """Return a World of this time in which every roll of the dice is ``roll`` (1: the longest backoff)."""
        return World(clock=self.clock, random=lambda: roll, cancel=self)
