"""The ledger opened for serving: an edition per version, each with a rollup and pools of connections.

Files of a version never change, so that an edition is never wrong, only older than the newest. The providers' own
figures have versions of their own, so that one version of the ledger has an edition for each of theirs. Rollup rows are
kept per commit: a new version costs only the rollup of its new commits, and can be thrown away and built again.
A query gets its rows from ``Edition.reading`` alone, which cuts them to what the caller may see.
"""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import duckdb

from offgridflow.api.access import Restriction
from offgridflow.domain.errors import LedgerError, OffGridFlowError
from offgridflow.domain.sql import sql_list
from offgridflow.ledger import Ledger, LiveCommit
from offgridflow.ledger.ledger import read_marker
from offgridflow.reports.rollup import rollup_query
from offgridflow.reports.totals import Provenance

if TYPE_CHECKING:
    from offgridflow.ledger import Snapshot

_logger = logging.getLogger(__name__)

ROLLUP: Final = "rollup"
_PARTS: Final = "rollup_parts"
_KEPT: Final = 4
"""Editions that stay open: the newest and those asked for last by ``as_of``, ``version`` or a cursor."""

_Key = tuple[int, int]
"""Versions of the ledger and of the providers' own figures."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A connection that sees one version, cut to one caller: views emissions, rates, quarantine, rollup."""

    con: duckdb.DuckDBPyConnection
    provenance: Provenance


@dataclass(slots=True)
class _Pool:
    """Idle connections of one kind, and whether they are still wanted."""

    idle: list[duckdb.DuckDBPyConnection] = field(default_factory=list)


class Edition:
    """One version of the ledger with one of the providers' own figures, opened.

    Args:
        database: the store's DuckDB.
        snapshot: the version.
        live: its commits by (source, billing period).
        tag_keys: tags that the rollup keeps apart.
        is_ended: whether a newer version of the ledger was there already, so that nothing of this one can change.

    """

    def __init__(
        self,
        database: duckdb.DuckDBPyConnection,
        snapshot: "Snapshot",
        live: Sequence[LiveCommit],
        tag_keys: Sequence[str],
        *,
        is_ended: bool = False,
    ) -> None:
        self.version = snapshot.version
        self.versions: _Key = _versions_of(snapshot)
        self.state = f"{self.version}.{snapshot.reported.version + 1}"
        """What every answer depends on: it changes with the ledger and with the providers' own figures."""
        self.is_ended = is_ended
        self.commits = tuple(live)
        self.commit_ids = snapshot.commit_ids
        self.reports = tuple(snapshot.reported.reports.values())
        sets = sorted({commit.factor_set for commit in live if commit.factor_set})
        self.provenance = Provenance(", ".join(sets) or None, snapshot.version)
        self._snapshot = snapshot
        self._database = database
        self._tag_keys = frozenset(tag_keys)
        self._lock = threading.Lock()
        self._pools: dict[tuple[Restriction, bool], _Pool] = {}
        self._retired = False
        self._suffix = self.state.replace(".", "_")

    @property
    def rollup_table(self) -> str:
        """The table of its rollup."""
        return f"rollup_{self._suffix}"

    def rolls_up(self, restriction: Restriction) -> bool:
        """Return whether the rollup can be cut to ``restriction``: it keeps the tags that decide."""
        return restriction.tag_keys <= self._tag_keys

    @contextmanager
    def reading(self, restriction: Restriction, *, light: bool = False) -> Iterator[Reading]:
        """Lend a connection that sees what ``restriction`` allows; a light one sees ``rollup`` and ``quarantine`` only.

        Raises LedgerError if a file of the version is gone.
        """
        pool = self._pool(restriction, light=light)
        con = self._taken(pool)
        if con is None:
            con = self._connected(restriction, light=light)
        is_well = False
        try:
            yield Reading(con, self.provenance)
            is_well = True
        finally:
            if is_well:
                self._give_back(pool, con)
            else:
                con.close()

    def _pool(self, restriction: Restriction, *, light: bool) -> _Pool:
        with self._lock:
            return self._pools.setdefault((restriction, light), _Pool())

    def _taken(self, pool: _Pool) -> duckdb.DuckDBPyConnection | None:
        with self._lock:
            return pool.idle.pop() if pool.idle else None

    def _give_back(self, pool: _Pool, con: duckdb.DuckDBPyConnection) -> None:
        with self._lock:
            if not self._retired:
                pool.idle.append(con)
                return
        con.close()

    def _connected(self, restriction: Restriction, *, light: bool) -> duckdb.DuckDBPyConnection:
        con = self._database.cursor()
        if not light:
            self._attach(con, restriction)
        if self.rolls_up(restriction):
            con.execute(
                f"CREATE TEMP VIEW {ROLLUP} AS SELECT * FROM rollup_{self._suffix} WHERE {restriction.condition()}"
            )
        if light:
            seen = "true" if restriction.is_none else "false"
            con.execute(f"CREATE TEMP VIEW quarantine AS SELECT * FROM quarantine_{self._suffix} WHERE {seen}")
        return con

    def _attach(self, con: duckdb.DuckDBPyConnection, restriction: Restriction) -> None:
        if restriction.is_none:
            self._snapshot.attach(con)
            return
        self._snapshot.attach(con, "whole_")
        con.execute(f"CREATE TEMP VIEW emissions AS SELECT * FROM whole_emissions WHERE {restriction.condition()}")
        con.execute(
            "CREATE TEMP VIEW rates AS SELECT * FROM whole_rates WHERE rate_id IN (SELECT rate_id FROM emissions)"
        )
        for name in ("quarantine", "commits"):  # unreadable lines and deliveries tell no account: nobody's
            con.execute(f"CREATE TEMP VIEW {name} AS SELECT * FROM whole_{name} WHERE false")

    def attach_to(self, con: duckdb.DuckDBPyConnection, restriction: Restriction) -> None:
        """Create the views of this edition, cut to ``restriction``, on a connection of another database."""
        self._attach(con, restriction)

    def build(self) -> None:
        """Make the tables that light readings see: the rollup of all live commits, and the quarantine."""
        with self._database.cursor() as con:
            self._snapshot.attach(con)
            con.execute(
                f"CREATE OR REPLACE TABLE rollup_{self._suffix} AS SELECT * EXCLUDE commit_id FROM {_PARTS} "
                f"WHERE list_contains({sql_list(sorted(self.commit_ids))}, commit_id)"
            )
            con.execute(f"CREATE OR REPLACE TABLE quarantine_{self._suffix} AS SELECT * FROM quarantine")

    def roll_up_missing(self, tag_keys: Sequence[str]) -> int:
        """Roll up the live commits that are not yet; return how many."""
        with self._database.cursor() as con:
            self._snapshot.attach(con)
            con.execute(f"CREATE TABLE IF NOT EXISTS {_PARTS} AS {rollup_query('emissions', tag_keys)} LIMIT 0")
            con.execute("CREATE TABLE IF NOT EXISTS rolled_up (commit_id VARCHAR PRIMARY KEY)")
            known = {row[0] for row in con.execute("SELECT commit_id FROM rolled_up").fetchall()}
            missing = sorted(self.commit_ids - known)
            for commit_id in missing:
                view = f"(SELECT * FROM emissions WHERE commit_id = '{commit_id}')"
                con.execute("BEGIN")
                con.execute(f"INSERT INTO {_PARTS} {rollup_query(view, tag_keys)}")
                con.execute("INSERT INTO rolled_up VALUES (?)", [commit_id])
                con.execute("COMMIT")
            return len(missing)

    def retire(self) -> None:
        """Close what is idle now, and the rest when it comes back; give the tables' memory back."""
        with self._lock:
            self._retired = True
            idle = [con for pool in self._pools.values() for con in pool.idle]
            self._pools.clear()
        for con in idle:
            con.close()
        with self._database.cursor() as con:
            con.execute(f"DROP TABLE IF EXISTS rollup_{self._suffix}")
            con.execute(f"DROP TABLE IF EXISTS quarantine_{self._suffix}")


def _versions_of(snapshot: "Snapshot") -> _Key:
    return snapshot.version, snapshot.reported.version


UNREADABLE: Final = (OffGridFlowError, duckdb.Error, OSError)
"""What a ledger raises that cannot be read: the version before is served until it can."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the newest version cannot be served, and since when (UTC)."""

    sentence: str
    since: datetime

    def told(self, served: int) -> str:
        """Return what anybody may know of it: without its cause, which the log has."""
        since = f"{self.since:%Y-%m-%d %H:%M} UTC"
        return f"The newest version of the ledger cannot be read since {since}; version {served} is served."


def _now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The ledger as the server sees it.

    Args:
        ledger_uri: the ledger.
        tag_keys: tags that the rollup keeps apart.
        threads: cores that queries may use together.
        memory_mib: what the engine may hold in memory; past it the engine writes to disk.
        opened: opens the ledger; an argument for tests.
        clock: the present instant, UTC.

    """

    def __init__(
        self,
        ledger_uri: str,
        tag_keys: Sequence[str] = (),
        threads: int = 2,
        memory_mib: int = 1024,
        opened: Callable[[str], Ledger] = Ledger.open,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.ledger_uri = ledger_uri
        self.tag_keys = tuple(sorted(tag_keys))
        self._open = opened
        self._clock = clock
        self._database = duckdb.connect(config={"threads": threads, "memory_limit": f"{memory_mib}MiB"})
        self._database.execute("SET GLOBAL TimeZone = 'UTC'")
        self._building = threading.Lock()
        self._lock = threading.Lock()
        self._editions: OrderedDict[_Key, Edition] = OrderedDict()
        self._newest: Edition | None = None
        self._watching: Ledger | None = None
        self._trouble: Trouble | None = None
        self.before_serving: Callable[[Edition], None] = lambda _: None
        """Called with a new edition before it is the one that is served."""

    @property
    def newest(self) -> Edition | None:
        """The newest edition that is built, None before the first."""
        return self._newest

    def current(self) -> Edition:
        """Return the newest edition that is built, building the first. Raises LedgerError where there is no ledger."""
        newest = self._newest
        return newest if newest is not None else self.refresh()

    def refresh(self) -> Edition:
        """Look for a newer version of the ledger or of the providers' own figures, and build its edition; return it.

        Raises one of UNREADABLE, and holds it as ``trouble`` until a look succeeds.
        """
        with self._building:
            try:
                newest = self._looked()
            except UNREADABLE as error:
                since = self._clock() if self._trouble is None else self._trouble.since
                self._trouble = Trouble(str(error).partition("\n")[0], since)
                raise
            self._trouble = None
            return newest

    @property
    def trouble(self) -> Trouble | None:
        """Why the last look for a new version failed; None after one that succeeded."""
        return self._trouble

    def unread_seconds(self) -> float:
        """Return for how many seconds looks for a new version have failed; 0 where the last one succeeded."""
        trouble = self._trouble
        return 0.0 if trouble is None else max(0.0, (self._clock() - trouble.since).total_seconds())

    def _looked(self) -> Edition:
        newest, seen = self._newest, self._watched()
        if newest is None or newest.versions != (seen.version(), seen.reported.version()):
            ledger = self._open(self.ledger_uri)  # its own, so that copies of its files last as long as the edition
            newest = self._built(ledger, ledger.snapshot(), is_ended=False)
            self.before_serving(newest)
            with self._lock:
                self._newest = newest
            self._keep(newest)
        return newest

    def _watched(self) -> Ledger:
        """Return the ledger that stays open for looking, opened anew where another one lies there now."""
        kept = self._watching
        if kept is None or read_marker(kept.storage) != kept.marker:
            kept = self._watching = self._open(self.ledger_uri)
        return kept

    def at(self, version: int | None = None, as_of: datetime | None = None) -> Edition:
        """Return the edition of a version, or of an instant, or the newest. Raises LedgerError if there is none."""
        if version is None and as_of is None:
            return self.current()
        known = None if version is None else self._settled(version)
        if known is not None:
            return known
        with self._building:
            opened = self._open(self.ledger_uri)
            newest = opened.version()
            if version is not None and version > newest:
                sentence = f"The ledger has no version {version}."
                raise LedgerError(sentence, action=f"Its newest is {newest}.")
            snapshot = opened.snapshot(version, as_of)
            with self._lock:
                known = self._editions.get(_versions_of(snapshot))
            if known is None:
                is_ended = as_of is None and snapshot.version < newest
                known = self._built(opened, snapshot, is_ended=is_ended)
                self._keep(known)
            return known

    def _settled(self, version: int) -> Edition | None:
        """Return the edition of a version where it is the newest, or can no longer change; None where to look again."""
        with self._lock:
            if self._newest is not None and self._newest.version == version:
                return self._newest
            known = next((each for each in self._editions.values() if each.version == version and each.is_ended), None)
            if known is not None:
                self._editions.move_to_end(known.versions)
            return known

    def _built(self, ledger: Ledger, snapshot: "Snapshot", *, is_ended: bool) -> Edition:
        known = ledger.side.commits(sorted(snapshot.commit_ids))
        live = sorted(known.values(), key=lambda commit: commit.key)
        edition = Edition(self._database, snapshot, live, self.tag_keys, is_ended=is_ended)
        added = edition.roll_up_missing(self.tag_keys)
        edition.build()
        _logger.info("ledger version %s: %s commits rolled up", edition.state, added)
        return edition

    def _keep(self, edition: Edition) -> None:
        with self._lock:
            self._editions[edition.versions] = edition
            self._editions.move_to_end(edition.versions)
            others = [each for each in self._editions.values() if each is not self._newest]
            gone = others[: max(0, len(others) - _KEPT + 1)]
            for each in gone:
                del self._editions[each.versions]
            wanted = frozenset[str]().union(*(each.commit_ids for each in self._editions.values()))
        for each in gone:
            each.retire()
        if gone:
            self._forget_rollups(wanted)

    def _forget_rollups(self, wanted: frozenset[str]) -> None:
        with self._database.cursor() as con:
            for table in (_PARTS, "rolled_up"):
                con.execute(f"DELETE FROM {table} WHERE NOT list_contains({sql_list(sorted(wanted))}, commit_id)")

    def rollup_rows(self) -> int:
        """Return the rows of the newest rollup."""
        edition = self.current()
        with self._database.cursor() as con:
            rows = con.execute(f"SELECT count(*) FROM {edition.rollup_table}").fetchall()
        return int(rows[0][0])

    def history(self) -> list[dict[str, object]]:
        """Return what was done to the ledger, newest first."""
        return self._watched().history()

    def is_readable(self) -> bool:
        """Return whether the ledger can be read now."""
        try:
            self._watched().version()
        except LedgerError:
            return False
        return True

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            editions = list(self._editions.values())
            self._editions.clear()
            self._newest = None
        for edition in editions:
            edition.retire()
        self._database.close()
