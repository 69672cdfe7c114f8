"""A run: every configured source once, each step noted, what cannot help held back, nothing stopped by another.

The ledger alone says what is committed. A run that is killed is run again: what it had committed is found unchanged.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from offgridflow.connectors.registry import connect
from offgridflow.domain.errors import OffGridFlowError
from offgridflow.pipeline.journal import Gatekeeper, Journal, SourceBook, failed_source, resolved, settings_digest
from offgridflow.pipeline.locks import Locks, lock_name
from offgridflow.pipeline.model import IngestResult
from offgridflow.pipeline.plan import failure_of
from offgridflow.pipeline.runs import RunStore
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
    """What came of a run. ``versions`` are the ledger's before and after it."""

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
        run_id = self.run_id(task.shared.ports.now())
        return noted_run(self.store, as_run(task, run_id), run_id, stop, self._all_sources)

    def _all_sources(self, task: Task, journal: Journal) -> None:
        for name, settings in task.sources.items():
            if journal.must_stop():
                return
            book = book_of(self.store, task, name, self.probe_after)
            held = book.held_source()
            if held is not None:
                journal.add(failed_source(name, held), is_untried=True)
                continue
            try:
                self._source(task, journal, book, settings)
            except OffGridFlowError as error:
                journal.add(book.listing_failed(failure_of(error)))
                continue
            if not journal.stopped.is_set():
                book.listed()

    def _source(self, task: Task, journal: Journal, book: SourceBook, settings: Mapping[str, Any]) -> None:
        """Raise OffGridFlowError where the deliveries cannot be listed."""
        shared, gate = task.shared, Gatekeeper(book.held_periods())
        with ExitStack() as stack:
            stack.enter_context(self.locks.hold(lock_name(settings)))
            asked = settings_at_grain(book.name, settings, shared.kitchen.grain)
            connector = self.make(asked, surroundings_of(shared, book.name))
            for found in ingest_source(shared, book.name, connector, gate):
                is_untried = gate.kept_out()
                result = found if is_untried else resolved(found, shared.ledger, journal.run_id)
                if not is_untried:
                    book.settled(result.periods, gate.fingerprints)
                journal.add(result, is_untried=is_untried)
                if journal.must_stop():
                    return


def as_run(task: Task, run_id: str) -> Task:
    """Return the task with the run's id, under which the ledger notes its commits."""
    return replace(task, shared=replace(task.shared, ports=replace(task.shared.ports, run_id=run_id)))


def book_of(store: RunStore, task: Task, name: str, probe_after: timedelta) -> SourceBook:
    """Return the book of one source of a task."""
    digest = settings_digest(task.sources[name])
    now = task.shared.ports.now
    return SourceBook(store, name, digest, retry_held=task.retry_held, probe_after=probe_after, now=now)


def noted_run(store: RunStore, task: Task, run_id: str, stop: Stop, work: Callable[[Task, Journal], None]) -> RunReport:
    """Do the work of a run and note it in the history: alive as long as it lasts, begun, each result, ended."""
    now = task.shared.ports.now
    journal = Journal(store, run_id, now, stop)
    first_version = task.shared.ledger.version()
    with store.living(run_id):
        store.begin(run_id, task.origin, now(), _shown_options(task))
        if task.scheduled_for is not None:
            store.note_schedule(run_id, task.scheduled_for)
        work(task, journal)
        result, stopped = journal.result, journal.stopped.is_set()
        store.finish(run_id, result.status, now(), stopped=stopped)
    return RunReport(run_id, result, (first_version, task.shared.ledger.version()), stopped)


def _shown_options(task: Task) -> dict[str, object]:
    options = task.shared.options
    return {
        "sources": sorted(task.sources),
        "from": options.first_period,
        "to": options.last_period,
        "full": options.full,
        "replace": options.replace,
    }
