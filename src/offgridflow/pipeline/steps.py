"""The steps of durable runs: list a source, fetch a delivery, commit it. Each is safe to do twice, and at once.

What a step gives is all that a later one needs of it, on whatever machine that runs: a part that is not in the cache
there is fetched again, and a commit that landed is found in the ledger.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import Connector, RefusedDelivery
from offgridflow.connectors.reports import ReportConnector
from offgridflow.domain.errors import OffGridFlowError, UsageError
from offgridflow.domain.identity import digest_of
from offgridflow.methodology.recipe import METHODOLOGY_VERSION
from offgridflow.pipeline.disk import local_disk
from offgridflow.pipeline.journal import Gatekeeper, resolved
from offgridflow.pipeline.locks import Locks, lock_name
from offgridflow.pipeline.model import IngestResult
from offgridflow.pipeline.orders import Known, Listed, ListOrder, Placed, Taken, TakeOrder, Terms
from offgridflow.pipeline.period import read_back
from offgridflow.pipeline.plan import failure_of
from offgridflow.pipeline.recipe import Kitchen
from offgridflow.pipeline.reported import ingest_reports
from offgridflow.pipeline.sources import (
    Connect,
    SourceRun,
    discovered,
    failed_delivery,
    ingest_delivery,
    known_of,
    nothing_found,
    refused_delivery,
    settings_at_grain,
    surroundings_of,
)

STEPS_VERSION: Final = "offgridflow-steps-1"
"""Changes when what a step takes, gives or does changes, and with nothing else: work is resumed within one version."""

WATCH_SECONDS: Final = 2.0

NextAttempt = Callable[[str], str]
"""Gives the workflow id of the attempt at a delivery that is live, or else of the next one, by its key."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a worker brings: its settings of the sources, its ledger, kitchen, door and folders, and the locks.

    Each ``watch_seconds`` it looks for work that dead workers left.
    """

    sources: Mapping[str, Mapping[str, Any]]
    shared: SourceRun
    make: Connect
    locks: Locks
    watch_seconds: float = WATCH_SECONDS

    def digest(self, source: str) -> str:
        """Return the digest of everything here that the figures of a source depend on, beside the order itself."""
        settings = sorted((key, repr(value)) for key, value in self.sources[source].items())
        return digest_of([settings, _kitchen_digest(self.shared.kitchen)])

    def run_for(self, run_id: str, terms: Terms) -> SourceRun:
        """Return the run of an order, with this worker's limits and folders."""
        options = replace(self.shared.options, **terms.model_dump())
        return replace(self.shared, options=options, ports=replace(self.shared.ports, run_id=run_id))

    @contextmanager
    def alone(self, order: ListOrder | TakeOrder) -> Iterator[None]:
        """Hold the account of an order's source, which all its calls count against.

        Raises UsageError where this worker has other settings of it than were meant, BusyError.
        """
        if order.source not in self.sources or self.digest(order.source) != order.digest:
            sentence = f"A worker with other settings of {order.source} than the run's took its work."
            raise UsageError(sentence, action="Give all workers of a ledger the same settings.", code="SETTINGS_DIFFER")
        with self.locks.hold(lock_name(self.sources[order.source])):
            yield

    def connector(self, run: SourceRun, source: str) -> Any:  # noqa: ANN401 - a Connector or a ReportConnector
        """Return the connector of a source."""
        return self.make(
            settings_at_grain(source, self.sources[source], run.kitchen.grain), surroundings_of(run, source)
        )


def _kitchen_digest(kitchen: Kitchen) -> str:
    grain = kitchen.grain
    return digest_of(
        [
            *(kitchen.factors.name, kitchen.factors.digest, METHODOLOGY_VERSION, kitchen.recipe.digest),
            *(grain.period, grain.resources, list(grain.tag_keys)),
        ]
    )


def list_source(place: Workplace, order: ListOrder, next_attempt: NextAttempt) -> Listed:
    """Find out what there is to take. A provider's own report is taken at once: its months are few and small.

    Where the listing fails half-way, what it had found until then counts.
    """
    run = place.run_for(order.run_id, order.terms)
    gate = Gatekeeper(order.held)
    found: list[Known | Placed] = []
    failure = None
    try:
        with local_disk(order.source), place.alone(order):
            connector = place.connector(run, order.source)
            found.extend(  # what came before an error stays
                each if isinstance(each, Known) else _placed(run, each, next_attempt)
                for each in _looked_through(run, order, connector, gate)
            )
    except OffGridFlowError as error:
        failure = failure_of(error)
    if failure is None and not found:
        found.append(Known(result=nothing_found(run, order.source), is_untried=False))
    known = tuple(each for each in found if isinstance(each, Known))
    placed = tuple(each for each in found if isinstance(each, Placed))
    return Listed(fingerprints=gate.fingerprints, known=known, placed=placed, failure=failure)


def _looked_through(
    run: SourceRun, order: ListOrder, connector: Connector | ReportConnector, gate: Gatekeeper
) -> Iterator[Known | TakeOrder]:
    if isinstance(connector, ReportConnector):
        for result in ingest_reports(run, order.source, connector, gate):
            yield Known(result=result, is_untried=gate.kept_out())
        return
    about = {"run_id": order.run_id, "source": order.source, "digest": order.digest, "terms": order.terms}
    live = run.ledger.live()
    for each in discovered(run, connector):
        if isinstance(each, RefusedDelivery):
            yield Known(result=refused_delivery(each))
            continue
        known = known_of(run, live, each, gate)
        if known is not None:
            yield Known(result=known, is_untried=gate.kept_out())
        else:
            yield TakeOrder.model_validate({**about, "delivery": each})


def _placed(run: SourceRun, order: TakeOrder, next_attempt: NextAttempt) -> Placed:
    return Placed(workflow_id=next_attempt(delivery_key(run, order)), order=order)


def delivery_key(run: SourceRun, order: TakeOrder) -> str:
    """Return what names the work on a delivery: ledger, source, period, and a digest of what its figures depend on."""
    delivery = order.delivery
    content = [delivery.fingerprint, order.digest, order.terms.model_dump(exclude={"first_period", "last_period"})]
    where = f"{run.ledger.marker.ledger_id}/{order.source}/{delivery.billing_period}"
    return f"{where}/{digest_of(content)[:16]}"


def fetch(place: Workplace, order: TakeOrder) -> Taken | None:
    """Bring the parts of a delivery into the cache; return what became of it where that fails, else None."""
    run = place.run_for(order.run_id, order.terms)
    try:
        with local_disk(f"{order.source} {order.delivery.billing_period}"), place.alone(order):
            place.connector(run, order.source).fetch(order.delivery, Cache(run.cache_folder))
    except OffGridFlowError as error:
        return Taken(run_id=order.run_id, result=failed_delivery(order.delivery, failure_of(error)))
    return None


def commit(place: Workplace, order: TakeOrder) -> Taken:
    """Aggregate, rate and commit a delivery, or find that it is committed, by this run or another."""
    run = place.run_for(order.run_id, order.terms)
    try:
        with place.alone(order):
            result = _done(run, order) or ingest_delivery(run, place.connector(run, order.source), order.delivery)
    except OffGridFlowError as error:
        result = failed_delivery(order.delivery, failure_of(error))
    return Taken(run_id=order.run_id, result=resolved(result, run.ledger, order.run_id))


def _done(run: SourceRun, order: TakeOrder) -> IngestResult | None:
    """Return what this run committed of the delivery before it was cut off, None where it did not."""
    live = run.ledger.live().get((order.source, str(order.delivery.billing_period)))
    if live is None or (live.run_id, live.fingerprint) != (order.run_id, order.delivery.fingerprint):
        return None
    return IngestResult(tuple(read_back(run.ledger, [live], "committed")))


def seen_by(run_id: str, taken: Taken) -> IngestResult:
    """Return what a run that waited for a delivery says of it: what was committed for another run is unchanged here."""
    if taken.run_id == run_id:
        return taken.result
    periods = (
        replace(each, status="unchanged") if each.status == "committed" else each for each in taken.result.periods
    )
    return replace(taken.result, periods=tuple(periods))
