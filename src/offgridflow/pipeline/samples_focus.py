"""Sample bills of Azure and Google Cloud: FOCUS with the extension columns that each cloud's own export has."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from offgridflow.domain.periods import Month
from offgridflow.pipeline.samples_fleet import Offer, Resource, Use, fleet_of, uses_of

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class FocusCloud:
    """How one cloud writes FOCUS.

    Args:
        name: seeds the fleet.
        columns: the header, in order.
        offers: the price list.
        accounts: number of sub-accounts; places: number of regions.
        usage: turns a use into a row; extras: the rows that a month brings beside usage.

    """

    name: str
    columns: tuple[str, ...]
    offers: tuple[Offer, ...]
    accounts: int
    places: int
    usage: Callable[[Use], Row]
    extras: Callable[[Month, Sequence[Use]], Iterator[Row]]

    def rows(self, seed: int, months: Sequence[Month]) -> dict[Month, list[Row]]:
        """Return the rows of each month; equal arguments give equal rows in equal order."""
        fleet = fleet_of(self.offers, accounts=self.accounts, places=self.places, seed=f"{self.name} {seed}")
        by_month: dict[Month, list[Use]] = {month: [] for month in months}
        for use in uses_of(fleet, months, seed=f"{self.name} use {seed}"):
            by_month[Month.of(use.day)].append(use)
        return {month: [*map(self.usage, uses), *self.extras(month, uses)] for month, uses in by_month.items()}


def period_columns(use_or_month: Use | Month) -> Row:
    """Return the billing and charge periods: of a use its day, of a month all of it."""
    month = use_or_month if isinstance(use_or_month, Month) else Month.of(use_or_month.day)
    start, end = month.start, month.next().start
    day = start if isinstance(use_or_month, Month) else _midnight(use_or_month)
    return {
        "BillingPeriodStart": instant(start),
        "BillingPeriodEnd": instant(end),
        "ChargePeriodStart": instant(day),
        "ChargePeriodEnd": instant(end if isinstance(use_or_month, Month) else day + timedelta(days=1)),
    }


def cost_columns(list_cost: float, *, billed: float | None = None, effective: float | None = None) -> Row:
    """Return the four costs; without a discount all are equal."""
    paid = list_cost if billed is None else billed
    return {
        "BilledCost": figure(paid),
        "EffectiveCost": figure(paid if effective is None else effective),
        "ListCost": figure(list_cost),
        "ContractedCost": figure(list_cost),
    }


def instant(moment: datetime) -> str:
    """Write an instant as FOCUS does."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def figure(value: float) -> str:
    """Write a number without an exponent."""
    return f"{value:.10f}"


def json_text(content: object) -> str:
    """Write a JSON cell."""
    return json.dumps(content, separators=(",", ":"))


def tags_of(resource: Resource) -> dict[str, str]:
    """Return the tags that people put on a resource."""
    return {"team": resource.team, "environment": resource.environment}


def guid(hexadecimal: str) -> str:
    """Return 32 hexadecimal digits as a GUID."""
    return "-".join((hexadecimal[:8], hexadecimal[8:12], hexadecimal[12:16], hexadecimal[16:20], hexadecimal[20:]))


def write_csv_gz(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> Path:
    """Write a gzip CSV whose bytes depend on the rows alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(gzip.compress(text.getvalue().encode(), compresslevel=6, mtime=0))
    return path


def _midnight(use: Use) -> datetime:
    return datetime(use.day.year, use.day.month, use.day.day, tzinfo=UTC)
