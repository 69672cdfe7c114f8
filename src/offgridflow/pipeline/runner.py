"""A run: every configured source once, each step noted, what cannot help held back, nothing stopped by another.

The ledger alone says what is committed. A run that is killed is run again: what it had committed is found unchanged.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any, Protocol

from offgridflow.connectors.delivery import Delivery
from offgridflow.connectors.registry import connect
from offgridflow.connectors.reports import ReportDelivery
from offgridflow.domain.errors import OffGridFlowError
from offgridflow.domain.identity import digest_of
from offgridflow.pipeline.failures import HELD
from offgridflow.pipeline.locks import Locks, lock_name
from offgridflow.pipeline.model import Failure, IngestResult, PeriodResult
from offgridflow.pipeline.period import read_back
from offgridflow.pipeline.plan import failure_of
from offgridflow.pipeline.runs import Hold, RunStore
from offgridflow.pipeline.sources import Connect, SourceRun, ingest_source, settings_at_grain, surroundings_of

Sources = Mapping[str, Mapping[str, Any]]
Stop = Callable[[], bool]
"""Whether the run should end after the delivery that it is at."""


@dataclass(frozen=True, slots=True)
class Task:
    """One run to do: its sources, what they share, who asked (``ingest``, ``run``, ``schedule``).

    ``retry_held`` tries what is held too; ``scheduled_for`` is the instant of the schedule that it is for.
    """

    sources: Sources
    shared: SourceRun
    origin: str
    retry_held: bool = False
    scheduled_for: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunReport:
    """What came of a run. ``listed`` are the sources whose deliveries could be listed."""

    run_id: str
    result: IngestResult
    versions: tuple[int, int]
    stopped: bool = False


class Runner(Protocol):
    """Does runs."""

    def run(self, task: Task, stop: Stop) -> RunReport:
        """Do one run to its end, or until ``stop`` says so, after the delivery that it is at."""


def never() -> bool:
    """Go on."""
    return False


def new_run_id(now: datetime) -> str:
    """Return an id for a run: sortable by time, unique."""
    return f"{now:%Y%m%dT%H%M%SZ}-{os.urandom(4).hex()}"


@dataclass(frozen=True, slots=True)
class InProcessRunner:
    """Does a run in this process, one source after another.

    Args:
        store: where its history goes.
        locks: one worker per account.
        probe_after: how long a source whose listing failed is held before it is tried unasked.
        make: makes connectors.
        run_id: gives the next run its id.

    """

    store: RunStore
    locks: Locks
    probe_after: timedelta = timedelta(hours=24)
    make: Connect = connect
    run_id: Callable[[datetime], str] = field(default=new_run_id)

    def run(self, task: Task, stop: Stop = never) -> RunReport:
        """See Runner."""
        now = task.shared.ports.now
        run_id = self.run_id(now())
        shared = replace(task.shared, ports=replace(task.shared.ports, run_id=run_id))
        first_version = shared.ledger.version()
        with self.store.living(run_id):
            self.store.begin(run_id, task.origin, now(), _shown_options(task))
            if task.scheduled_for is not None:
                self.store.note_schedule(run_id, task.scheduled_for)
            work = _Work(self, replace(task, shared=shared), run_id, stop)
            work.all_sources()
            result = IngestResult(tuple(work.periods), tuple(work.notes))
            self.store.finish(run_id, result.status, now(), stopped=work.stopped.is_set())
        return RunReport(run_id, result, (first_version, shared.ledger.version()), work.stopped.is_set())


class _Work:
    """The state of one run."""

    def __init__(self, runner: InProcessRunner, task: Task, run_id: str, stop: Stop) -> None:
        self.runner = runner
        self.task = task
        self.run_id = run_id
        self.stop = stop
        self.stopped = threading.Event()
        self.periods: list[PeriodResult] = []
        self.notes: list[str] = []

    def all_sources(self) -> None:
        for name, settings in self.task.sources.items():
            if self._must_stop():
                return
            source = _Source(self, name, settings_digest(settings))
            for result in source.results(settings):
                held = frozenset(range(len(result.periods))) if source.is_untried else frozenset()
                self.runner.store.note(self.run_id, self.now(), result.periods, held)
                self.periods.extend(result.periods)
                self.notes.extend(result.notes)
                source.is_untried = False
                if self._must_stop():
                    return

    def now(self) -> datetime:
        return self.task.shared.ports.now()

    def _must_stop(self) -> bool:
        if self.stop():
            self.stopped.set()
        return self.stopped.is_set()


class _Source:
    """One source within a run: asks whether something is held, holds what failed, releases what went well."""

    def __init__(self, work: _Work, name: str, digest: str) -> None:
        self._work = work
        self._store = work.runner.store
        self._name = name
        self._digest = digest
        self._holds = {key[1]: hold for key, hold in self._store.holds().items() if key[0] == name}
        self._fingerprints: dict[str, str] = {}
        self.is_untried = False

    def results(self, settings: Mapping[str, Any]) -> Iterator[IngestResult]:
        held = self._held_source()
        if held is not None:
            self.is_untried = True
            yield self._failed(held)
            return
        try:
            with ExitStack() as stack:
                stack.enter_context(self._work.runner.locks.hold(lock_name(settings)))
                shared = self._work.task.shared
                asked = settings_at_grain(self._name, settings, shared.kitchen.grain)
                connector = self._work.runner.make(asked, surroundings_of(shared, self._name))
                for result in ingest_source(self._work.task.shared, self._name, connector, self._gate):
                    yield result if self.is_untried else self._settled(result)
        except OffGridFlowError as error:
            failure = failure_of(error)
            self._keep("", "", failure)
            yield self._failed(failure)
            return
        self._store.note_check(self._name, self._work.now())
        self._let_go("")

    def _failed(self, failure: Failure) -> IngestResult:
        return IngestResult((PeriodResult(self._name, None, None, None, None, "failed", error=failure),))

    def _held_source(self) -> Failure | None:
        hold = self._holds.get("")
        return None if hold is None or self._may_help(hold, "") else _told(hold)

    def _may_help(self, hold: Hold, fingerprint: str) -> bool:
        """Return whether another try may end otherwise: asked for, something changed, or nobody can tell but by it."""
        if self._work.task.retry_held or (hold.settings_digest, hold.fingerprint) != (self._digest, fingerprint):
            return True
        age = self._work.now() - hold.since
        return not fingerprint and not timedelta(0) <= age < self._work.runner.probe_after

    def _gate(self, source: str, delivery: Delivery | ReportDelivery) -> Failure | None:  # noqa: ARG002 - see sources.Gate
        period, fingerprint = _tried(delivery)
        self._fingerprints[period] = fingerprint
        hold = self._holds.get(period)
        if hold is None or self._may_help(hold, fingerprint):
            return None
        self.is_untried = True
        return _told(hold)

    def _settled(self, result: IngestResult) -> IngestResult:
        """Hold what failed and would fail again, release what went well, find out what is not known."""
        result = replace(result, periods=self._resolved(result.periods))
        for period in result.periods:
            name = period.billing_period
            if name is None:
                continue
            if period.error is None:
                self._let_go(name)
            elif name in self._fingerprints:
                self._keep(name, self._fingerprints[name], period.error)
        return result

    def _resolved(self, periods: Sequence[PeriodResult]) -> tuple[PeriodResult, ...]:
        """Read back a commit of which it is not known whether it landed."""
        unknown = {period.billing_period for period in periods if period.error and period.error.code in _UNKNOWN}
        shared = self._work.task.shared
        resolved = list(periods)
        for name in unknown:
            live = shared.ledger.live().get((self._name, str(name)))
            if live is not None and live.run_id == self._work.run_id:
                resolved = [period for period in resolved if period.billing_period != name]
                resolved += read_back(shared.ledger, [live], "committed")
        return tuple(resolved)

    def _keep(self, period: str, fingerprint: str, failure: Failure) -> None:
        if failure.code in _HOLDS_NOTHING:
            return
        if failure.retry_class not in HELD:
            self._let_go(period)
            return
        self._store.hold(Hold(self._name, period, self._digest, fingerprint, failure, self._work.now()))

    def _let_go(self, period: str) -> None:
        if period in self._holds:
            self._store.release(self._name, period)


_UNKNOWN = frozenset({"COMMIT_UNKNOWN"})
_HOLDS_NOTHING = frozenset({"REPORT_DENIED"})
"""Failures of one account in an answer that is good for the others, which are to go on."""


def _tried(delivery: Delivery | ReportDelivery) -> tuple[str, str]:
    """Return period and fingerprint of what is to be tried; "" where only trying tells whether it changed."""
    if isinstance(delivery, ReportDelivery):
        return delivery.only_month or delivery.key, delivery.upstream or ""
    return str(delivery.billing_period), delivery.fingerprint


def settings_digest(settings: Mapping[str, Any]) -> str:
    """Return the digest of a source's settings and of this version: what a new try may depend on."""
    return digest_of([version("offgridflow"), sorted((key, repr(value)) for key, value in settings.items())])


def _told(hold: Hold) -> Failure:
    failure = hold.failure
    since = hold.since.isoformat(timespec="minutes")
    what = "its settings or the delivery change" if hold.fingerprint else "its settings change"
    action = f"{failure.action} Held since {since}, until {what}; --full tries it now.".strip()
    return replace(failure, action=action)


def _shown_options(task: Task) -> dict[str, object]:
    options = task.shared.options
    return {
        "sources": sorted(task.sources),
        "from": options.first_period,
        "to": options.last_period,
        "full": options.full,
        "replace": options.replace,
    }
