"""Runs that the API starts: asked once under an Idempotency-Key, done one after another in a thread, cancellable.

A run and the answer to its request are written in one transaction, so that a repeated request finds either both or
neither. A run that a stopped server left behind is marked ``interrupted`` at the next start: commits are atomic, so
asking again continues where it stopped.
"""

import hashlib
import json
import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

from offgridflow.api.problems import ApiError, Code
from offgridflow.domain.errors import OffGridFlowError
from offgridflow.reports.figures import to_json

if TYPE_CHECKING:
    from offgridflow.api.state import State
    from offgridflow.pipeline.model import Progress

KEPT_HOURS: Final = 24
ORIGIN: Final = "api"
"""Who asked, in the history of runs of sources."""


class RunState(StrEnum):
    """What became of a run."""

    QUEUED = "queued"
    RUNNING = "running"
    OK = "ok"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class RunCancelledError(Exception):
    """Leaves the pipeline, between two steps of it, when a run is cancelled.

    Args:
        result: what was done until then, where that is known.

    """

    def __init__(self, result: Mapping[str, object] | None = None) -> None:
        super().__init__("The run was cancelled.")
        self.result = result


class Ingest(Protocol):
    """Ingests the configured paths and returns the answer of design.md section 7."""

    def __call__(self, parameters: Mapping[str, object], progress: "Progress", /) -> Mapping[str, object]:
        """Do it. ``progress`` may raise RunCancelledError."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a request that starts a run, as it was first given; ``is_repeated`` where it is given again."""

    status: int
    body: str
    is_repeated: bool


def _now() -> datetime:
    return datetime.now(UTC)


class Runs:
    """The runs of one server.

    Args:
        state: where they are kept.
        ingest: does one.
        clock: the present instant.
        random_hex: a new run id.

    """

    def __init__(
        self,
        state: "State",
        ingest: Ingest,
        clock: Callable[[], datetime] = _now,
        random_hex: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._state = state
        self._ingest = ingest
        self._clock = clock
        self._random_hex = random_hex
        self._queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Mark what a stopped server left behind, and begin to work."""
        now = self._clock().isoformat()
        with self._state.transaction() as con:
            con.execute(
                "UPDATE runs SET state = ?, finished_at = ? WHERE state IN (?, ?)",
                (RunState.INTERRUPTED, now, RunState.QUEUED, RunState.RUNNING),
            )
        self._thread = threading.Thread(target=self._work, name="runs", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Cancel what runs, and end the thread."""
        if self._thread is None:
            return
        with self._state.transaction() as con:
            con.execute("UPDATE runs SET cancel_asked = 1 WHERE state IN (?, ?)", (RunState.QUEUED, RunState.RUNNING))
        self._queue.put(None)
        self._thread.join()
        self._thread = None

    def ask(self, caller: str, key: str, parameters: Mapping[str, object]) -> Answered:
        """Start a run, or give the answer again that the same caller got for this key in the last 24 hours.

        Raises ApiError IDEMPOTENCY_MISMATCH where the key came with other parameters.
        """
        said = json.dumps(parameters, sort_keys=True)
        digest = hashlib.sha256(said.encode()).hexdigest()
        now = self._clock()
        with self._state.transaction() as con:
            con.execute(
                "DELETE FROM idempotency WHERE created_at < ?", ((now - timedelta(hours=KEPT_HOURS)).isoformat(),)
            )
            known = con.execute("SELECT * FROM idempotency WHERE caller = ? AND key = ?", (caller, key)).fetchone()
            if known is not None:
                return _again(known, digest)
            run_id = self._random_hex()
            con.execute(
                "INSERT INTO runs (run_id, state, asked_by, parameters, created_at) VALUES (?, ?, ?, ?, ?)",
                (run_id, RunState.QUEUED, caller, said, now.isoformat()),
            )
            row = con.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            body = to_json(_shape(row), indent=None)
            con.execute(
                "INSERT INTO idempotency VALUES (?, ?, ?, ?, ?, ?)", (caller, key, digest, 202, body, now.isoformat())
            )
        self._queue.put(run_id)
        return Answered(202, body, is_repeated=False)

    def list(self) -> Sequence[dict[str, object]]:
        """Return all runs, the newest first."""
        with self._state.reading() as con:
            return [_shape(row) for row in con.execute("SELECT * FROM runs ORDER BY created_at DESC, run_id")]

    def get(self, run_id: str) -> dict[str, object]:
        """Return a run. Raises ApiError NOT_FOUND."""
        with self._state.reading() as con:
            row = con.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        if row is None:
            raise ApiError(Code.NOT_FOUND, "There is no such run.", action="GET /api/v1/runs lists all.")
        return _shape(row)

    def cancel(self, run_id: str) -> dict[str, object]:
        """Ask a run to stop at its next step; a queued one never begins. Raises ApiError NOT_FOUND or CONFLICT."""
        with self._state.transaction() as con:
            changed = con.execute(
                "UPDATE runs SET cancel_asked = 1 WHERE run_id = ? AND state IN (?, ?)",
                (run_id, RunState.QUEUED, RunState.RUNNING),
            ).rowcount
        run = self.get(run_id)
        if not changed:
            raise ApiError(Code.CONFLICT, f"The run is over: {run['state']}.", action="Start another one.")
        return run

    def _work(self) -> None:
        """Do one run after the other, each in a thread of its own, so that what nobody foresaw ends that one only."""
        while (run_id := self._queue.get()) is not None:
            doer = threading.Thread(target=self._do, args=(run_id,), name=f"run {run_id}", daemon=True)
            doer.start()
            doer.join()

    def _do(self, run_id: str) -> None:
        if self._is_cancelled(run_id):
            self._finish(run_id, RunState.CANCELLED)
            return
        with self._state.transaction() as con:
            con.execute(
                "UPDATE runs SET state = ?, started_at = ? WHERE run_id = ?",
                (RunState.RUNNING, self._clock().isoformat(), run_id),
            )
        parameters = self.get(run_id)["parameters"]
        told: tuple[RunState, Mapping[str, object] | None, OffGridFlowError | None] = (
            RunState.FAILED,
            None,
            ApiError(Code.INTERNAL, "Something went wrong that nobody foresaw.", action="See the server's log."),
        )
        try:
            result = self._ingest(parameters if isinstance(parameters, dict) else {}, self._listener(run_id))
            told = (RunState(str(result["status"])), result, None)
        except RunCancelledError as left:
            told = (RunState.CANCELLED, left.result, None)
        except OffGridFlowError as error:
            told = (RunState.FAILED, None, error)
        finally:  # what is not expected goes on to the thread's hook, and the run does not stay "running"
            self._finish(run_id, *told)

    def _listener(self, run_id: str) -> "Progress":
        def listen(stage: str, detail: str, done: int, total: int) -> None:
            if self._is_cancelled(run_id):
                raise RunCancelledError
            with self._state.transaction() as con:
                said = f"{stage} {done}/{total} {detail}".strip()
                con.execute("UPDATE runs SET stage = ? WHERE run_id = ?", (said, run_id))

        return listen

    def _is_cancelled(self, run_id: str) -> bool:
        with self._state.reading() as con:
            row = con.execute("SELECT cancel_asked FROM runs WHERE run_id = ?", (run_id,)).fetchone()
        return bool(row["cancel_asked"])

    def _finish(
        self,
        run_id: str,
        state: RunState,
        result: Mapping[str, object] | None = None,
        error: OffGridFlowError | None = None,
    ) -> None:
        told = None
        if error is not None:
            told = json.dumps({"code": error.code, "message": error.sentence, "action": error.action})
        with self._state.transaction() as con:
            con.execute(
                "UPDATE runs SET state = ?, finished_at = ?, result = ?, error = ? WHERE run_id = ?",
                (
                    state,
                    self._clock().isoformat(),
                    None if result is None else to_json(result, indent=None),
                    told,
                    run_id,
                ),
            )


def _again(known: sqlite3.Row, digest: str) -> Answered:
    if known["request_sha256"] != digest:
        raise ApiError(
            Code.IDEMPOTENCY_MISMATCH,
            "This Idempotency-Key came with other parameters before.",
            action="Use a new key for a new run.",
        )
    return Answered(known["status"], known["body"], is_repeated=True)


def _shape(row: sqlite3.Row) -> dict[str, object]:
    names = ("run_id", "state", "asked_by", "created_at", "started_at", "finished_at", "stage")
    nested = {
        name: json.loads(row[name], parse_float=Decimal) if row[name] else None
        for name in ("parameters", "result", "error")
    }
    return {**{name: row[name] for name in names}, "cancel_asked": bool(row["cancel_asked"]), **nested}
