"""What runs unattended: one run with its alerts, or one after another by a schedule until somebody asks it to stop."""

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from typing import Any, Protocol

from offgridflow.cloud import logs
from offgridflow.cloud.events import Alerted, Lagged, Listener, PeriodDone, SpanKind, span
from offgridflow.connectors.registry import ReportKind, connect, kind, names
from offgridflow.domain.errors import OffGridFlowError, UsageError
from offgridflow.ledger import Ledger
from offgridflow.pipeline import alerts
from offgridflow.pipeline.alerts_webhook import Webhook, networks_of
from offgridflow.pipeline.doorway import door_of, listening
from offgridflow.pipeline.freshness import freshness_of
from offgridflow.pipeline.locks import FileLocks, Locks, PostgresLocks
from offgridflow.pipeline.model import IngestOptions, Progress, no_progress, utc_now
from offgridflow.pipeline.runner import InProcessRunner, Runner, RunReport, Stop, Task, never
from offgridflow.pipeline.runs import RunStore, store_of
from offgridflow.pipeline.schedule import Due, Schedule
from offgridflow.pipeline.service import source_run
from offgridflow.pipeline.slots import Slots
from offgridflow.pipeline.sources import Connect, SourceRun, chosen_sources
from offgridflow.pipeline.steps import WATCH_SECONDS, Workplace
from offgridflow.settings import RunSettings, Settings

_logger = logging.getLogger(__name__)
_LONGEST_NAP_SECONDS = 60.0
_MOST_TRIES = 8


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be run: which sources into which ledger under which settings, and who asked.

    ``names`` empty means all sources; what is named is tried even if it is held. ``runner`` is one that is there
    already; without it the run brings the one that the settings ask for. ``watch_seconds`` lie between two looks for
    what dead workers left, where workers share their work.
    """

    ledger_uri: str
    settings: Settings
    options: IngestOptions
    names: tuple[str, ...] = ()
    origin: str = "run"
    progress: Progress = no_progress
    make: Connect = connect
    now: Callable[[], datetime] = utc_now
    listener: Listener | None = None
    runner: Runner | None = None
    watch_seconds: float = WATCH_SECONDS


class Send(Protocol):
    """Delivers one alert."""

    def send(self, alert_id: str, body: str, at: datetime) -> str | None:
        """Return None where it was taken, else why not. Raises UsageError where it must not be sent there."""


def run_once(errand: Errand, stop: Stop = never, scheduled_for: datetime | None = None) -> RunReport:
    """Do one run: ingest, note, tell what is worth telling.

    Raises UsageError and LedgerError where nothing can be begun; what fails on the way is in the report.
    """
    if errand.listener is not None:
        return _run_heard(errand, errand.listener, stop, scheduled_for)
    with listening(errand.settings) as listener:
        return _run_heard(errand, listener, stop, scheduled_for)


def _run_heard(errand: Errand, listener: Listener, stop: Stop, scheduled_for: datetime | None) -> RunReport:
    chosen = chosen_sources(errand.settings.sources, errand.names)
    shared = _shared(errand, listener)
    store = _store_of(shared.ledger, errand)
    retry_held = errand.options.full or bool(errand.names)
    task = Task(chosen, shared, errand.origin, retry_held, scheduled_for)
    with (
        runner_of(errand, shared, store) as runner,
        span(listener, SpanKind.RUN, errand.origin, {"sources": len(chosen)}) as work,
    ):
        report = runner.run(task, stop)
        work.outcome = report.result.status
    for period in report.result.periods:
        listener(PeriodDone(period.provider or "", "ingest", period.status))
    _tell(errand, shared.ledger, store, report, listener)
    return report


def _store_of(ledger: Ledger, errand: Errand) -> RunStore:
    chosen = errand.settings.run
    return store_of(ledger, chosen.state, timedelta(days=chosen.history_days))


def _shared(errand: Errand, listener: Listener) -> SourceRun:
    shared = source_run(errand.ledger_uri, errand.settings, errand.options, errand.progress)
    door = door_of(errand.settings, listener)
    return replace(shared, door=door, ports=replace(shared.ports, now=errand.now))


@contextmanager
def runner_of(errand: Errand, shared: SourceRun, store: RunStore) -> Iterator[Runner]:
    """Give the runner of the errand, else the one that the settings ask for, as long as it is needed.

    Raises UsageError for a database that is neither SQLite nor PostgreSQL, and what ``durable_runner`` raises.
    """
    chosen = errand.settings.run
    probe_after = timedelta(hours=chosen.probe_hours)
    if errand.runner is not None:
        yield errand.runner
    elif chosen.runner == "in_process":
        yield InProcessRunner(store, _locks(chosen, store, None), probe_after, errand.make)
    else:
        from offgridflow.pipeline.durable import durable_runner  # noqa: PLC0415 - an extra

        url, server = _database(chosen, store)
        locks = _locks(chosen, store, server)
        place = Workplace(errand.settings.sources, shared, errand.make, locks, errand.watch_seconds)
        free = FileLocks(store.folder / "slots", 0) if server is None else PostgresLocks(server, 0)
        slots = Slots(free, shared.ledger.marker.ledger_id)
        with durable_runner(store, place, url, slots, probe_after) as runner:
            yield runner


def _locks(chosen: RunSettings, store: RunStore, server: str | None) -> Locks:
    """Return the locks of accounts: in the server that the settings name for them, else in that of the workflows."""
    dsn = server if chosen.lock_dsn is None else chosen.lock_dsn.get_secret_value()
    if dsn is None:
        return FileLocks(store.folder / "locks", chosen.lock_wait_seconds)
    return PostgresLocks(dsn, chosen.lock_wait_seconds)


def _database(chosen: RunSettings, store: RunStore) -> tuple[str, str | None]:
    """Return the address of the workflow database, and the same where it is a server that can hold locks."""
    if chosen.database_url is None:
        store.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return f"sqlite:///{store.folder.absolute() / 'workflows.sqlite'}", None
    url = chosen.database_url.get_secret_value()
    if url.startswith("postgresql://"):
        return url, url
    if url.startswith("sqlite:///"):
        return url, None
    sentence = "run.database_url begins neither with postgresql:// nor with sqlite:///."
    raise UsageError(sentence, action="Correct it; docs/operations.md has examples.")


def _tell(errand: Errand, ledger: Ledger, store: RunStore, report: RunReport, listener: Listener) -> None:
    """Find alerts, keep and log them, send what is unsent. What goes wrong here does not undo the run: it is logged."""
    try:
        found = list(_found(errand, ledger, store, report, listener))
        keep(store, report.run_id, found, errand.now(), listener)
        webhook = webhook_of(errand.settings)
        if webhook is not None:
            send_unsent(store, webhook, errand.now)
    except OffGridFlowError as error:
        _log(logging.WARNING, "alerts failed", {"error_code": error.code, "sentence": error.sentence})


def _log(level: int, event: str, fields: Mapping[str, object]) -> None:
    if logs.is_read():
        _logger.log(level, event, extra={"fields": fields})


def _found(
    errand: Errand, ledger: Ledger, store: RunStore, report: RunReport, listener: Listener
) -> Iterator[alerts.Alert]:
    limits = errand.settings.alerts
    live = ledger.live()
    committed = {
        (str(period.source), str(period.billing_period))
        for period in report.result.periods
        if period.status == "committed"
    }
    changed = committed & set(live)  # months of the providers' own reports are not compared
    if changed:
        keys = alerts.with_months_before(changed)
        before, after = (alerts.figures_of(ledger, version, keys) for version in report.versions)
        yield from alerts.compare(before, after, limits)
    if any(period.error is not None for period in report.result.periods):
        yield from alerts.failed(report.result.periods, store.failing_since(), errand.now(), limits)
    sources = errand.settings.sources
    reports = ledger.reported.head().reports.values()
    fresh = freshness_of(
        sources, live.values(), store.checks(), errand.now(), reports, store.first_tries(), _reports_of(sources)
    )
    for each in fresh:
        if each.lag_hours is not None:
            listener(Lagged(each.source, each.lag_hours * 3600))
    yield from alerts.stale(fresh, limits)


def _reports_of(sources: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the names of the sources that are providers' own reports."""
    known = names()
    types = {name: str(table["type"]) for name, table in sources.items() if table.get("type") in known}
    return {name for name, each in types.items() if isinstance(kind(each), ReportKind)}


def keep(
    store: RunStore, run_id: str, found: Iterable[alerts.Alert], at: datetime, listener: Listener
) -> list[alerts.Alert]:
    """Keep and log those alerts that are new; return them."""
    known = store.known_alerts()
    new = [alert for alert in found if alert.alert_id not in known]
    store.add_alerts(run_id, at, {alert.alert_id: alert.body(at) for alert in new})
    for alert in new:
        fields = {"kind": alert.kind.value, "source": alert.source, "billing_period": alert.billing_period}
        _log(logging.WARNING, alert.sentence, fields)
        listener(Alerted(alert.kind.value))
    return new


def webhook_of(settings: Settings) -> Webhook | None:
    """Return the webhook of the settings, None where there is none. Raises UsageError for one without a secret."""
    chosen = settings.alerts
    if chosen.webhook_url is None:
        return None
    if chosen.webhook_secret is None:
        sentence = "alerts.webhook_url is set and alerts.webhook_secret is not, so that nobody could trust the alerts."
        raise UsageError(sentence, action="Set OFFGRIDFLOW_ALERTS__WEBHOOK_SECRET.")
    secret = chosen.webhook_secret.get_secret_value().encode()
    return Webhook(chosen.webhook_url, secret, networks_of(chosen.webhook_networks))


def send_unsent(store: RunStore, to: Send, now: Callable[[], datetime]) -> int:
    """Send each alert that was not taken yet, once; return how many were taken. After eight tries one is given up.

    Each try that fails is logged.
    """
    taken = 0
    for alert_id, body in store.unsent(_MOST_TRIES):
        at = now()
        refusal = to.send(alert_id, body, at)
        tries = store.tried(alert_id, at if refusal is None else None)
        if refusal is None:
            taken += 1
        else:
            _log_refusal(alert_id, tries, refusal)
    return taken


def _log_refusal(alert_id: str, tries: int, refusal: str) -> None:
    fields = {"alert_id": alert_id, "tries": tries, "most_tries": _MOST_TRIES, "reason": refusal}
    if tries < _MOST_TRIES:
        _log(logging.WARNING, "alert not taken by the webhook", fields)
    else:
        _log(logging.ERROR, "alert given up", fields)


class Worker:
    """Runs by a schedule until ``flag`` is set; a run under way ends with the delivery that it is at.

    Args:
        schedule: when.
        last_scheduled: gives the latest instant of the schedule for which a run ended.
        once: does the run of an instant, until the stop says so.
        flag: set from a signal handler.
        now: the wall clock; read again and again, so that a clock that is set is followed.
        nap: waits so many seconds or until the flag is set.

    """

    def __init__(
        self,
        schedule: Schedule,
        last_scheduled: Callable[[], datetime | None],
        once: Callable[[datetime, Stop], object],
        flag: Flag,
        now: Callable[[], datetime] = utc_now,
        nap: Callable[[float], object] | None = None,
    ) -> None:
        self._schedule = schedule
        self._last_scheduled = last_scheduled
        self._once = once
        self._flag = flag
        self._now = now
        self._nap = nap or flag.wait

    def work(self) -> int:
        """Work until the flag is set; return how many runs were done."""
        runs = 0
        last = self._last_scheduled()
        while not self._flag.is_set():
            due = self._schedule.next_due(self._now(), last)
            if not self._wait_for(due):
                break
            try:
                self._once(due.scheduled_for, self._flag.is_set)
            except OffGridFlowError as error:
                fields = {"error_code": error.code, "sentence": error.sentence, "action": error.action}
                _logger.exception("run failed", extra={"fields": fields})
            except Exception as error:
                # The one boundary of its kind: what nobody foresaw ends one run, not all those that are to come.
                _logger.exception("run failed", extra={"fields": _unforeseen(error)})
            last = due.scheduled_for
            runs += 1
        return runs

    def _wait_for(self, due: Due) -> bool:
        """Wait in short naps by the clock as it is; return False where the worker is to stop."""
        while not self._flag.is_set():
            left = (due.begins_at - self._now()).total_seconds()
            if left <= 0:
                return True
            self._nap(min(left, _LONGEST_NAP_SECONDS))
        return False


def _unforeseen(error: Exception) -> dict[str, object]:
    """Return what the log says of an error that nobody foresaw: its place; the formatter adds its type, no values."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return {"error_code": OffGridFlowError.code, "where": f"{Path(place.filename).name}:{place.lineno}"}


def work_by_schedule(errand: Errand, flag: Flag) -> int:
    """Run by the schedule of the settings until ``flag`` is set; return how many runs were done."""
    chosen = errand.settings.run
    schedule = Schedule(chosen.schedule, timedelta(seconds=chosen.jitter_seconds), chosen.catch_up)
    ledger = Ledger.open(errand.ledger_uri, create=True, retention_days=errand.settings.ledger.retention_days)
    store = _store_of(ledger, errand)
    with (
        listening(errand.settings, serve=True) as heard,
        runner_of(errand, _shared(errand, heard), store) as runner,  # a worker of the queue between its runs, too
    ):
        told = replace(errand, origin="schedule", listener=heard, runner=runner)
        worker = Worker(
            schedule, store.last_scheduled, lambda instant, stop: run_once(told, stop, instant), flag, errand.now
        )
        return worker.work()
