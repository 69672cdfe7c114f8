"""A rollup of ``emissions`` that answers questions by month exactly as the rows themselves would.

Its groups are homogeneous in everything that a report branches on: status, reason, bucket, whether an impact is known,
and which of billed cost, effective cost and zero is the greatest. So the cost weight of a group is the sum of the
weights of its rows, and ``totals.report`` may read a rollup in place of the rows: every figure is equal to the digit.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from offgridflow.domain.model import DECIMAL
from offgridflow.reports.scope import TAG_PREFIX, Days, Filters, GroupKey, days_of, key_of
from offgridflow.reports.totals import REPORT_IMPACTS

ROLLUP_KEYS: Final = (
    GroupKey.SOURCE,
    GroupKey.BILLING_PERIOD,
    GroupKey.PROVIDER,
    GroupKey.BILLING_ACCOUNT_ID,
    GroupKey.SUB_ACCOUNT_ID,
    GroupKey.REGION_ID,
    GroupKey.SERVICE_NAME,
    GroupKey.SERVICE_CATEGORY,
    GroupKey.BILLING_CURRENCY,
    GroupKey.STATUS,
    GroupKey.REASON,
    GroupKey.METHOD,
    GroupKey.COVERAGE_BUCKET,
)
"""Columns of ``emissions`` that a rollup keeps apart, beside the month and the chosen tags."""

_ANSWERED: Final = frozenset({*(key.value for key in ROLLUP_KEYS), GroupKey.MONTH.value})
_MONTH_START: Final = "date_trunc('month', charge_period_start AT TIME ZONE 'UTC') AT TIME ZONE 'UTC'"
_BILLED, _EFFECTIVE = "coalesce(billed_cost, 0)", "coalesce(effective_cost, 0)"
_SIDE: Final = (
    f"CASE WHEN greatest({_BILLED}, {_EFFECTIVE}) <= 0 THEN 'none' "
    f"WHEN {_BILLED} >= {_EFFECTIVE} THEN 'billed' ELSE 'effective' END"
)
_KNOWN: Final = ("total_kgco2e", "operational_market_kgco2e", "water_l")


def rollup_query(view: str, tag_keys: Sequence[str] = ()) -> str:
    """Return the query that rolls the rows of ``view`` up; it keeps the column ``commit_id``.

    Tag keys are written as SQL literals, with their quotes doubled.
    """
    keys = ["commit_id", *(key.value for key in ROLLUP_KEYS), "charge_class", "assumptions"]
    known = [f"({name} IS NOT NULL) AS knows_{name}" for name in _KNOWN]
    sums = [f"sum({name}::{DECIMAL}) AS {name}" for name in REPORT_IMPACTS]
    money = [f"sum({name}) AS {name}" for name in ("billed_cost", "effective_cost")]
    columns = [
        *keys,
        f"{_MONTH_START} AS charge_period_start",
        f"{_tags(tag_keys)} AS tags",
        *known,
        f"{_SIDE} AS weight_side",
        *sums,
        *money,
        "sum(line_items)::BIGINT AS line_items",
    ]
    return f"SELECT {', '.join(columns)} FROM {view} GROUP BY ALL"


def _tags(tag_keys: Sequence[str]) -> str:
    if not tag_keys:
        return "MAP {}::MAP(VARCHAR, VARCHAR)"
    wanted = ", ".join("'" + key.replace("'", "''") + "'" for key in sorted(tag_keys))
    return f"map_from_entries(list_filter(map_entries(tags), lambda entry: list_contains([{wanted}], entry.key)))"


def answers(
    by: Sequence[str],
    date_from: str | None,
    date_to: str | None,
    where: Filters,
    tag_keys: Sequence[str] = (),
) -> bool:
    """Return whether a rollup answers this question: known keys only, and whole months.

    Raises UsageError for a key or date that reports do not know either.
    """
    allowed = _ANSWERED | {TAG_PREFIX + key for key in tag_keys}
    names = {key_of(name).name for name in (*by, *where)}
    return names <= allowed and _whole_months(days_of(date_from, date_to))


def _whole_months(days: Days) -> bool:
    first_fits = days.first is None or days.first.day == 1
    last_fits = days.last is None or (days.last + timedelta(days=1)).day == 1
    return first_fits and last_fits
