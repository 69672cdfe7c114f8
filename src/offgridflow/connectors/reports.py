"""Connectors of the providers' own carbon reports: they bring rows, not files, and know neither grain nor SKU.

A report source differs from a bill in three ways: its months are few and small, several of them may come by one
question, and most of them tell a change only by their content. So ``discover`` yields what can be asked for in one go,
with an upstream digest where the provider gives one for free, and ``fetch_rows`` brings all rows of it or raises.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from offgridflow.connectors.delivery import CheckReport, Declaration, RefusedDelivery
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
