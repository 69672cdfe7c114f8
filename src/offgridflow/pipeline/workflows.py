"""Durable workflows through DBOS: a queue that all workers of a ledger take from, and what is left by dead ones.

The workflow database says how far a piece of work got; what is committed, the ledger alone says. Losing the database
loses what waits in the queue, which the next run orders anew.
"""

import importlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import Event as Flag
from threading import Lock, Thread
from typing import Any, Final

from offgridflow.cloud import logs
from offgridflow.cloud.redact import redact_text
from offgridflow.domain.errors import LedgerError, MissingExtraError, OffGridFlowError
from offgridflow.pipeline import steps
from offgridflow.pipeline.locks import lock_name
from offgridflow.pipeline.orders import Listed, ListOrder, TakeOrder
from offgridflow.pipeline.slots import Slots
from offgridflow.pipeline.steps import STEPS_VERSION, Workplace

_logger = logging.getLogger(f"{logs.LOGGER_NAME}.workflows")
_LIST: Final = "list"
_TAKE: Final = "take"
_MOST_DEATHS: Final = 8
"""A piece of work that so many workers died of is not taken up again by itself; the next run makes a new attempt."""
_POLL_SECONDS: Final = 0.2
_KEPT_FOR: Final = timedelta(days=30)
_DELETED_AT_ONCE: Final = 500
_LONGEST_WAIT_SECONDS: Final = 7 * 86_400
_LIVE: Final = frozenset({"PENDING", "ENQUEUED", "DELAYED"})
_ENDED: Final = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
_ONE_PER_PROCESS: Final = Lock()


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a workflow ended: ``text`` is what it gave, None where it gave nothing and ``status`` says how it ended."""

    status: str
    text: str | None


class Workflows:
    """The workflows of one ledger, as one worker sees them. Made by ``opened``, one per process at a time.

    ``closed`` ends the watch.

    Args:
        dbos: the package.
        place: what this worker brings.
        slot: the name that its work is owned under.
        slots: the slots of all workers.

    """

    def __init__(self, dbos: Any, place: Workplace, slot: str, slots: Slots) -> None:  # noqa: ANN401 - a late import
        self._package = dbos
        self._dbos = dbos.DBOS
        self._place = place
        self._slot = slot
        self._slots = slots
        self.closed = Flag()
        self._working: set[str] = set()
        self.ledger_id = place.shared.ledger.marker.ledger_id
        self.name = f"offgridflow-{self.ledger_id}"

    def launch(self, database_url: str, serializer: Any) -> None:  # noqa: ANN401 - see _serializer
        """Register the workflows, begin to take from the queue, and take up what this slot's last worker left."""
        config = {
            "name": self.name,
            "system_database_url": database_url,
            "executor_id": self._slot,
            "application_version": STEPS_VERSION,
            "serializer": serializer,
            "log_level": "WARNING",
            "use_listen_notify": False,
            "sys_db_pool_size": 5,
        }
        dbos = self._dbos
        dbos(config=config)
        for name, body in ((_LIST, self._list), (_TAKE, self._take)):
            dbos.workflow(name=name, max_recovery_attempts=_MOST_DEATHS - 1)(_plain(body))
        dbos.launch()
        dbos.register_queue(
            self.name,
            worker_concurrency=1,  # the limits of the settings are those of one piece of work
            partition_concurrency=1,  # one worker per account
            polling_interval_sec=_POLL_SECONDS,
            on_conflict="always_update",
        )
        self._sweep()

    def order(self, source: str, order: ListOrder) -> str:
        """Queue a listing; return the id of its workflow. It is new for each run: what was published since counts."""
        workflow_id = f"{self.ledger_id}/{source}/list/{order.run_id}"
        self._enqueue(_LIST, workflow_id, source, order.model_dump_json())
        return workflow_id

    def ended(self, workflow_ids: Sequence[str]) -> dict[str, Outcome]:
        """Return the outcomes of those workflows that have ended."""
        rows = self._dbos.list_workflows(workflow_ids=list(workflow_ids), load_input=False)
        return {row.workflow_id: Outcome(row.status, row.output) for row in rows if row.status not in _LIVE}

    def watch(self) -> None:
        """Give back to the queue what dead workers left, again and again, until this one is closed."""
        with ExitStack() as stack:
            while not self.closed.wait(self._place.watch_seconds):
                try:
                    with _database_errors(self._package):
                        self._keep_slot(stack)
                        self.recover()
                except OffGridFlowError as error:
                    fields = {"error_code": error.code, "sentence": error.sentence}
                    _logger.warning("dead workers could not be looked for", extra={"fields": fields})

    def _keep_slot(self, stack: ExitStack) -> None:
        """Hold the slot again where the server lost our session; ``stack`` holds it from then on."""
        with ExitStack() as trial:
            if trial.enter_context(self._slots.tried(self._slot)):
                stack.push(trial.pop_all())
                _logger.warning("slot was lost and is held again", extra={"fields": {"slot": self._slot}})

    def recover(self) -> None:
        """Give back to the queue what is owned by slots that nobody holds; end what is of another version of the steps.

        A slot is held while its work is given back, so that no new worker begins under its name meanwhile.
        """
        owned: dict[str, list[Any]] = {}
        for row in self._rows(status="PENDING"):
            if row.executor_id != self._slot:
                owned.setdefault(str(row.executor_id), []).append(row)
        for slot, rows in owned.items():
            with self._slots.tried(slot) as is_dead:
                if is_dead:
                    self._end_other_versions(rows)
                    self._dbos._recover_pending_workflows([slot])  # noqa: SLF001 - resume_workflow forgets the deaths

    def close(self) -> None:
        """Take nothing more from the queue, finish what is at hand, and let go."""
        wait = _LONGEST_WAIT_SECONDS if self._working else 0
        self._dbos.destroy(destroy_registry=True, workflow_completion_timeout_sec=wait)

    def _list(self, text: str) -> str:
        order = ListOrder.model_validate_json(text)
        with self._at_work(f"{order.run_id} {order.source}"):
            listed: str = self._dbos.run_step(
                {"name": "list"},
                lambda: steps.list_source(self._place, order, self._next_attempt).model_dump_json(),
            )
            for placed in Listed.model_validate_json(listed).placed:
                self._enqueue(_TAKE, placed.workflow_id, order.source, placed.order.model_dump_json())
            return listed

    def _take(self, text: str) -> str:
        order = TakeOrder.model_validate_json(text)
        with self._at_work(f"{order.run_id} {order.source} {order.delivery.billing_period}"):
            failed: str | None = self._dbos.run_step({"name": "fetch"}, lambda: _dumped(self._place, order))
            if failed is not None:
                return failed
            taken: str = self._dbos.run_step(
                {"name": "commit"}, lambda: steps.commit(self._place, order).model_dump_json()
            )
            return taken

    @contextmanager
    def _at_work(self, what: str) -> Iterator[None]:
        self._working.add(what)
        try:
            yield
        finally:
            self._working.discard(what)

    def _next_attempt(self, key: str) -> str:
        """Return the id of the live attempt at a piece of work, else of a new one: an ended id would answer for ever.

        Whether the work is needed at all, the ledger said before.
        """
        newest, status, version = 0, "", ""
        for row in self._rows(workflow_id_prefix=f"{key}/"):
            prefix, _, number = row.workflow_id.rpartition("/")
            if prefix == key and number.isdigit() and int(number) > newest:
                newest, status, version = int(number), row.status, row.app_version
        if status in _LIVE and version == STEPS_VERSION:
            return f"{key}/{newest}"
        return f"{key}/{newest + 1}"

    def _enqueue(self, name: str, workflow_id: str, source: str, text: str) -> None:
        options = {
            "workflow_name": name,
            "queue_name": self.name,
            "workflow_id": workflow_id,
            "app_version": STEPS_VERSION,
            "queue_partition_key": lock_name(self._place.sources[source]),
        }
        self._dbos.enqueue_workflow_with_options(options, text)

    def _rows(self, **which: object) -> list[Any]:
        rows: list[Any] = self._dbos.list_workflows(
            **which, application_name=self.name, load_input=False, load_output=False
        )
        return rows

    def _end_other_versions(self, rows: Sequence[Any]) -> None:
        old = [row.workflow_id for row in rows if row.app_version != STEPS_VERSION]
        if old:
            self._dbos.cancel_workflows(old)

    def _sweep(self) -> None:
        """End what this slot's last worker left under other steps, and forget what ended long ago."""
        self._end_other_versions([row for row in self._rows(status="PENDING") if row.executor_id == self._slot])
        before = (self._place.shared.ports.now() - _KEPT_FOR).isoformat()
        self._end_other_versions(self._rows(status="ENQUEUED", end_time=before))
        rows = self._rows(status=list(_ENDED), completed_before=before, limit=_DELETED_AT_ONCE)
        if rows:
            self._dbos.delete_workflows([row.workflow_id for row in rows])


@contextmanager
def opened(place: Workplace, database_url: str, slots: Slots) -> Iterator[Workflows]:
    """Give the workflows of a ledger, with this process as one of its workers; in the end finish what is at hand.

    Raises:
        MissingExtraError: DBOS is not installed.
        LedgerError: the database cannot be used.

    """
    dbos = _package()
    with _ONE_PER_PROCESS, slots.taken() as slot, _heard():
        workflows = Workflows(dbos, place, slot, slots)
        watcher = Thread(target=workflows.watch, name="offgridflow-watcher")
        try:
            with _database_errors(dbos):
                workflows.launch(database_url, _serializer(dbos))
            watcher.start()
            with _database_errors(dbos):
                yield workflows
        finally:
            workflows.closed.set()
            if watcher.is_alive():
                watcher.join()
            workflows.close()


def _package() -> Any:  # noqa: ANN401 - loaded late: it takes half a second
    try:
        return importlib.import_module("dbos")
    except ModuleNotFoundError:
        sentence = "run.runner is 'dbos', and the package dbos is not installed."
        raise MissingExtraError(sentence, action="Run: pip install 'offgridflow[durable]'") from None


@contextmanager
def _database_errors(dbos: Any) -> Iterator[None]:  # noqa: ANN401 - see _package
    database_error = importlib.import_module("sqlalchemy.exc").SQLAlchemyError
    try:
        yield
    except (database_error, dbos.error.DBOSException) as error:
        sentence = f"The workflow database cannot be used: {redact_text(str(error)).splitlines()[0]}."
        action = "Check run.database_url and the server; no figure depends on this database."
        raise LedgerError(sentence, action=action, code="WORKFLOW_DATABASE") from None


def _dumped(place: Workplace, order: TakeOrder) -> str | None:
    failed = steps.fetch(place, order)
    return None if failed is None else failed.model_dump_json()


def _plain(body: Callable[[str], str]) -> Callable[[str], str]:
    """Return a function of its own, as DBOS wants one, for a bound method."""

    def workflow(text: str) -> str:
        return body(text)

    return workflow


def _serializer(dbos: Any) -> Any:  # noqa: ANN401 - see _package
    """Return what writes to the database: JSON alone, never a pickle, and of an error its kind and a clean sentence."""

    class Plain(dbos.Serializer):  # type: ignore[misc]  # the base is loaded late
        def name(self) -> str:
            return "offgridflow_json"

        def serialize(self, data: object) -> str:
            if isinstance(data, BaseException):
                return json.dumps({_ERROR: f"{type(data).__name__}: {redact_text(str(data))}"})
            return json.dumps(data)

        def deserialize(self, serialized_data: str) -> object:
            found = json.loads(serialized_data)
            if isinstance(found, Mapping) and _ERROR in found:
                return RuntimeError(found[_ERROR])
            return found

    return Plain()


_ERROR: Final = "offgridflow_error"


class _Forward(logging.Handler):
    """Hands records on to our log, where there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        if _logger.hasHandlers():
            _logger.handle(record)


@contextmanager
def _heard() -> Iterator[None]:
    """Take what DBOS logs into our own log; it would write to stderr in a form of its own."""
    theirs, forward = logging.getLogger("dbos"), _Forward()
    theirs.addHandler(forward)
    try:
        yield
    finally:
        theirs.removeHandler(forward)
