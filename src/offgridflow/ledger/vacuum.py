"""Which files nobody can need any more, and their removal.

A file of ``emissions`` is needed while a version that is newest, pinned, or younger than the retention names it. A file
of ``rates`` or ``quarantine`` is needed while its commit id stands in such a version. Logs are never cut: they are
small, and they are the ledger's history.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Final
from urllib.parse import unquote

from deltalake.transaction import RemoveAction

from offgridflow.domain.reported import REPORTED
from offgridflow.ledger.deltalog import LiveFile
from offgridflow.ledger.ledger import Ledger
from offgridflow.ledger.logfiles import entry_versions, read_entries
from offgridflow.ledger.maintain import pins
from offgridflow.ledger.storage import Storage, StoredFile
from offgridflow.ledger.tables import COMMITS, EMISSIONS, QUARANTINE, RATES, TABLES

GRACE: Final = timedelta(days=7)
"""A file that no log names may belong to a commit under way, and a repacked one to a reader: they stay this long."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What ``vacuum`` deleted, or would delete: paths with their table, and their size."""

    paths: tuple[str, ...]
    size_bytes: int


@dataclass(slots=True)
class Scanned:
    """All that a log ever said of files: paths that it names, with the commit id; and when it took them out (ms)."""

    commit_ids: dict[str, str | None] = field(default_factory=dict)
    removed_ms: dict[str, int] = field(default_factory=dict)


def scan_log(storage: Storage, table: str) -> Scanned:
    """Read every entry of a table's log."""
    scanned = Scanned()
    for action in chain.from_iterable(read_entries(storage, table, entry_versions(storage, table))):
        added, removed = action.get("add"), action.get("remove")
        if added is not None:
            path = unquote(added["path"])
            scanned.commit_ids[path] = added["partitionValues"].get("commit_id")
            scanned.removed_ms.pop(path, None)
        if removed is not None:
            scanned.removed_ms[unquote(removed["path"])] = int(removed["deletionTimestamp"])
    return scanned


def orphans(ledger: Ledger) -> list[tuple[str, StoredFile]]:
    """Return files that no log has ever named, with their table: left by a crash, or of a commit under way."""
    return unnamed_files(ledger.storage)


def unnamed_files(storage: Storage) -> list[tuple[str, StoredFile]]:
    """Return files that no log has ever named, with their table."""
    found: list[tuple[str, StoredFile]] = []
    for table in TABLES:
        named = scan_log(storage, table).commit_ids
        found.extend((table, file) for file in storage.files(table) if file.path not in named)
    return found


def vacuum(
    ledger: Ledger,
    *,
    retention: timedelta | None = None,
    grace: timedelta = GRACE,
    dry_run: bool = False,
) -> Swept:
    """Delete the files that no reader of a kept version can need.

    Args:
        ledger: the ledger.
        retention: how long versions stay readable after they were replaced; the ledger's own where None.
        grace: how long a file without an entry in a log stays. Must be longer than the longest run.
        dry_run: only say what would go.

    """
    now = ledger.world.clock()
    kept = now - (timedelta(days=ledger.marker.retention_days) if retention is None else retention)
    log = scan_log(ledger.storage, EMISSIONS)
    pinned = {file.path for version in pins(ledger).values() for file in ledger.emissions.head(version).files}
    gone = {path for path, at in log.removed_ms.items() if at < _ms(kept) and path not in pinned}
    needed = {commit_id for path, commit_id in log.commit_ids.items() if path not in gone}
    doomed = [(EMISSIONS, path) for path in gone]
    for table in (RATES, QUARANTINE):
        doomed += [(table, path) for path in _unneeded(ledger, table, needed, now - grace, dry_run=dry_run)]
    if not pinned:  # a pinned version shows the reports of its time, so these stay as long as there are pins
        reported = scan_log(ledger.storage, REPORTED).removed_ms
        doomed += [(REPORTED, path) for path, at in reported.items() if at < _ms(kept)]
    repacked = scan_log(ledger.storage, COMMITS).removed_ms
    doomed += [(COMMITS, path) for path, at in repacked.items() if at < _ms(now - grace)]
    doomed += [(table, file.path) for table, file in orphans(ledger) if file.modified_s < (now - grace).timestamp()]
    return _sweep(ledger.storage, doomed, dry_run=dry_run)


def _ms(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)


def _unneeded(ledger: Ledger, table: str, needed: set[str | None], before: datetime, *, dry_run: bool) -> list[str]:
    """Return files whose commit no kept version holds and that are old enough, and take them out of the log."""
    log = ledger.side.logs[table]
    stored = {file.path: file.modified_s for file in ledger.storage.files(table)}
    files = [
        file
        for file in log.head().files
        if file.commit_id not in needed and stored.get(file.path, 0.0) < before.timestamp()
    ]
    if files and not dry_run:
        at = _ms(ledger.world.clock())
        actions = [_removal(file, at) for file in files]
        log.append(actions, {"action": "vacuum", "at": ledger.world.clock().isoformat()})
    earlier = scan_log(ledger.storage, table).removed_ms
    return sorted({file.path for file in files} | set(earlier))


def _removal(file: LiveFile, at_ms: int) -> RemoveAction:
    return RemoveAction(
        path=file.path,
        data_change=True,
        deletion_timestamp=at_ms,
        size=file.size_bytes,
        partition_values=dict(file.partition),
    )


def _sweep(storage: Storage, doomed: list[tuple[str, str]], *, dry_run: bool) -> Swept:
    tables = {table for table, _ in doomed}
    sizes = {(table, file.path): file.size_bytes for table in tables for file in storage.files(table)}
    there = sorted(set(doomed) & sizes.keys())
    if not dry_run:
        for table, path in there:
            storage.discard(table, path)
    return Swept(tuple(f"{table}/{path}" for table, path in there), sum(sizes[each] for each in there))
