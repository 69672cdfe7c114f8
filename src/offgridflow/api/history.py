"""Runs as the API lists them: those that it started, and those of the history (command line, schedule), as one list."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from offgridflow.api.problems import ApiError, Code
from offgridflow.api.runs import ORIGIN, Runs
from offgridflow.domain.errors import UsageError

if TYPE_CHECKING:
    from offgridflow.pipeline.runs import RunStore

MOST: Final = 1000
"""So many runs of the history are listed, the newest."""
_COUNTED: Final = ("committed", "unchanged", "failed", "held", "stopped")


class AllRuns:
    """The runs of a ledger, whoever started them.

    Args:
        own: those that this server started.
        history: the history of the ledger's runs; None where it has no place.

    """

    def __init__(self, own: Runs, history: "RunStore | None") -> None:
        self._own = own
        self._history = history

    def list(self) -> Sequence[dict[str, object]]:
        """Return all runs, the newest first. One that this server started stands once, as it was asked for."""
        own = self._own.list()
        shown = {_history_id(run) for run in own}
        store = self._history
        noted = [] if store is None else store.newest(MOST)
        others = [_shape(run) for run in noted if run["run_id"] not in shown and not _is_own(run)]
        return sorted([*own, *others], key=lambda run: str(run["created_at"]), reverse=True)

    def get(self, run_id: str) -> dict[str, object]:
        """Return a run with ``steps``: what it did with each period. Raises ApiError NOT_FOUND."""
        store = self._history
        if self._is_asked_here(run_id):
            run = self._own.get(run_id)
            noted = _history_id(run)
            steps = _steps(store, noted) if store is not None and noted is not None else []
            return {**run, "steps": steps}
        if store is not None and any(run["run_id"] == run_id for run in store.newest(MOST)):
            found = store.get(run_id)
            return {**_shape(found), "steps": found["steps"]}
        raise ApiError(Code.NOT_FOUND, "There is no such run.", action="GET /api/v1/runs lists all.")

    def cancel(self, run_id: str) -> dict[str, object]:
        """Ask a run of this server to stop. Raises ApiError NOT_FOUND, and CONFLICT for one of another process."""
        self.get(run_id)
        if not self._is_asked_here(run_id):
            sentence = "The run was not started by this server."
            raise ApiError(Code.CONFLICT, sentence, action="Stop the process that runs it (SIGTERM).")
        return self._own.cancel(run_id)

    def _is_asked_here(self, run_id: str) -> bool:
        return any(run["run_id"] == run_id for run in self._own.list())


def _is_own(run: Mapping[str, Any]) -> bool:
    """Whether a server began it: it is listed as the run that was asked for."""
    return str(run["origin"]) == ORIGIN


def _history_id(run: Mapping[str, object]) -> str | None:
    result = run["result"]
    found = result.get("run_id") if isinstance(result, Mapping) else None
    return found if isinstance(found, str) else None


def _steps(store: "RunStore", run_id: str) -> Sequence[Mapping[str, Any]]:
    try:
        steps: Sequence[Mapping[str, Any]] = store.get(run_id)["steps"]
    except UsageError:  # the history forgets what is older than run.history_days
        return []
    return steps


def _shape(run: Mapping[str, Any]) -> dict[str, object]:
    origin = run["origin"]
    return {
        "run_id": run["run_id"],
        "state": run["status"],
        "asked_by": "schedule" if origin == "schedule" else f"command line: {origin}",
        "created_at": run["started_at"],
        "started_at": run["started_at"],
        "finished_at": run["finished_at"],
        "stage": None,
        "cancel_asked": False,
        "parameters": run["options"],
        "result": {name: run[name] for name in _COUNTED},
        "error": None,
    }
