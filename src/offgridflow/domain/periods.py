"""Periods: calendar months written ``YYYY-MM`` and hours ``YYYY-MM-DDTHH``, instants in UTC, intervals half open."""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

from offgridflow.domain.trace import TermKind, is_recording, leaf

_MONTHS_PER_YEAR = 12
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_HOUR = re.compile(r"(\d{4})-(\d{2})-(\d{2})T(\d{2})")


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month.

    >>> Month.parse("2024-02").hours
    696
    """

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Read ``YYYY-MM``; raise ValueError with what was seen and what is accepted."""
        match = _MONTH.fullmatch(text)
        if match is None or not 1 <= int(match[2]) <= _MONTHS_PER_YEAR:
            message = f"{text!r} is not a month; write YYYY-MM, for example 2025-06"
            raise ValueError(message)
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> "Month":
        """Return the month that holds ``day``."""
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"

    @property
    def days(self) -> int:
        """Number of days in this month."""
        return calendar.monthrange(self.year, self.month)[1]

    @property
    def hours(self) -> float:
        """Number of hours in this month (UTC has no daylight saving)."""
        hours = self.days * 24
        return leaf(hours, TermKind.CONVERSION, f"hours of {self}", "h") if is_recording() else hours

    @property
    def start(self) -> datetime:
        """First instant of the month, UTC."""
        return datetime(self.year, self.month, 1, tzinfo=UTC)

    def next(self) -> "Month":
        """Return the month after this one."""
        return Month(self.year + self.month // _MONTHS_PER_YEAR, self.month % _MONTHS_PER_YEAR + 1)


@dataclass(frozen=True, slots=True, order=True)
class Hour:
    """An hour of a day, UTC.

    >>> Hour.parse("2024-02-29T07").month
    Month(year=2024, month=2)
    """

    month: Month
    day: int
    hour: int

    @classmethod
    def parse(cls, text: str) -> "Hour":
        """Read ``YYYY-MM-DDTHH``; raise ValueError with what was seen and what is accepted."""
        match = _HOUR.fullmatch(text)
        try:
            year, month, day, hour = (int(part) for part in match.groups()) if match else (0, 0, 0, 0)
            return cls.of(datetime(year, month, day, hour, tzinfo=UTC))
        except ValueError as error:
            message = f"{text!r} is not an hour; write YYYY-MM-DDTHH, for example 2025-06-03T14"
            raise ValueError(message) from error

    @classmethod
    def of(cls, instant: datetime) -> "Hour":
        """Return the hour that holds ``instant``, which is in UTC."""
        return cls(Month.of(instant), instant.day, instant.hour)

    def __str__(self) -> str:
        return f"{self.month}-{self.day:02d}T{self.hour:02d}"

    @property
    def start(self) -> datetime:
        """First instant of the hour, UTC."""
        return datetime(self.month.year, self.month.month, self.day, self.hour, tzinfo=UTC)


Period = Month | Hour
"""What a rate is of: a calendar month, or an hour where the factors are hourly."""


def period_of(text: str) -> Period:
    """Read a month or an hour as ``str`` writes them; raise ValueError as their ``parse`` does."""
    return Hour.parse(text) if "T" in text else Month.parse(text)


def month_of(period: Period) -> Month:
    """Return the calendar month of a period."""
    return period.month if isinstance(period, Hour) else period


def hours_in(month: Month) -> Iterator[Hour]:
    """Yield every hour of a month, in order."""
    for day in range(1, month.days + 1):
        for hour in range(24):
            yield Hour(month, day, hour)


def months_between(first: Month, last: Month) -> tuple[Month, ...]:
    """Return all months from ``first`` to ``last``, both included; empty when ``last`` is before ``first``."""
    months: list[Month] = []
    while first <= last:
        months.append(first)
        first = first.next()
    return tuple(months)
