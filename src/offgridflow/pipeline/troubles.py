"""What went wrong last with each source, from the history of runs: what a reader of figures must know."""

from dataclasses import dataclass
from pathlib import Path

from offgridflow.ledger.storage import LocalStorage, storage_of
from offgridflow.pipeline.runs import INTERRUPTED, STATE_FOLDER, RunStore

_RUNS = 20
"""Newest runs that are looked at."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A source, or a billing period of it, that failed or was held in the newest run that tried the source.

    ``source`` None stands for a whole run that was killed.
    """

    source: str | None
    billing_period: str | None
    at: str
    sentence: str
    action: str


def history_at(ledger_uri: str, chosen: Path | None = None) -> RunStore | None:
    """Return the history of a ledger's runs: in the chosen folder, else the ledger's own; None where it has none."""
    if chosen is not None:
        return RunStore(chosen)
    storage = storage_of(ledger_uri)
    return RunStore(storage.root / STATE_FOLDER) if isinstance(storage, LocalStorage) else None


def troubles_of(store: RunStore) -> list[Trouble]:
    """Return what fails now, by source and period. Nothing is written where no run was ever begun.

    Raises LedgerError where the history cannot be read.
    """
    if not (store.folder / "runs.sqlite").is_file():
        return []
    found: list[Trouble] = []
    seen: set[str] = set()
    for place, run in enumerate(store.newest(_RUNS)):
        if place == 0 and run["status"] == INTERRUPTED:
            action = "Start it again: what is committed stays, the rest is done anew."
            found.append(Trouble(None, None, run["started_at"], "The newest run was killed before it ended.", action))
        steps = [step for step in store.get(run["run_id"])["steps"] if step["source"] not in seen]
        seen |= {step["source"] for step in steps}
        found += [_trouble(step) for step in steps if step["status"] in {"failed", "held"}]
    return found


def _trouble(step: dict[str, str | None]) -> Trouble:
    return Trouble(
        step["source"],
        step["billing_period"] or None,
        str(step["at"]),
        step["sentence"] or "It failed.",
        step["action"] or "See 'offgridflow runs show latest'.",
    )
