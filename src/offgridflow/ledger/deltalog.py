"""The door to delta-rs: heads of tables, and commits that land at exactly the next version or not at all.

Three facts of deltalake 1.6 shape this module. With ``max_commit_retries=0`` a commit succeeds only as version n+1 of
the version n that was read: a compare-and-set on the whole table. And paths are percent-encoded once more in the log:
what ``get_add_actions`` returns is decoded once to become the path of the file. And opening a table costs some 15 ms
(on an object store a listing and several reads), while bringing an open one up to date costs a tenth: so each log keeps
one open table, and what a version names, which never changes, is read once.
"""

import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import unquote

from arro3.core import Table
from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from offgridflow.domain.errors import CommitUnknownError, LedgerError
from offgridflow.ledger.logfiles import entry_name, entry_versions, read_entries
from offgridflow.ledger.storage import Storage
from offgridflow.ledger.tables import TableSpec, delta_schema

META: Final = "offgridflow"
"""Key of our own entry in every Delta commit: what was done, for which partition, when, by which run."""

_DELTA_ERRORS: Final = (DeltaError, OSError)
_APPEND_RETRIES: Final = 200
_LISTED: Final = "/api/v1/history of `offgridflow serve` tells what each did"

Mode = Literal["append", "overwrite"]
Meta = Mapping[str, object]


class ConflictError(LedgerError):
    """Another commit landed first; read again and decide anew. Never leaves this package."""


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A data file that a version of a table names. ``path`` is relative to the table, decoded."""

    path: str
    size_bytes: int
    partition: Mapping[str, str]
    low: str | None = None
    high: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """(source, billing period) of the file."""
        return self.partition["source"], self.partition["billing_period"]

    @property
    def commit_id(self) -> str:
        """The commit that wrote the file's rows."""
        return self.partition["commit_id"]


@dataclass(frozen=True)
class Head:
    """A table at a version."""

    version: int
    files: tuple[LiveFile, ...]

    def commits(self) -> Mapping[tuple[str, str], str]:
        """Return the live commit id of every (source, billing period).

        Raises LedgerError if a period is held twice, which no sequence of commits can bring about.
        """
        return self._commits

    @cached_property
    def _commits(self) -> Mapping[tuple[str, str], str]:
        found: dict[tuple[str, str], str] = {}
        for file in self.files:
            if found.setdefault(file.key, file.commit_id) != file.commit_id:
                source, period = file.key
                sentence = (
                    f"The ledger holds {source} {period} twice, as commits {found[file.key]} and {file.commit_id}."
                )
                raise LedgerError(sentence, action="Ingest that period again with --replace, and report this.")
        return MappingProxyType(found)


class DeltaLog:
    """The log of one table. Safe among threads: one at a time reads or writes through the open table.

    Args:
        storage: the place of the ledger.
        spec: the table.

    """

    def __init__(self, storage: Storage, spec: TableSpec) -> None:
        self.storage = storage
        self.spec = spec
        self._options = dict(storage.options) if storage.options else None
        self._lock = threading.RLock()
        self._kept: DeltaTable | None = None
        self._entry: bytes | None = None
        self._newest: Head | None = None

    def create(self, configuration: Mapping[str, str]) -> None:
        """Create the table unless it exists; safe to repeat and to race.

        Without retries: by default a lost race creates the table once more, as version 1.
        """
        if self.exists():
            return
        uri = self.storage.table_uri(self.spec.name)
        try:
            DeltaTable.create(
                uri,
                schema=delta_schema(self.spec),
                mode="ignore",
                partition_by=list(self.spec.partition_by),
                configuration=dict(configuration),
                storage_options=self._options,
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except _DELTA_ERRORS as error:
            if not self.exists():
                sentence = f"Cannot create the table {self.spec.name} in {self.storage.uri}: {first_line(error)}."
                raise LedgerError(sentence, action="Check permissions and free space.") from error

    def exists(self) -> bool:
        """Whether the table has a log; one that was seen is not asked for again."""
        with self._lock:
            return self._kept is not None or bool(entry_versions(self.storage, self.spec.name))

    def _open(self, version: int | None = None) -> DeltaTable:
        try:
            return DeltaTable(self.storage.table_uri(self.spec.name), version=version, storage_options=self._options)
        except TableNotFoundError as error:
            sentence = f"The ledger {self.storage.uri} has no table {self.spec.name}."
            raise LedgerError(sentence, action="Check the path, or restore from a backup.") from error
        except _DELTA_ERRORS as error:
            raise self._unreadable(error, version) from error

    def _unreadable(self, error: Exception, version: int | None = None) -> LedgerError:
        at = "" if version is None else f" at version {version}"
        sentence = f"Cannot read {self.spec.name} of the ledger {self.storage.uri}{at}: {first_line(error)}."
        return LedgerError(sentence, action=f"Read another version ({_LISTED}), or restore from a backup.")

    def _fresh(self) -> DeltaTable:
        """Return the one open table at the newest version. Call it with the lock held.

        It is opened anew where the entry of its version is not what it was: the log was put back from a backup.
        """
        kept, self._kept = self._kept, None
        if kept is not None and self._entry != self._read_entry(kept.version()):
            kept = self._newest = None
        known = None if kept is None else kept.version()
        if kept is not None:
            try:
                kept.update_incremental()
            except _DELTA_ERRORS:
                kept = known = None
        fresh = self._open() if kept is None else kept
        if fresh.version() != known:
            self._entry = self._read_entry(fresh.version())
        self._kept = fresh
        return fresh

    def _read_entry(self, version: int) -> bytes | None:
        return self.storage.read(entry_name(self.spec.name, version))

    def version(self) -> int:
        """Return the newest version."""
        with self._lock:
            return self._fresh().version()

    def head(self, version: int | None = None) -> Head:
        """Return the files of the newest version, or of an older one. Raises LedgerError if there is none such."""
        with self._lock:
            table = self._fresh()
            newest = table.version()
            if version is not None and version != newest:
                self._refuse_unknown(version, newest)
                return _head_of(self._open(version), self.spec)
            if self._newest is None or self._newest.version != newest:
                self._newest = _head_of(table, self.spec)
            return self._newest

    def _refuse_unknown(self, version: int, newest: int) -> None:
        """Ask delta-rs for no version that cannot be: it reads on and on towards one that is far off."""
        if not 0 <= version <= newest:
            sentence = f"{self.spec.name} of the ledger {self.storage.uri} has no version {version}."
            raise LedgerError(sentence, action=f"Give one from 0 to {newest}; {_LISTED}.")

    def entries(self, since: int = 0) -> list[dict[str, Any]]:
        """Return our entries of all commits after version ``since``, newest first, each with ``version``."""
        versions = range(self.version(), since, -1)
        told = read_entries(self.storage, self.spec.name, versions)
        return [{**_meta_of(actions), "version": version} for version, actions in zip(versions, told, strict=True)]

    def append(self, actions: Sequence[AddAction | RemoveAction], meta: Meta) -> None:
        """Add files, or remove named ones; appends do not disturb each other. Raises LedgerError if it cannot."""
        with self._lock:
            table = self._fresh()
            try:
                self._write(table, actions, "append", None, meta, retries=_APPEND_RETRIES)
            except _DELTA_ERRORS as error:
                self._kept = None
                raise self._failed(error) from error

    def swap(self, read: Head, actions: Sequence[AddAction], where: Mapping[str, str], meta: Meta) -> int:
        """Replace all files of the partitions that ``where`` selects, as version ``read.version + 1``.

        Raises ConflictError if another commit came first, LedgerError if nothing was written, and CommitUnknownError if
        it cannot be told. ``meta`` must hold an ``event`` of its own, by which the outcome is read back.
        """
        filters = [(name, "=", value) for name, value in where.items()]
        with self._lock:
            try:
                table = self._at(read.version)
                self._write(table, actions, "overwrite", filters, meta, retries=0)
            except (*_DELTA_ERRORS, LedgerError) as error:
                self._kept = None
                return self._read_back(read.version, str(meta["event"]), error)
        return read.version + 1

    def _at(self, version: int) -> DeltaTable:
        kept = self._kept
        return kept if kept is not None and kept.version() == version else self._open(version)

    def _write(
        self,
        table: DeltaTable,
        actions: Sequence[AddAction | RemoveAction],
        mode: Mode,
        filters: list[tuple[str, str, str]] | None,
        meta: Meta,
        *,
        retries: int,
    ) -> None:
        table.create_write_transaction(
            list(actions),
            mode,
            delta_schema(self.spec),
            partition_by=list(self.spec.partition_by),
            partition_filters=filters,
            commit_properties=CommitProperties(
                max_commit_retries=retries,
                custom_metadata={META: json.dumps(meta, sort_keys=True)},
            ),
        )

    def _read_back(self, since: int, event: str, cause: Exception) -> int:
        """Find out what became of a commit that failed or whose answer was lost; return its version if it landed."""
        try:
            entries = self.entries(since)
        except LedgerError as error:
            sentence = f"It is not known whether commit {event} landed in {self.storage.uri}, which cannot be read."
            raise CommitUnknownError(sentence, action="Run the same command again when it can.") from error
        landed = [entry["version"] for entry in entries if entry.get("event") == event]
        if landed:
            return int(landed[0])
        if entries:
            sentence = f"Another commit reached the ledger {self.storage.uri} first."
            raise ConflictError(sentence, action="Run it again.") from cause
        raise self._failed(cause) from cause

    def _failed(self, error: Exception) -> LedgerError:
        if isinstance(error, LedgerError):
            return error
        busy = isinstance(error, CommitFailedError)
        action = "Run it again." if busy else "Nothing was committed. Check permissions and free space."
        return LedgerError(f"Cannot write {self.spec.name} of {self.storage.uri}: {first_line(error)}.", action=action)


def _meta_of(actions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    raw = next((action["commitInfo"].get(META) for action in actions if "commitInfo" in action), None)
    found = json.loads(raw) if isinstance(raw, str) else {}
    return found if isinstance(found, dict) else {}


def _head_of(table: DeltaTable, spec: TableSpec) -> Head:
    return Head(table.version(), _files_of(table, spec))


def _files_of(table: DeltaTable, spec: TableSpec) -> tuple[LiveFile, ...]:
    actions = Table.from_arrow(table.get_add_actions(flatten=True))
    if actions.num_rows == 0:
        return ()
    paths, sizes = actions.column("path").to_pylist(), actions.column("size_bytes").to_pylist()
    partitions = [actions.column(f"partition.{name}").to_pylist() for name in spec.partition_by]
    lows, highs = (_bounds(actions, f"{end}.commit_id") for end in ("min", "max"))
    return tuple(
        LiveFile(
            path=unquote(path),
            size_bytes=sizes[at],
            partition={name: values[at] for name, values in zip(spec.partition_by, partitions, strict=True)},
            low=lows[at],
            high=highs[at],
        )
        for at, path in enumerate(paths)
    )


def _bounds(actions: Table, name: str) -> list[str | None]:
    return actions.column(name).to_pylist() if name in actions.column_names else [None] * actions.num_rows


_ANSI: Final = re.compile(r"\x1b\[[0-9;]*m|\u21b3")


def first_line(error: Exception) -> str:
    """Return an error of delta-rs as one plain line: what failed and why, no colours, no traceback."""
    lines = [_ANSI.sub("", line).strip() for line in str(error).partition("Traceback")[0].splitlines()]
    plain = [line for line in lines if line and not _FRAME.match(line)]
    shown = plain if len(plain) <= _SHOWN else [plain[0], plain[-1]]
    return (": ".join(shown) or type(error).__name__).rstrip(".")


_FRAME: Final = re.compile(r"at |\d+: ")
_SHOWN: Final = 2
