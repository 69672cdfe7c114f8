"""The table of the providers' own figures: its own head by (source, month), replaced month by month, each at once.

A month's rows are one file, and its head is what the newest version of the log names for (source, month). The digest of
the content and, where there is one, the digest of what lay upstream are partition values, so that "unchanged" is
answered from the log alone. Replaced files stay: every earlier version can be read.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from deltalake.transaction import AddAction

from offgridflow.domain.errors import LedgerError
from offgridflow.domain.identity import digest_of
from offgridflow.domain.reported import REPORTED, REPORTED_COLUMNS, ReportedEmission
from offgridflow.domain.sql import sql_list
from offgridflow.ledger.deltalog import ConflictError, DeltaLog, LiveFile
from offgridflow.ledger.records import CommitStatus
from offgridflow.ledger.rows import add_action, file_digest, write_rows
from offgridflow.ledger.staging import partition_path
from offgridflow.ledger.storage import Storage
from offgridflow.ledger.tables import TABLES, connect

if TYPE_CHECKING:
    from offgridflow.ledger.committing import World

_MOST_RACES: Final = 1_000
_WAIT_S: Final = 0.02
_NONE: Final = "-"
_LONGEST_NAME: Final = 240


@dataclass(frozen=True, slots=True)
class LiveReport:
    """What is live of a (source, month): the commit, and the digests of its content and of what lay upstream."""

    source: str
    month: str
    commit_id: str
    content_digest: str
    upstream_digest: str | None
    path: str
    size_bytes: int

    @property
    def committed_at(self) -> datetime:
        """When it was committed, to the second."""
        return datetime.strptime(self.commit_id.partition("-")[0], "%Y%m%dT%H%M%S%z")


@dataclass(frozen=True, slots=True)
class ReportedHead:
    """The table at a version; ``version`` is -1 for a ledger that has none yet."""

    version: int
    reports: Mapping[tuple[str, str], LiveReport]


@dataclass(frozen=True, slots=True)
class ReportCommit:
    """What a commit did, and the version of the table ``reported_emissions`` afterwards."""

    status: CommitStatus
    version: int
    commit_id: str


@dataclass(frozen=True, slots=True)
class MonthOfReport:
    """All rows of a (source, month), of all model versions and breakdowns that there are."""

    source: str
    month: str
    rows: Sequence[ReportedEmission]
    upstream_digest: str | None = None

    def __post_init__(self) -> None:
        if not self.source.strip() or len(self.source) > _LONGEST_NAME:
            sentence = f"The source name {self.source[:80]!r} is empty or too long."
            raise LedgerError(sentence, action=f"Use a name of 1 to {_LONGEST_NAME} characters.")
        strange = next((row.month for row in self.rows if row.month != self.month), None)
        if strange is not None:
            sentence = f"A row of {strange} stands among those of {self.source} {self.month}."
            raise LedgerError(sentence, action="Report this.")

    @property
    def digest(self) -> str:
        """Digest of the content, whatever the order of the rows."""
        rows = [[None if value is None else str(value) for value in row.values()] for row in self.rows]
        return digest_of(sorted(rows, key=str))


class ReportedTable:
    """The table ``reported_emissions`` of a ledger; made on the first commit where the ledger is older than it.

    Args:
        storage: the place of the ledger.
        world: clock, randomness, sleep, checkpoint.
        configuration: the Delta properties of the ledger's tables.

    """

    def __init__(self, storage: Storage, world: "World", configuration: Callable[[], Mapping[str, str]]) -> None:
        self._storage = storage
        self._world = world
        self._configuration = configuration
        self._log = DeltaLog(storage, TABLES[REPORTED])

    def version(self) -> int:
        """Return the newest version; -1 for a ledger that has no such table yet."""
        return self._log.version() if self._log.exists() else -1

    def head(self, version: int | None = None) -> ReportedHead:
        """Return what is live, or was at a version. Raises LedgerError for no such version, or a month held twice."""
        if not self._log.exists():
            return ReportedHead(-1, {})
        found = self._log.head(version)
        reports: dict[tuple[str, str], LiveReport] = {}
        for file in found.files:
            live = _live(file)
            if reports.setdefault((live.source, live.month), live) != live:
                sentence = f"The ledger holds the report {live.source} {live.month} twice."
                raise LedgerError(sentence, action="Ingest that source again, and report this.")
        return ReportedHead(found.version, dict(sorted(reports.items())))

    def head_at(self, instant: datetime) -> ReportedHead:
        """Return what was live at an instant; nothing where the table is younger."""
        if self._log.exists():
            for entry in self._log.entries(-1):
                if "at" not in entry or datetime.fromisoformat(str(entry["at"])) <= instant:
                    return self.head(int(entry["version"]))
        return ReportedHead(-1, {})

    def commit(self, report: MonthOfReport, *, run_id: str | None = None, again: bool = False) -> ReportCommit:
        """Make the rows the one live content of their (source, month), or find that it is so already.

        Equal rows that lie upstream as another object are committed, so that the next run knows that one by the log.
        ``again`` replaces what is live even where rows and object are the same.
        Raises LedgerError, and CommitUnknownError (run it again: it finds out).
        """
        self._log.create(self._configuration())
        commit_id = f"{self._world.clock():%Y%m%dT%H%M%SZ}-{self._world.random_hex()}"
        pending = _Pending(report, report.digest, commit_id, run_id)
        staged: _Staged | None = None
        for _ in range(_MOST_RACES):
            head = self.head()
            live = head.reports.get((report.source, report.month))
            if live is not None and not again and pending.is_live_as(live):
                if staged is not None:
                    self._storage.discard(REPORTED, pending.name)
                return ReportCommit("unchanged", head.version, live.commit_id)
            staged = staged or self._stage(pending)
            try:
                version = self._swap(head.version, pending, staged, live)
            except ConflictError:
                self._world.sleep(_WAIT_S)
                continue
            return ReportCommit("committed", version, commit_id)
        raise _busy()

    def forget(self, source: str, month: str | None = None, *, run_id: str | None = None) -> tuple[str, ...]:
        """Take a source, or one month of it, out of the table; return the months. Older versions still show them."""
        for _ in range(_MOST_RACES):
            head = self.head()
            months = tuple(key[1] for key in head.reports if key[0] == source and month in {None, key[1]})
            if not months:
                return ()
            where = {"source": source} | ({} if month is None else {"month": month})
            event = self._world.random_hex()
            meta = {"action": "forget", "event": event, **where, "months": list(months), "run_id": run_id}
            try:
                self._log.swap(self._log.head(head.version), [], where, {**meta, "at": self._world.clock().isoformat()})
            except ConflictError:
                self._world.sleep(_WAIT_S)
                continue
            return months
        raise _busy()

    def history(self) -> list[dict[str, Any]]:
        """Return what was done to the table, newest first: version, at, action, source, month, commit_id."""
        return self._log.entries(-1) if self._log.exists() else []

    def _stage(self, pending: "_Pending") -> "_Staged":
        path = self._storage.staging_path(REPORTED, pending.name)
        write_rows(TABLES[REPORTED], [row.values() for row in pending.report.rows], path)
        action = add_action(path, pending.name, pending.partition, int(self._world.clock().timestamp() * 1000))
        staged = _Staged(action, file_digest(path))
        self._storage.publish(REPORTED, pending.name)
        self._world.checkpoint("reported staged")
        return staged

    def _swap(self, version: int, pending: "_Pending", staged: "_Staged", live: LiveReport | None) -> int:
        meta = {
            "action": "commit",
            "event": pending.commit_id,
            **pending.partition,
            "replaced_commit_id": None if live is None else live.commit_id,
            "at": self._world.clock().isoformat(),
            "run_id": pending.run_id,
            "rows": len(pending.report.rows),
            "files": {pending.name: staged.digest},
        }
        where = {"source": pending.report.source, "month": pending.report.month}
        landed = self._log.swap(self._log.head(version), [staged.action], where, meta)
        self._world.checkpoint("reported")
        return landed


@dataclass(frozen=True, slots=True)
class _Staged:
    """The log entry and the SHA-256 of a file that is published."""

    action: AddAction
    digest: str


@dataclass(frozen=True, slots=True)
class _Pending:
    """A commit to be."""

    report: MonthOfReport
    digest: str
    commit_id: str
    run_id: str | None

    def is_live_as(self, live: LiveReport) -> bool:
        """Whether it would change nothing of what is live."""
        return (live.content_digest, live.upstream_digest) == (self.digest, self.report.upstream_digest)

    @property
    def partition(self) -> dict[str, str]:
        """The partition values of its file."""
        return {
            "source": self.report.source,
            "month": self.report.month,
            "commit_id": self.commit_id,
            "content_digest": self.digest,
            "upstream_digest": self.report.upstream_digest or _NONE,
        }

    @property
    def name(self) -> str:
        """The path of its file: of the partition, what a reader of the folder needs."""
        shown = {name: self.partition[name] for name in ("source", "month", "commit_id")}
        return f"{partition_path(shown)}/part-00000.parquet"


def _busy() -> LedgerError:
    sentence = f"The ledger was busy: {_MOST_RACES} times another commit came first."
    return LedgerError(sentence, action="Run it again.")


def _live(file: LiveFile) -> LiveReport:
    named = file.partition
    upstream = named["upstream_digest"]
    return LiveReport(
        named["source"],
        named["month"],
        named["commit_id"],
        named["content_digest"],
        None if upstream == _NONE else upstream,
        file.path,
        file.size_bytes,
    )


def view_of(storage: Storage, head: ReportedHead) -> str:
    """Return the query of the view ``reported_emissions`` of a head: REPORTED_COLUMNS, then ``commit_id``."""
    columns = {**REPORTED_COLUMNS, "commit_id": "VARCHAR"}
    if not head.reports:
        empty = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items())
        return f"SELECT {empty} WHERE false"
    paths = storage.local_paths(REPORTED, [(live.path, live.size_bytes) for live in head.reports.values()])
    listed = ", ".join(f'"{name}"' for name in columns)
    return (
        f"SELECT {listed} FROM read_parquet({sql_list(paths)}, hive_partitioning = true, hive_types_autocast = false)"
    )


def accounts_of(storage: Storage, live: LiveReport) -> frozenset[str]:
    """Return the sub-accounts that a live month has rows of."""
    con = connect()
    try:
        rows = con.execute(
            "SELECT DISTINCT sub_account_id FROM read_parquet(?, hive_partitioning = false) "
            "WHERE sub_account_id IS NOT NULL",
            [str(storage.local_paths(REPORTED, [(live.path, live.size_bytes)])[0])],
        ).fetchall()
    finally:
        con.close()
    return frozenset(row[0] for row in rows)


def altered_reports(storage: Storage, head: ReportedHead) -> list[str]:
    """Return the live files that are gone, or are not byte for byte what was committed."""
    if not head.reports:
        return []
    told: dict[str, str] = {}
    for entry in DeltaLog(storage, TABLES[REPORTED]).entries(-1):
        told.update(entry.get("files", {}))
    return sorted(live.path for live in head.reports.values() if _is_altered(storage, live.path, told.get(live.path)))


def _is_altered(storage: Storage, path: str, digest: str | None) -> bool:
    try:
        return digest != file_digest(storage.fresh_path(REPORTED, path))
    except LedgerError:
        return True
