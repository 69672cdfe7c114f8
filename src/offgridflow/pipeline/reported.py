"""Ingest of a provider's own report: ask, check, commit each month at once; a failing month never stops the others.

A month is replaced whole. One of which the provider says nothing stays as it is, and so does one that lacks an account
whose figures were committed before and are denied now: a refusal is no zero. With ``--full`` what is unchanged is
committed again, as a bill is.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from offgridflow.cloud.events import SpanKind, span
from offgridflow.connectors.delivery import RefusedDelivery
from offgridflow.connectors.reports import Denied, ReportConnector, ReportDelivery, ReportRows
from offgridflow.domain.errors import InputError, OffGridFlowError
from offgridflow.domain.periods import Month
from offgridflow.domain.reported import ReportedEmission
from offgridflow.ledger.reported import LiveReport, MonthOfReport, accounts_of
from offgridflow.pipeline.disk import local_disk
from offgridflow.pipeline.model import IngestResult, PeriodResult, PeriodStatus
from offgridflow.pipeline.plan import failure_of

if TYPE_CHECKING:
    from offgridflow.pipeline.sources import Gate, SourceRun


@dataclass(frozen=True, slots=True)
class _Source:
    """One report source of a run."""

    run: "SourceRun"
    name: str
    connector: ReportConnector

    @property
    def kind(self) -> str:
        """The type of the source, which stands where a bill has its format."""
        return self.connector.declaration.name

    def result(self, month: str | None, status: PeriodStatus, **known: object) -> PeriodResult:
        """Return what became of a month. Its kilograms are not ours, so that ``total_kgco2e`` stays None."""
        provider = self.connector.declaration.provider
        return PeriodResult(self.name, month, provider, self.kind, None, status, **known)  # type: ignore[arg-type]


def ingest_reports(run: "SourceRun", name: str, connector: ReportConnector, gate: "Gate") -> Iterator[IngestResult]:
    """Ingest what is new or restated of a report source; one result per question to the provider.

    Raises OffGridFlowError where it cannot be found out what there is, or where the one question about all months
    fails: then the source has failed as a whole.
    """
    source = _Source(run, name, connector)
    since, until = (
        None if text is None else Month.parse(text) for text in (run.options.first_period, run.options.last_period)
    )
    for found in connector.discover(since, until):
        if isinstance(found, RefusedDelivery):
            month = str(found.billing_period) if found.billing_period else None
            yield IngestResult((source.result(month, "failed", error=failure_of(found.error)),))
        else:
            yield _ingest(source, found, gate)


def _ingest(source: _Source, delivery: ReportDelivery, gate: "Gate") -> IngestResult:
    live = source.run.ledger.reported.head().reports
    month = delivery.only_month
    if delivery.upstream is not None and not source.run.options.full and month is not None:
        known = live.get((source.name, month))
        if known is not None and known.upstream_digest == delivery.upstream:
            return IngestResult((source.result(known.month, "unchanged", fingerprint=known.content_digest),))
    held = None if month is None else gate(source.name, delivery)
    if held is not None:
        return IngestResult((source.result(month, "failed", error=held),))
    about: dict[str, str | int | float] = {"source": source.name, "provider": delivery.provider}
    try:
        where = f"{source.name} {delivery.key}"
        with local_disk(where), span(source.run.door.listener, SpanKind.DELIVERY, where, about) as work:
            result = _take(source, delivery)
            work.outcome = result.status
            return result
    except OffGridFlowError as error:
        if month is None:
            raise
        return IngestResult((source.result(month, "failed", error=failure_of(error)),))


def _take(source: _Source, delivery: ReportDelivery) -> IngestResult:
    """Fetch and commit a delivery. Raises OffGridFlowError where it cannot be fetched or read."""
    source.run.ports.progress("fetch", f"{source.name} {delivery.key}", 0, 1)
    fetched = source.connector.fetch_rows(delivery)
    source.run.ports.progress("fetch", f"{source.name} {delivery.key}", 1, 1)
    results = [_commit(source, delivery, month, rows, fetched.denied) for month, rows in _by_month(fetched)]
    refused = [_refused(source, delivery, denied) for denied in fetched.denied]
    return IngestResult((*results, *refused), fetched.notes)


def _by_month(fetched: ReportRows) -> list[tuple[str, list[ReportedEmission]]]:
    months: dict[str, list[ReportedEmission]] = defaultdict(list)
    for row in fetched.rows:
        months[row.month].append(row)
    return sorted(months.items())


def _commit(
    source: _Source,
    delivery: ReportDelivery,
    month: str,
    rows: Sequence[ReportedEmission],
    denied: Sequence[Denied],
) -> PeriodResult:
    report = MonthOfReport(source.name, month, rows, delivery.upstream)
    ledger = source.run.ledger
    try:
        _refuse_loss(ledger.reported.head().reports.get((source.name, month)), source, denied)
        options, run_id = source.run.options, source.run.ports.run_id
        done = ledger.reported.commit(report, run_id=run_id, again=options.full)
    except OffGridFlowError as error:
        return source.result(month, "failed", line_items=len(rows), error=failure_of(error))
    return source.result(month, done.status, line_items=len(rows), activities=len(rows), fingerprint=report.digest)


def _refuse_loss(live: LiveReport | None, source: _Source, denied: Sequence[Denied]) -> None:
    """Raise where a denied account has figures in the ledger that the new rows would take away."""
    if live is None or not denied:
        return
    known = accounts_of(source.run.ledger.storage, live)
    lost = sorted(each.sub_account_id for each in denied if each.sub_account_id in known)
    if lost:
        sentence = f"{source.name} {live.month}: {lost[0]} is denied, and the ledger holds figures of it."
        raise InputError(
            sentence, action=f"Grant {_grant(source)}; the figures in the ledger stay.", code="REPORT_DENIED"
        )


def _refused(source: _Source, delivery: ReportDelivery, denied: Denied) -> PeriodResult:
    month = str(delivery.months[0]) if delivery.months else None
    sentence = f"{source.name}: the account {denied.sub_account_id} is denied: {denied.reason}."
    error = InputError(
        sentence, action=f"Grant {_grant(source)}, or take it out of the settings.", code="REPORT_DENIED"
    )
    return source.result(month, "failed", error=failure_of(error))


def _grant(source: _Source) -> str:
    return source.connector.declaration.permissions[0].name
