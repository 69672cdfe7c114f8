"""When a run is due: cron in UTC, a jitter, and what becomes of instants that passed without a worker."""

import importlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from offgridflow.domain.errors import MissingExtraError, UsageError

CatchUp = Literal["skip", "once"]


@dataclass(frozen=True, slots=True)
class Due:
    """A run to come: for which instant of the schedule, and when it begins."""

    scheduled_for: datetime
    begins_at: datetime


class Schedule:
    """A cron expression of five fields, in UTC, so that no instant comes twice or never when clocks change.

    Args:
        cron: the expression.
        jitter: each run begins at random up to so much after its instant, so that workers do not all call at once.
        catch_up: ``once`` makes one run for all instants that were missed, ``skip`` none.
        random_share: a random number in [0, 1).

    Raises UsageError for an expression that is none or that no day fits, MissingExtraError without the extra
    ``durable``.
    """

    def __init__(
        self,
        cron: str,
        jitter: timedelta = timedelta(0),
        catch_up: CatchUp = "once",
        random_share: Callable[[], float] = random.random,
    ) -> None:
        self._croniter = _croniter()
        if len(cron.split()) != _FIELDS or not self._croniter.is_valid(cron):
            sentence = f"run.schedule {cron!r} is not a cron expression of five fields."
            raise UsageError(sentence, action='Write for example "17 5 * * *": every day at 05:17 UTC.')
        self._cron = cron
        self._jitter = jitter
        self._catch_up = catch_up
        self._random_share = random_share
        try:
            self._instant(_ANY_DAY)
        except ValueError as error:  # croniter's errors are such
            sentence = f"run.schedule {cron!r} never comes: no day fits it."
            raise UsageError(sentence, action='Write for example "17 5 * * *": every day at 05:17 UTC.') from error

    def next_due(self, now: datetime, last: datetime | None) -> Due:
        """Return the run to come at ``now``, when ``last`` was the latest instant for which a run ended.

        With no run before, nothing was missed. A ``last`` after ``now`` means that the clock was set back: the schedule
        goes by the clock as it is now.
        """
        if last is not None and self._catch_up == "once":
            missed = self._instant(now + timedelta(microseconds=1), backwards=True)
            if last < missed:
                return Due(missed, now)
        instant = self._instant(now)
        return Due(instant, instant + self._jitter * self._random_share())

    def _instant(self, base: datetime, *, backwards: bool = False) -> datetime:
        walk = self._croniter(self._cron, base.astimezone(UTC))
        found: datetime = walk.get_prev(datetime) if backwards else walk.get_next(datetime)
        return found.astimezone(UTC)


_FIELDS = 5
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def _croniter() -> Any:  # noqa: ANN401 - the package has no types
    try:
        return importlib.import_module("croniter").croniter
    except ModuleNotFoundError:
        sentence = "The schedule needs croniter, which is not installed."
        raise MissingExtraError(sentence, action="Run: pip install 'offgridflow[durable]'") from None
