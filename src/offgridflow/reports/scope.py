"""What a report is asked: group keys, days, filters. Identifiers come from an enum, every value is bound."""

import calendar
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final, Literal

from offgridflow.domain.errors import UsageError
from offgridflow.domain.model import USAGE
from offgridflow.domain.periods import Month


class GroupKey(StrEnum):
    """The keys that a report can group and filter by, beside ``tag:<key>``."""

    PROVIDER = "provider"
    BILLING_ACCOUNT_ID = "billing_account_id"
    SUB_ACCOUNT_ID = "sub_account_id"
    REGION_ID = "region_id"
    SERVICE_NAME = "service_name"
    SERVICE_CATEGORY = "service_category"
    SKU_ID = "sku_id"
    SKU_METER = "sku_meter"
    OPERATION = "operation"
    CONSUMED_UNIT = "consumed_unit"
    INSTANCE_TYPE = "instance_type"
    RESOURCE_ID = "resource_id"
    BILLING_PERIOD = "billing_period"
    MONTH = "month"
    DAY = "day"
    METHOD = "method"
    STATUS = "status"
    REASON = "reason"
    COVERAGE_BUCKET = "coverage_bucket"
    SOURCE = "source"
    BILLING_CURRENCY = "billing_currency"


TIME_KEYS: Final = frozenset({GroupKey.DAY.value, GroupKey.MONTH.value, GroupKey.BILLING_PERIOD.value})
TAG_PREFIX: Final = "tag:"

EMISSIONS: Final = "emissions"
"""The view that reports read; ``whatif`` makes another one with the same columns."""

Part = Literal["all", "usage", "excluded"]

Filters = Mapping[str, str | tuple[str, ...]]
"""Values by key: a row passes that has the value, or one of the values, of every key. Empty means unknown (null)."""

_IN_UTC: Final = "make_timestamp(epoch_us(charge_period_start))"
"""The wall clock of UTC; ``AT TIME ZONE`` says the same at twice the cost."""

MONTH_SQL: Final = f"strftime({_IN_UTC}, '%Y-%m')"
"""The calendar month of a row's charge, UTC."""

_EXPRESSIONS: Final[dict[GroupKey, str]] = {
    GroupKey.MONTH: MONTH_SQL,
    GroupKey.DAY: f"strftime({_IN_UTC}, '%Y-%m-%d')",
    GroupKey.INSTANCE_TYPE: "attributes.instance_type",
}
_MONTH = re.compile(r"\d{4}-\d{2}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Key:
    """A group key: its name in the output, its SQL expression, and the values bound in it."""

    name: str
    sql: str
    parameters: tuple[str, ...] = ()


def key_of(text: str) -> Key:
    """Return the key that ``text`` names; UsageError lists what is accepted."""
    name = text.strip()
    if name.startswith(TAG_PREFIX) and len(name) > len(TAG_PREFIX):
        return Key(name, "tags[?]", (name.removeprefix(TAG_PREFIX),))
    try:
        known = GroupKey(name.lower())
    except ValueError:
        sentence = f"{name!r} is not a key that reports know."
        raise UsageError(sentence, action=f"Use one of: {', '.join(GroupKey)}, tag:<key>.") from None
    return Key(known.value, _EXPRESSIONS.get(known, known.value))


def keys_of(names: Sequence[str]) -> tuple[Key, ...]:
    """Return the keys of ``names``, each once; ``billing_currency`` is always a key and therefore left out here."""
    keys = {key.name: key for key in map(key_of, names)}
    keys.pop(GroupKey.BILLING_CURRENCY.value, None)
    return tuple(keys.values())


@dataclass(frozen=True, slots=True)
class Days:
    """First and last charge day, UTC, both included; None where open."""

    first: date | None = None
    last: date | None = None


def days_of(date_from: str | None, date_to: str | None) -> Days:
    """Read ``YYYY-MM`` or ``YYYY-MM-DD``; a month stands for its first day at the start and its last at the end."""
    days = Days(_day(date_from, last=False), _day(date_to, last=True))
    if days.first and days.last and days.last < days.first:
        sentence = f"The last day {days.last} lies before the first day {days.first}."
        raise UsageError(sentence, action="Swap the two.")
    return days


def _day(text: str | None, *, last: bool) -> date | None:
    if text is None:
        return None
    try:
        if _MONTH.fullmatch(text):
            month = Month.parse(text)
            return date(month.year, month.month, calendar.monthrange(month.year, month.month)[1] if last else 1)
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    sentence = f"{text!r} is not a month or a day."
    raise UsageError(sentence, action="Write YYYY-MM or YYYY-MM-DD, for example 2025-06 or 2025-06-30.")


@dataclass(frozen=True, slots=True)
class Scope:
    """Which rows a report reads: days and equal values, of a key any of several. An empty value matches unknown."""

    days: Days
    filters: tuple[tuple[Key, tuple[str, ...]], ...]
    view: str = EMISSIONS

    def where(self, part: Part = "all") -> tuple[str, list[object]]:
        """Return the SQL condition and its parameters; ``part`` keeps usage rows or the excluded ones only."""
        parts: list[str] = []
        values: list[object] = []
        if part != "all":
            parts.append(f"charge_class {'=' if part == 'usage' else '<>'} '{USAGE}'")
        if self.days.first is not None:
            parts.append("charge_period_start >= ?")
            values.append(_midnight(self.days.first))
        if self.days.last is not None:
            parts.append("charge_period_start < ?")
            values.append(_midnight(self.days.last + timedelta(days=1)))
        for key, wanted in self.filters:
            condition, bound = one_of(key, wanted)
            parts.append(condition)
            values.extend(bound)
        return " AND ".join(parts) or "true", values


def scope_of(date_from: str | None, date_to: str | None, where: Filters, view: str = EMISSIONS) -> Scope:
    """Read the days and filters of a report."""
    filters = tuple((key_of(name), values_of(wanted)) for name, wanted in where.items())
    return Scope(days_of(date_from, date_to), filters, view)


def filters_of(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """Return the filters that (key, value) pairs say: several values of one key are alternatives."""
    filters: dict[str, tuple[str, ...]] = {}
    for key, value in pairs:
        known = filters.get(key, ())
        filters[key] = known if value in known else (*known, value)
    return filters


def values_of(wanted: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of a filter."""
    return (wanted,) if isinstance(wanted, str) else wanted


def one_of(key: Key, wanted: tuple[str, ...]) -> tuple[str, list[object]]:
    """Return the SQL condition that ``key`` has one of these values, and its parameters.

    Plain equality, which the engine pushes down into its scans; an empty value matches null.
    """
    known = [value for value in wanted if value]
    parts: list[str] = []
    if known:
        parts.append(f"{key.sql} IN ({', '.join('?' * len(known))})" if len(known) > 1 else f"{key.sql} = ?")
    if len(known) < len(wanted):
        parts.append(f"{key.sql} IS NULL")
    bound: list[object] = [*key.parameters, *known] if known else []
    if len(known) < len(wanted):
        bound.extend(key.parameters)
    return f"({' OR '.join(parts) or 'false'})", bound


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=UTC)
