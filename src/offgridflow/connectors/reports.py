"""Connectors of the providers' own carbon reports: they bring rows, not files, and know neither grain nor SKU.

A report source differs from a bill in three ways: its months are few and small, several of them may come by one
question, and most of them tell a change only by their content. So ``discover`` yields what can be asked for in one go,
with an upstream digest where the provider gives one for free, and ``fetch_rows`` brings all rows of it or raises.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from offgridflow.connectors.delivery import CheckReport, Declaration, RefusedDelivery
from offgridflow.domain.errors import InputError
from offgridflow.domain.periods import Month
from offgridflow.domain.reported import ReportedEmission


@dataclass(frozen=True, slots=True)
class ReportDelivery:
    """Months that are asked for in one go.

    ``upstream`` is a digest of what lies at the provider (ETags, sizes) where it is known before anything is fetched.
    """

    source: str
    provider: str
    key: str
    months: tuple[Month, ...] = ()
    upstream: str | None = None

    @property
    def only_month(self) -> str | None:
        """The month that is asked for; None where one question covers many."""
        return str(self.months[0]) if len(self.months) == 1 else None


FoundReport = ReportDelivery | RefusedDelivery


@dataclass(frozen=True, slots=True)
class Denied:
    """An account whose figures the provider refuses to show although it answers for the others."""

    sub_account_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReportRows:
    """All rows of a delivery, those that were refused, and what people should know.

    A month without a row is one that the provider says nothing of: what is in the ledger of it stays.
    """

    rows: tuple[ReportedEmission, ...]
    denied: tuple[Denied, ...] = ()
    notes: tuple[str, ...] = ()


def each_once(rows: Iterable[ReportedEmission], name: str) -> Iterator[ReportedEmission]:
    """Yield rows of an answer that is grouped; raise InputError REPORTED_TWICE for a group that comes again.

    Pages that shift under way would count a figure twice, and nothing in the sums would show it.
    """
    seen: set[tuple[str | None, ...]] = set()
    for row in rows:
        places = (row.billing_account_id, row.sub_account_id, row.region_id, row.resource_group, row.resource_id)
        key = (row.month, row.breakdown.value, row.model_version, row.service_name, *places)
        if key in seen:
            sentence = f"The report {name} holds {'/'.join(part for part in key if part)} twice."
            raise InputError(sentence, action="It is asked for again on the next run.", code="REPORTED_TWICE")
        seen.add(key)
        yield row


@runtime_checkable
class ReportConnector(Protocol):
    """One configured report. All calls go through the door: paced, retried, classified, told."""

    @property
    def declaration(self) -> Declaration:
        """What kind of connector this is."""
        ...

    def discover(
        self, since: Month | None = None, until: Month | None = None
    ) -> Iterator[ReportDelivery | RefusedDelivery]:
        """Yield what can be asked for, oldest first. Raises ClassifiedError where nothing can be found out."""
        ...

    def fetch_rows(self, delivery: ReportDelivery) -> ReportRows:
        """Bring all rows of a delivery, or raise; half an answer is never returned.

        Raises ClassifiedError (FatalError ``PAGE_LOOP`` for pages without an end), InputError for figures that cannot
        be read or have an unknown unit.
        """
        ...

    def check(self) -> CheckReport:
        """Try credentials and permissions without ingesting."""
        ...
