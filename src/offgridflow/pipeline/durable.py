"""The durable runner: the listings and deliveries of a run are workflows that any worker of the ledger may take up.

A run that is killed leaves its work in the queue: another worker, or the next run, goes on after the last step done.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from offgridflow.pipeline.failures import RetryClass
from offgridflow.pipeline.journal import Journal, SourceBook, failed_source
from offgridflow.pipeline.model import Failure
from offgridflow.pipeline.orders import Listed, ListOrder, Taken, TakeOrder, terms_of
from offgridflow.pipeline.runner import RunReport, Stop, Task, as_run, book_of, never, new_run_id, noted_run
from offgridflow.pipeline.runs import RunStore
from offgridflow.pipeline.slots import Slots
from offgridflow.pipeline.sources import failed_delivery
from offgridflow.pipeline.steps import Workplace, seen_by
from offgridflow.pipeline.workflows import Outcome, Workflows, opened

_NAP_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class DurableRunner:
    """Does a run through the queue of the ledger's workers, of which this process is one.

    Args:
        store: where its history goes.
        workflows: the queue.
        place: what this worker brings; its settings are those that every order means.
        probe_after: how long a source whose listing failed is held before it is tried unasked.
        run_id: gives the next run its id.
        nap: waits between two looks at the queue.

    """

    store: RunStore
    workflows: Workflows
    place: Workplace
    probe_after: timedelta = timedelta(hours=24)
    run_id: Callable[[datetime], str] = field(default=new_run_id)
    nap: Callable[[float], None] = time.sleep

    def run(self, task: Task, stop: Stop = never) -> RunReport:
        """See Runner. What a stopped run had ordered stays in the queue."""
        run_id = self.run_id(task.shared.ports.now())
        return noted_run(self.store, as_run(task, run_id), run_id, stop, self._all_sources)

    def _all_sources(self, task: Task, journal: Journal) -> None:
        waiting = _Waiting(journal)
        for name in task.sources:
            if journal.must_stop():
                return
            book = book_of(self.store, task, name, self.probe_after)
            held = book.held_source()
            if held is not None:
                journal.add(failed_source(name, held), is_untried=True)
                continue
            order = ListOrder(
                run_id=journal.run_id,
                source=name,
                digest=self.place.digest(name),
                terms=terms_of(task.shared.options),
                held=book.held_periods(),
            )
            waiting.listings[self.workflows.order(name, order)] = book
        while waiting.ids and not journal.must_stop():
            ended = self.workflows.ended(waiting.ids)
            for workflow_id, outcome in ended.items():
                waiting.hear(workflow_id, outcome)
            if not ended:
                self.nap(_NAP_SECONDS)
        journal.periods.sort(key=lambda each: (each.source or "", each.billing_period or ""))


@dataclass(frozen=True, slots=True)
class _Waiting:
    """What a run waits for: listings, and the deliveries that they found."""

    journal: Journal
    listings: dict[str, SourceBook] = field(default_factory=dict)
    deliveries: dict[str, tuple[SourceBook, TakeOrder]] = field(default_factory=dict)

    @property
    def ids(self) -> list[str]:
        return [*self.listings, *self.deliveries]

    def hear(self, workflow_id: str, outcome: Outcome) -> None:
        """Note how a workflow ended."""
        if workflow_id in self.listings:
            self._listed(self.listings.pop(workflow_id), outcome)
        else:
            self._taken(*self.deliveries.pop(workflow_id), outcome)

    def _listed(self, book: SourceBook, outcome: Outcome) -> None:
        if outcome.text is None:
            self.journal.add(book.listing_failed(_broken(book.name, outcome)))
            return
        listed = Listed.model_validate_json(outcome.text)
        for known in listed.known:
            if not known.is_untried:
                book.settled(known.result.periods, listed.fingerprints)
            self.journal.add(known.result, is_untried=known.is_untried)
        for placed in listed.placed:
            self.deliveries[placed.workflow_id] = (book, placed.order)
        if listed.failure is not None:
            self.journal.add(book.listing_failed(listed.failure))
        else:
            book.listed()

    def _taken(self, book: SourceBook, order: TakeOrder, outcome: Outcome) -> None:
        if outcome.text is None:
            result = failed_delivery(order.delivery, _broken(book.name, outcome))
        else:
            result = seen_by(self.journal.run_id, Taken.model_validate_json(outcome.text))
        delivery = order.delivery
        book.settled(result.periods, {str(delivery.billing_period): delivery.fingerprint})
        self.journal.add(result)


def _broken(source: str, outcome: Outcome) -> Failure:
    sentence = f"The work on {source} ended as {outcome.status} in the workflow database, without an answer."
    action = "The log of the worker that did it says why; the next run makes a new attempt."
    return Failure("WORKFLOW_FAILED", sentence, action, RetryClass.UNKNOWN)


@contextmanager
def durable_runner(
    store: RunStore, place: Workplace, database_url: str, slots: Slots, probe_after: timedelta
) -> Iterator[DurableRunner]:
    """Give a runner, with this process as a worker of the ledger as long as it lasts.

    Raises MissingExtraError without the extra ``durable``, LedgerError where the workflow database cannot be used.
    """
    with opened(place, database_url, slots) as workflows:
        yield DurableRunner(store, workflows, place, probe_after)
