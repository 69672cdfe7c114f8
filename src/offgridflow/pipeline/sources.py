"""Configured sources: discover, skip what is live, fetch, ingest; a failing source or period never stops the others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from offgridflow.cloud.door import Door
from offgridflow.cloud.events import Scanned, SpanKind, span
from offgridflow.connectors.buckets import Surroundings
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import CheckReport, CheckStep, Connector, Delivery, Found, RefusedDelivery
from offgridflow.connectors.registry import connect
from offgridflow.connectors.reports import ReportConnector, ReportDelivery
from offgridflow.domain.errors import OffGridFlowError, UsageError
from offgridflow.domain.periods import Month
from offgridflow.engines.model import Grain
from offgridflow.formats import known_format
from offgridflow.ledger import Ledger, LiveCommit
from offgridflow.pipeline.disk import local_disk
from offgridflow.pipeline.ingest import Expected, ingest_parts
from offgridflow.pipeline.model import Failure, IngestOptions, IngestResult, PeriodResult, Ports
from offgridflow.pipeline.period import UnchangedResults
from offgridflow.pipeline.plan import failure_of
from offgridflow.pipeline.recipe import Kitchen
from offgridflow.pipeline.reported import ingest_reports


@dataclass(frozen=True, slots=True)
class SourceRun:
    """What all sources of one run share. ``cache_folder`` keeps fetched parts from run to run."""

    ledger: Ledger
    kitchen: Kitchen
    options: IngestOptions
    ports: Ports
    cache_folder: Path
    door: Door
    unchanged: UnchangedResults = field(default_factory=UnchangedResults)


GROUPING_KINDS = frozenset({"bigquery_export"})
"""Types of sources that hand over groups of lines: they must know the grain."""

Connect = Callable[[Mapping[str, object], Surroundings], Connector | ReportConnector]
Gate = Callable[[str, Delivery | ReportDelivery], Failure | None]
"""Asked before a delivery is fetched, with its source; a failure that it gives stands for the delivery, untried."""


Live = Mapping[tuple[str, str], LiveCommit]
"""What is live, by (source, billing period)."""


def open_gate(source: str, delivery: Delivery | ReportDelivery) -> Failure | None:  # noqa: ARG001 - see Gate
    """Let every delivery through."""
    return None


def chosen_sources(configured: Mapping[str, Mapping[str, Any]], names: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Return the configured sources with these names, all where none is named; raise UsageError for an unknown one."""
    if not configured:
        sentence = "No source is configured."
        raise UsageError(
            sentence, action="Name files to ingest, or run 'offgridflow init' and fill in offgridflow.toml."
        )
    unknown = sorted(set(names) - set(configured))
    if unknown:
        sentence = f"There is no source {unknown[0]!r} in the settings."
        raise UsageError(sentence, action=f"Use one of: {', '.join(sorted(configured))}.")
    return {name: configured[name] for name in sorted(configured) if not names or name in names}


def ingest_sources(run: SourceRun, sources: Mapping[str, Mapping[str, Any]], make: Connect = connect) -> IngestResult:
    """Ingest every new or restated delivery of these sources.

    What is live under the same recipe costs its listing and no data request.
    """
    results: list[PeriodResult] = []
    notes: list[str] = []
    for name, settings in sources.items():
        try:
            connector = make(settings_at_grain(name, settings, run.kitchen.grain), surroundings_of(run, name))
            for found in ingest_source(run, name, connector):
                results.extend(found.periods)
                notes.extend(found.notes)
        except OffGridFlowError as error:
            results.append(PeriodResult(name, None, None, None, None, "failed", error=failure_of(error)))
    return IngestResult(tuple(results), tuple(notes))


def settings_at_grain(name: str, settings: Mapping[str, Any], grain: Grain) -> Mapping[str, Any]:
    """Return a source's settings with the grain of the ledger, for kinds that group lines before they fetch them.

    Raises UsageError where the source asks for another grain of its own: what it leaves out could not be found again.
    """
    if settings.get("type") not in GROUPING_KINDS:
        return settings
    wanted = {"grain": grain.period, "resources": grain.resources, "labels": grain.tag_keys}
    for key, value in wanted.items():
        own = settings.get(key, value)
        if (tuple(own) if key == "labels" else own) != value:
            sentence = f"The setting sources.{name}.{key} is {own!r}, and the ledger's grain asks for {value!r}."
            raise UsageError(sentence, action=f"Leave sources.{name}.{key} out, or change the grain.")
    return {**settings, **wanted}


def surroundings_of(run: SourceRun, name: str) -> Surroundings:
    """Return what a connector needs of the world."""
    return Surroundings(source=name, door=run.door, cache=Cache(run.cache_folder), now=run.ports.now)


def check_sources(
    cache_folder: Path,
    door: Door,
    sources: Mapping[str, Mapping[str, Any]],
    make: Connect = connect,
) -> list[CheckReport]:
    """Try credentials and permissions of every source without ingesting; one that cannot be made is a failed step."""
    reports: list[CheckReport] = []
    for name, settings in sources.items():
        try:
            reports.append(make(settings, Surroundings(name, door, Cache(cache_folder))).check())
        except OffGridFlowError as error:
            reports.append(CheckReport(name, (CheckStep("settings", ok=False, detail=str(error)),)))
    return reports


def ingest_source(
    run: SourceRun, name: str, connector: Connector | ReportConnector, gate: Gate = open_gate
) -> Iterator[IngestResult]:
    """Yield the result of each delivery of a source as it is done.

    A source that has nothing yields one result, without a period, whose note says so: a wrong prefix looks like that.
    Raises OffGridFlowError where the listing itself fails; what is wrong with one delivery is in its result.
    """
    nothing = True
    with local_disk(name):
        for result in _each_result(run, name, connector, gate):
            nothing = False
            yield result
    if nothing:
        yield nothing_found(run, name)


def _each_result(
    run: SourceRun, name: str, connector: Connector | ReportConnector, gate: Gate
) -> Iterator[IngestResult]:
    if isinstance(connector, ReportConnector):
        yield from ingest_reports(run, name, connector, gate)
        return
    live = run.ledger.live()
    for found in discovered(run, connector):
        if isinstance(found, RefusedDelivery):
            yield refused_delivery(found)
        else:
            yield known_of(run, live, found, gate) or take_delivery(run, connector, found)


def nothing_found(run: SourceRun, name: str) -> IngestResult:
    """Return the result of a source that has published nothing in the range of the run."""
    first, last = run.options.first_period, run.options.last_period
    months = f" from {first or 'the first month'} to {last or 'now'}" if first or last else ""
    note = f"{name}: the source lists no delivery{months}; if there should be one, check where its settings point"
    return IngestResult((), (note,))


def discovered(run: SourceRun, connector: Connector) -> Iterator[Found]:
    """Yield what the source has published in the range of the run. Raises OffGridFlowError where it cannot be told."""
    since, until = (_month(text) for text in (run.options.first_period, run.options.last_period))
    return connector.discover(since, until)


def _month(text: str | None) -> Month | None:
    return None if text is None else Month.parse(text)


def ingest_delivery(run: SourceRun, connector: Connector, delivery: Delivery) -> IngestResult:
    """Return what became of one delivery; what is wrong with it is in the result. Safe to do twice, and at once."""
    return known_of(run, run.ledger.live(), delivery, open_gate) or take_delivery(run, connector, delivery)


def take_delivery(run: SourceRun, connector: Connector, delivery: Delivery) -> IngestResult:
    """Fetch and ingest a delivery, whatever is live; what is wrong with it is in the result."""
    name, period = delivery.source, str(delivery.billing_period)
    about: dict[str, str | int | float] = {"source": name, "provider": delivery.provider, "parts": len(delivery.parts)}
    try:
        where = f"{name} {period}"
        with local_disk(where), span(run.door.listener, SpanKind.DELIVERY, where, about) as work:
            result = _take(run, connector, delivery)
            work.outcome = result.status
            return result
    except OffGridFlowError as error:
        return failed_delivery(delivery, failure_of(error))


def known_of(run: SourceRun, live: Live, delivery: Delivery, gate: Gate) -> IngestResult | None:
    """Return the result of a delivery that need not be fetched: live under the same recipe, or held at the gate.

    ``live`` may be as old as the listing: what another worker committed since is fetched, and found unchanged then.
    """
    known = live.get((delivery.source, str(delivery.billing_period)))
    if known is not None and not run.options.full and _is_same(run, known, delivery):
        return IngestResult(run.unchanged.of(run.ledger, known))
    held = gate(delivery.source, delivery)
    return None if held is None else failed_delivery(delivery, held)


def failed_delivery(delivery: Delivery, failure: Failure) -> IngestResult:
    """Return the result of a delivery that failed as a whole."""
    period = str(delivery.billing_period)
    failed = PeriodResult(delivery.source, period, delivery.provider, None, None, "failed", error=failure)
    return IngestResult((failed,))


def refused_delivery(refused: RefusedDelivery) -> IngestResult:
    """Return the result of a delivery that cannot be taken."""
    period = str(refused.billing_period) if refused.billing_period else None
    failed = PeriodResult(refused.source, period, None, None, None, "failed", error=failure_of(refused.error))
    return IngestResult((failed,))


def _take(run: SourceRun, connector: Connector, delivery: Delivery) -> IngestResult:
    """Fetch and ingest a delivery. Raises OffGridFlowError where it cannot be fetched or read."""
    name, period = delivery.source, str(delivery.billing_period)
    cache = Cache(run.cache_folder)
    run.ports.progress("fetch", f"{name} {period}", 0, len(delivery.parts))
    parts = connector.fetch(delivery, cache)
    run.ports.progress("fetch", f"{name} {period}", len(delivery.parts), len(delivery.parts))
    expected = Expected(period, delivery.fingerprint, delivery.provider)
    options = replace(run.options, source=name)
    result = ingest_parts(parts, run.ledger, run.kitchen, options, run.ports, expected)
    lines = sum(each.line_items for each in result.periods)
    run.door.listener(Scanned(delivery.provider, "ingest", lines))
    if result.status == "ok":
        _forget_parts(cache, name, delivery)
    return result


def _is_same(run: SourceRun, live: LiveCommit, delivery: Delivery) -> bool:
    mapping = known_format(live.format)
    if live.fingerprint != delivery.fingerprint or mapping is None:
        return False
    return live.recipe == run.kitchen.digest_for(mapping)


def _forget_parts(cache: Cache, name: str, delivery: Delivery) -> None:
    """Remove what was fetched: it is in the ledger now, and the next revision has other names."""
    for part in delivery.parts:
        cache.path_of(name, part).unlink(missing_ok=True)
