"""The tables beside ``emissions``: appended to before the commit point, counted by commit id after it."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

from offgridflow.domain.model import Rate
from offgridflow.ledger.deltalog import DeltaLog, LiveFile
from offgridflow.ledger.rate_rows import write_rates
from offgridflow.ledger.records import LiveCommit
from offgridflow.ledger.rows import (
    ArrowStream,
    add_action,
    commit_row,
    read_commits,
    write_rows,
    write_stream,
)
from offgridflow.ledger.staging import Staging
from offgridflow.ledger.storage import Storage
from offgridflow.ledger.tables import COMMITS, QUARANTINE, RATES, TABLES

RateRows = Sequence[Rate] | ArrowStream


class SideTables:
    """Rates, quarantine and commits.

    Args:
        storage: the place of the ledger.
        clock: gives the present instant.
        random_hex: gives a new random name.

    """

    def __init__(self, storage: Storage, clock: Callable[[], datetime], random_hex: Callable[[], str]) -> None:
        self.storage = storage
        self.logs = {name: DeltaLog(storage, TABLES[name]) for name in (RATES, QUARANTINE, COMMITS)}
        self._clock = clock
        self._random_hex = random_hex
        self._known: dict[str, LiveCommit] = {}

    def append_rates(self, staging: Staging, rates: RateRows) -> None:
        """Append the rates of a commit to be."""
        path = staging.new_file(RATES, 0)
        count = write_rates(rates, path) if isinstance(rates, Sequence) else write_stream(TABLES[RATES], rates, path)
        self._append_partition(RATES, staging, path, count)

    def append_quarantine(self, staging: Staging, lines: ArrowStream) -> None:
        """Append the quarantined lines of a commit to be."""
        path = staging.new_file(QUARANTINE, 0)
        count = write_stream(TABLES[QUARANTINE], lines, path)
        self._append_partition(QUARANTINE, staging, path, count)

    def _append_partition(self, table: str, staging: Staging, path: Path, count: int) -> None:
        name = f"{path.parents[2].name}/{path.parents[1].name}/{path.parent.name}/{path.name}"
        if count == 0:
            self.storage.discard(table, name)
            return
        action = add_action(path, name, staging.partition, self._now_ms())
        self.storage.publish(table, name)
        self.logs[table].append([action], {"action": "append", **staging.partition})

    def append_commit(self, commit: LiveCommit, attempt: int) -> None:
        """Append the row of a commit to be."""
        name = f"{commit.commit_id}-{attempt}-{self._random_hex()}.parquet"
        path = self.storage.staging_path(COMMITS, name)
        write_rows(TABLES[COMMITS], [commit_row(commit, attempt)], path)
        action = add_action(path, name, {}, self._now_ms())
        self.storage.publish(COMMITS, name)
        self.logs[COMMITS].append([action], {"action": "append", "commit_id": commit.commit_id})

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)

    def commits(self, wanted: Iterable[str]) -> dict[str, LiveCommit]:
        """Return the rows of live commits, by commit id; those without a row are absent.

        What is live never changes, so rows are read once.
        """
        ids = set(wanted)
        missing = ids - self._known.keys()
        if missing:
            files = may_hold(self.logs[COMMITS].head().files, missing)
            self._known.update(read_commits(self.paths(COMMITS, files), missing))
        return {commit_id: self._known[commit_id] for commit_id in ids if commit_id in self._known}

    def paths(self, table: str, files: Iterable[LiveFile]) -> list[Path]:
        """Return local paths of files of a table."""
        return self.storage.local_paths(table, [(file.path, file.size_bytes) for file in files])


def may_hold(files: Iterable[LiveFile], wanted: Iterable[str]) -> list[LiveFile]:
    """Return the files of ``commits`` that may hold the rows of those commit ids, by the bounds in the log."""
    ids = sorted(wanted)
    return [file for file in files if _overlaps(file, ids)]


def _overlaps(file: LiveFile, ids: Sequence[str]) -> bool:
    """Whether one of the sorted ids lies within the bounds of a file; one whose bounds are not told may hold any."""
    if file.low is None or file.high is None:
        return True
    first = bisect_left(ids, file.low)
    return first < len(ids) and ids[first] <= file.high
