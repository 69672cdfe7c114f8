"""Clouds as state machines in memory: connectors that go through the real door and misbehave as a seeded dice says.

A twin keeps what it has published, so that the truth of every month is known: lines and money of its newest revision.
"""

import gzip
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from offgridflow.cloud.errors import AuthError, Failure, NextRunError, NotFoundError, TransientError
from offgridflow.connectors.buckets import Surroundings
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import (
    CheckReport,
    Connector,
    Declaration,
    Delivery,
    Found,
    RemotePart,
    fingerprint_of_parts,
)
from offgridflow.connectors.model import FilePart
from offgridflow.domain.errors import InputError
from offgridflow.domain.periods import Month

COLUMNS = (
    "bill_payer_account_id,bill_billing_period_start_date,line_item_usage_account_id,line_item_line_item_type,"
    "line_item_currency_code,line_item_usage_start_date,line_item_usage_amount,line_item_unblended_cost,"
    "line_item_product_code,line_item_usage_type,line_item_operation,line_item_resource_id,pricing_unit,product_sku,"
    "product_region_code,product_instance_type,product"
)


def bill(account: str, month: str, costs: list[str]) -> bytes:
    """Return a CUR 2.0 CSV.gz of m5.large hours, one per cost; every line is its own by its resource."""
    lines = [
        f"{account},{month}-01T00:00:00Z,{account},Usage,USD,{month}-02T0{place % 10}:00:00Z,1,{cost},AmazonEC2,"
        f"BoxUsage:m5.large,RunInstances,i-{place},Hrs,SKU1,us-east-1,m5.large,"
        '"{""product_name"": ""Amazon Elastic Compute Cloud""}"'
        for place, cost in enumerate(costs)
    ]
    return gzip.compress("\n".join([COLUMNS, *lines, ""]).encode(), mtime=0)


@dataclass(slots=True)
class Revision:
    """What was published of one month: parts of costs. ``cut`` parts were published cut, ``missing`` not at all."""

    number: int
    parts: list[list[str]]
    cut: bool = False
    missing: bool = False
    listed_twice: bool = False

    @property
    def costs(self) -> list[str]:
        """All lines."""
        return [cost for part in self.parts for cost in part]


@dataclass(slots=True)
class Twin:
    """One account at one provider. ``trouble`` is the share of calls that fail in passing."""

    name: str
    account: str
    dice: random.Random
    trouble: float = 0.0
    months: dict[str, Revision] = field(default_factory=dict)
    token_is_valid: bool = True
    is_gone: bool = False
    shifts: bool = False
    calls: list[float] = field(default_factory=list)
    published: dict[str, set[tuple[int, Decimal]]] = field(default_factory=dict)

    def publish(self, month: str, parts: list[list[str]], **how: bool) -> None:
        """Publish a month anew."""
        before = self.months.get(month)
        self.months[month] = Revision(1 if before is None else before.number + 1, parts, **how)
        self.published.setdefault(month, set()).add(self.truth()[month])

    def truth(self) -> dict[str, tuple[int, Decimal]]:
        """Return lines and money of every month as it is published now."""
        return {
            month: (len(revision.costs), sum(map(Decimal, revision.costs), Decimal(0)))
            for month, revision in self.months.items()
        }


class Settings(BaseModel):
    """A twin needs none."""


class TwinConnector:
    """The connector of a twin: every call through the door, so paced, retried and classified as a real one."""

    declaration = Declaration("twin", "A cloud in memory", "aws", Settings, ("s3",), ())

    def __init__(self, twin: Twin, around: Surroundings) -> None:
        self._twin = twin
        self._around = around

    def discover(self, since: Month | None = None, until: Month | None = None) -> Iterator[Found]:
        """See Connector. Pages of two months; where pages shift, a month is restated between two of them."""
        months = sorted(self._twin.months)
        for first in range(0, max(len(months), 1), 2):
            self._call("List")
            if first and self._twin.shifts:
                self._restate(months[0])
            for month in months[first : first + 2]:
                parsed = Month.parse(month)
                if (since is None or since <= parsed) and (until is None or parsed <= until):
                    yield self._delivery(month)

    def fetch(self, delivery: Delivery, cache: Cache) -> tuple[FilePart, ...]:
        """See Connector."""
        month = str(delivery.billing_period)
        revision = self._twin.months[month]
        for _ in delivery.parts:
            self._call("Get")
        if self._delivery(month).fingerprint != delivery.fingerprint:
            raise NextRunError(Failure("aws", "Get", code="CHANGED_UNDER_WAY"))
        if revision.missing:
            sentence = f"{self._twin.name} {month} lacks a part."
            raise InputError(sentence, action="It is tried again on the next run.", code="MISSING_PART")
        found: list[FilePart] = []
        for place, part in enumerate(delivery.parts):
            content = bill(self._twin.account, month, revision.parts[place % len(revision.parts)])
            path = cache.path_of(self._twin.name, part)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content[:-12] if revision.cut else content)
            found += cache.readable(path, part.key)
        return tuple(found)

    def check(self) -> CheckReport:
        """See Connector."""
        return CheckReport(self._twin.name, ())

    def _restate(self, month: str) -> None:
        revision = self._twin.months[month]
        self._twin.publish(month, [*revision.parts, [f"7.{revision.number:06d}"]])  # equal parts would count once
        self._twin.shifts = False

    def _delivery(self, month: str) -> Delivery:
        revision = self._twin.months[month]
        numbers = range(len(revision.parts) * (2 if revision.listed_twice else 1))
        parts = tuple(
            RemotePart(f"{month}/{number}.csv.gz", 1, f"{revision.number}-{number % len(revision.parts)}")
            for number in numbers
        )
        return Delivery(
            source=self._twin.name,
            provider="aws",
            billing_period=Month.parse(month),
            fingerprint=fingerprint_of_parts(parts),
            parts=parts,
            format_hint=None,
            final=False,
            manifest_key=f"{month}/manifest.json",
            submitted_at=datetime(2026, 1, 1, tzinfo=UTC),
        )

    def _call(self, operation: str) -> None:
        door = self._around.door

        def answer() -> None:
            self._twin.calls.append(door.clock())
            if self._twin.is_gone:
                raise NotFoundError(Failure("aws", operation, 404, "NoSuchBucket"))
            if not self._twin.token_is_valid:
                raise AuthError(Failure("aws", operation, 403, "ExpiredToken"))
            if self._twin.dice.random() < self._twin.trouble:
                status = self._twin.dice.choice((429, 500, 503, None))
                code = {429: "SlowDown", None: "SHORT_BODY"}.get(status)
                raise TransientError(Failure("aws", operation, status, code, throttled=status == 429))

        door.call("aws", self._twin.account, "s3", operation, answer)


def connect_twins(twins: Mapping[str, Twin]) -> Any:  # noqa: ANN401 - a pipeline.sources.Connect
    """Return what makes the connectors of twins by the name of their source."""

    def connect(settings: Mapping[str, object], around: Surroundings) -> Connector:
        del settings
        return TwinConnector(twins[around.source], around)

    return connect
