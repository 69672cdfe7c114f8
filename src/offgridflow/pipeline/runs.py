"""The history of runs: what was tried, what came of it, what is held and why, which alerts are still to be sent.

An SQLite file beside the ledger, never a part of it: losing it loses history, holds and unsent alerts, no figure. What
is committed, the ledger alone says.
"""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from offgridflow.domain.errors import LedgerError, UsageError
from offgridflow.ledger import Ledger
from offgridflow.ledger.storage import LocalStorage
from offgridflow.pipeline.locks import alive, is_held
from offgridflow.pipeline.model import Failure, PeriodResult

STATE_FOLDER: Final = ".runs"
"""In the ledger's folder; names with a leading dot are no tables, so that the ledger lets them be."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, origin TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT, status TEXT NOT NULL,
    options TEXT NOT NULL, scheduled_for TEXT, stopped INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS steps (
    run_id TEXT NOT NULL REFERENCES runs, step INTEGER NOT NULL, at TEXT NOT NULL, source TEXT, billing_period TEXT,
    billing_currency TEXT, status TEXT NOT NULL, line_items INTEGER NOT NULL, billed_cost TEXT, total_kgco2e TEXT,
    fingerprint TEXT, code TEXT, retry_class TEXT, sentence TEXT, action TEXT, PRIMARY KEY (run_id, step)
) STRICT;
CREATE TABLE IF NOT EXISTS holds (
    source TEXT NOT NULL, billing_period TEXT NOT NULL, settings_digest TEXT NOT NULL, fingerprint TEXT NOT NULL,
    code TEXT NOT NULL, retry_class TEXT NOT NULL, sentence TEXT NOT NULL, action TEXT NOT NULL, since TEXT NOT NULL,
    PRIMARY KEY (source, billing_period)
) STRICT;
CREATE TABLE IF NOT EXISTS checks (source TEXT PRIMARY KEY, checked_at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS alerts (
    alert_id TEXT PRIMARY KEY, run_id TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL, tries INTEGER NOT NULL,
    delivered_at TEXT
) STRICT;
"""
_PATIENCE_SECONDS: Final = 30.0
_LAST_SCHEDULED: Final = """
    SELECT run_id FROM runs WHERE scheduled_for IS NOT NULL AND finished_at IS NOT NULL AND stopped = 0
    ORDER BY scheduled_for DESC LIMIT 1
"""
_FIRST_TRIES: Final = """
    SELECT named.value, min(runs.started_at) FROM runs, json_each(runs.options, '$.sources') AS named GROUP BY 1
"""
_FAILING_SINCE: Final = """
    WITH good AS (
        SELECT source, billing_period, max(at) AS at FROM steps WHERE status IN ('committed', 'unchanged') GROUP BY 1, 2
        UNION ALL SELECT source, NULL, checked_at FROM checks
    )
    SELECT bad.source, bad.billing_period, min(bad.at) FROM steps AS bad
    LEFT JOIN good ON good.source = bad.source AND good.billing_period IS bad.billing_period
    WHERE bad.status IN ('failed', 'held') AND bad.source IS NOT NULL AND bad.at > coalesce(good.at, '') GROUP BY 1, 2
"""
KEPT: Final = timedelta(days=400)
RUNNING: Final = "running"
INTERRUPTED: Final = "interrupted"


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a source (period ``""``) or one of its periods is not tried again, and what it waits to see changed."""

    source: str
    billing_period: str
    settings_digest: str
    fingerprint: str
    failure: Failure
    since: datetime


class RunStore:
    """The history of one ledger's runs. Connections are opened per use; safe among threads and processes.

    Args:
        folder: where ``runs.sqlite`` and the lock files of running runs lie; made where it is not there. Where it may
            not be written, the history is read as it is.
        kept: how long runs and alerts are kept. A run that lives is kept, and the last one of the schedule.

    """

    def __init__(self, folder: Path, kept: timedelta = KEPT) -> None:
        self.folder = folder
        self._kept = kept
        self._path = folder / "runs.sqlite"
        self._is_ready = False

    def begin(self, run_id: str, origin: str, at: datetime, options: Mapping[str, object]) -> None:
        """Note that a run has begun, and let go of what is too old. Call it within ``living``."""
        row = (run_id, origin, at.isoformat(), RUNNING, json.dumps(options, sort_keys=True, default=str))
        with self._writing() as con:
            self._bury_the_dead(con)
            self._let_go_of_the_old(con, at)
            con.execute("INSERT INTO runs (run_id, origin, started_at, status, options) VALUES (?, ?, ?, ?, ?)", row)

    def _bury_the_dead(self, con: sqlite3.Connection) -> None:
        for (dead,) in con.execute("SELECT run_id FROM runs WHERE status = ?", (RUNNING,)).fetchall():
            if not is_held(self._sign_of(dead)):
                con.execute("UPDATE runs SET status = ? WHERE run_id = ?", (INTERRUPTED, dead))
                self._sign_of(dead).unlink(missing_ok=True)

    def _let_go_of_the_old(self, con: sqlite3.Connection, at: datetime) -> None:
        before = ((at - self._kept).isoformat(),)
        old = f"started_at < ? AND status <> '{RUNNING}' AND run_id NOT IN ({_LAST_SCHEDULED})"
        con.execute(f"DELETE FROM steps WHERE run_id IN (SELECT run_id FROM runs WHERE {old})", before)
        con.execute(f"DELETE FROM runs WHERE {old}", before)
        con.execute("DELETE FROM alerts WHERE at < ?", before)

    def _sign_of(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.alive"

    @contextmanager
    def living(self, run_id: str) -> Iterator[None]:
        """Give a context during which others see that the run lives; a killed process lets go of it.

        One connection stays open meanwhile: whoever closes the last one copies the write-ahead log into the file and
        waits for the disk, which took longer than a listing where each of 600 notes did it.
        """
        with alive(self._sign_of(run_id)):
            with self._telling():
                kept = self._connected()
            try:
                yield
            finally:
                kept.close()

    def finish(self, run_id: str, status: str, at: datetime, *, stopped: bool = False) -> None:
        """Note how a run ended; ``stopped`` before it had tried everything."""
        with self._writing() as con:
            con.execute(
                "UPDATE runs SET status = ?, finished_at = ?, stopped = ? WHERE run_id = ?",
                (status, at.isoformat(), int(stopped), run_id),
            )

    def note(self, run_id: str, at: datetime, results: Sequence[PeriodResult], held: frozenset[int]) -> None:
        """Note the results of one delivery; ``held`` are the positions of those that were not tried."""
        with self._writing() as con:
            first = con.execute("SELECT count(*) FROM steps WHERE run_id = ?", (run_id,)).fetchone()[0]
            for place, result in enumerate(results):
                row = _step_row(result, "held" if place in held else result.status)
                con.execute(_INSERT_STEP, (run_id, first + place, at.isoformat(), *row))

    def note_schedule(self, run_id: str, instant: datetime) -> None:
        """Note for which instant of the schedule a run was begun."""
        with self._writing() as con:
            con.execute("UPDATE runs SET scheduled_for = ? WHERE run_id = ?", (instant.isoformat(), run_id))

    def last_scheduled(self) -> datetime | None:
        """Return the latest instant of the schedule for which a run ended on its own, None where there is none."""
        sql = "SELECT max(scheduled_for) FROM runs WHERE finished_at IS NOT NULL AND stopped = 0"
        with self._reading() as con:
            found = con.execute(sql).fetchone()[0]
        return None if found is None else datetime.fromisoformat(found)

    def hold(self, hold: Hold) -> None:
        """Hold something; it stays held since it was first held for the same reason."""
        failure = hold.failure
        with self._writing() as con:
            con.execute(
                "INSERT OR REPLACE INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(hold.source, hold.billing_period, hold.settings_digest, hold.fingerprint, failure.code),
                    *(failure.retry_class, failure.sentence, failure.action, hold.since.isoformat()),
                ),
            )

    def release(self, source: str, billing_period: str) -> None:
        """Hold it no longer."""
        with self._writing() as con:
            con.execute("DELETE FROM holds WHERE source = ? AND billing_period = ?", (source, billing_period))

    def holds(self) -> dict[tuple[str, str], Hold]:
        """Return everything that is held, by (source, period); the period of a whole source is ``""``."""
        with self._reading() as con:
            rows = con.execute("SELECT * FROM holds ORDER BY source, billing_period").fetchall()
        return {(row["source"], row["billing_period"]): _hold_of(row) for row in rows}

    def note_check(self, source: str, at: datetime) -> None:
        """Note that the deliveries of a source were listed."""
        with self._writing() as con:
            con.execute("INSERT OR REPLACE INTO checks VALUES (?, ?)", (source, at.isoformat()))

    def checks(self) -> dict[str, datetime]:
        """Return when the deliveries of each source were listed last."""
        with self._reading() as con:
            return {row[0]: datetime.fromisoformat(row[1]) for row in con.execute("SELECT * FROM checks")}

    def first_tries(self) -> dict[str, datetime]:
        """Return when the first run that is still known and was to try a source began, by source."""
        with self._reading() as con:
            return {row[0]: datetime.fromisoformat(row[1]) for row in con.execute(_FIRST_TRIES)}

    def failing_since(self) -> dict[tuple[str, str | None], datetime]:
        """Return since when each source (period None) and period that fails now fails: since its last success."""
        with self._reading() as con:
            rows = con.execute(_FAILING_SINCE).fetchall()
        return {(row[0], row[1]): datetime.fromisoformat(row[2]) for row in rows}

    def newest(self, limit: int = 50) -> list[dict[str, Any]]:
        """Return the runs that were begun last, the last first, with counts of their steps by status."""
        with self._reading() as con:
            sql = "SELECT * FROM runs ORDER BY rowid DESC LIMIT ?"
            return [self._shown(con, row) for row in con.execute(sql, (limit,)).fetchall()]

    def get(self, run_id: str) -> dict[str, Any]:
        """Return one run with its steps; ``latest`` is the newest. Raises UsageError where there is none."""
        with self._reading() as con:
            found = con.execute(
                "SELECT * FROM runs WHERE run_id = ? OR (? = 'latest') ORDER BY rowid DESC LIMIT 1",
                (run_id, run_id),
            ).fetchone()
            if found is None:
                sentence = f"There is no run {run_id!r} in this ledger's history."
                raise UsageError(sentence, action="See 'offgridflow runs list'.")
            sql = "SELECT * FROM steps WHERE run_id = ? ORDER BY step"
            steps = [dict(row) for row in con.execute(sql, (found["run_id"],)).fetchall()]
            return {**self._shown(con, found), "steps": steps}

    def add_alerts(self, run_id: str, at: datetime, bodies: Mapping[str, str]) -> None:
        """Keep alerts, by id, until they are delivered; one that is known already stays as it is."""
        with self._writing() as con:
            for alert_id, body in bodies.items():
                con.execute(
                    "INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?, 0, NULL)",
                    (alert_id, run_id, at.isoformat(), body),
                )

    def known_alerts(self) -> frozenset[str]:
        """Return the ids of all alerts that were ever kept."""
        with self._reading() as con:
            return frozenset(row[0] for row in con.execute("SELECT alert_id FROM alerts"))

    def unsent(self, most_tries: int) -> list[tuple[str, str]]:
        """Return (id, body) of the alerts that were not delivered in fewer than ``most_tries`` tries, oldest first."""
        sql = "SELECT alert_id, body FROM alerts WHERE delivered_at IS NULL AND tries < ? ORDER BY at, alert_id"
        with self._reading() as con:
            return [(row[0], row[1]) for row in con.execute(sql, (most_tries,))]

    def tried(self, alert_id: str, delivered_at: datetime | None) -> int:
        """Note that an alert was sent, and when it was taken; return how often it was sent by now."""
        said = None if delivered_at is None else delivered_at.isoformat()
        with self._writing() as con:
            con.execute("UPDATE alerts SET tries = tries + 1, delivered_at = ? WHERE alert_id = ?", (said, alert_id))
            found = con.execute("SELECT tries FROM alerts WHERE alert_id = ?", (alert_id,)).fetchone()
        return int(found[0])

    def _shown(self, con: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
        run = {**dict(row), "stopped": bool(row["stopped"]), "options": json.loads(row["options"])}
        if run["status"] == RUNNING and not is_held(self._sign_of(row["run_id"])):
            run["status"] = INTERRUPTED
        counted = con.execute("SELECT status, count(*) FROM steps WHERE run_id = ? GROUP BY 1", (row["run_id"],))
        return {**run, **dict.fromkeys(_STEP_STATUSES, 0), **dict(counted.fetchall())}

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as con:
            con.execute("BEGIN IMMEDIATE")
            yield con  # closing without a commit rolls back
            con.execute("COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._frozen() if _is_read_only(self.folder) else self._open() as con:
            yield con

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._telling(), closing(self._connected()) as con:
            yield con

    def _connected(self) -> sqlite3.Connection:
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        con = sqlite3.connect(self._path, timeout=_PATIENCE_SECONDS, isolation_level=None)
        try:
            con.row_factory = sqlite3.Row
            self._prepare(con)
        except sqlite3.Error:
            con.close()
            raise
        return con

    @contextmanager
    def _frozen(self) -> Iterator[sqlite3.Connection]:
        """Open the history where nothing may be written, not even a lock; without a file it is empty."""
        with self._telling():
            is_there = self._path.is_file()
            con = _opened_frozen(self._path) if is_there else sqlite3.connect(":memory:")
            try:
                con.row_factory = sqlite3.Row
                if not is_there:
                    con.executescript(_SCHEMA)
                yield con
            finally:
                con.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            sentence = f"The run history {self._path} cannot be used: {error}."
            action = "Check permissions and free space; if the file is broken, move it away: no figure depends on it."
            raise LedgerError(sentence, action=action) from error

    def _prepare(self, con: sqlite3.Connection) -> None:
        con.execute("PRAGMA synchronous = NORMAL")  # whole after any crash; a power cut may take the last steps of it
        is_empty = con.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
        if is_empty or not self._is_ready:  # empty also when somebody took the file away meanwhile
            con.execute("PRAGMA journal_mode = WAL")
            con.executescript(_SCHEMA)
            self._is_ready = True
        con.execute("SELECT count(*) FROM runs")  # without a look it would not count as one that has the file open


def _is_read_only(folder: Path) -> bool:
    """Whether a folder may not be written, or not be made."""
    nearest = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return not os.access(nearest, os.W_OK)


def _opened_frozen(path: Path) -> sqlite3.Connection:
    """Open a database that may only be read: with its writer's log where one is at work, else as the file is."""
    uri = path.absolute().as_uri()
    con = sqlite3.connect(f"{uri}?mode=ro", uri=True)
    try:
        con.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.OperationalError:  # without a writer there is no log, and none can be made
        con.close()
        con = sqlite3.connect(f"{uri}?immutable=1", uri=True)
    return con


_STEP_STATUSES: Final = ("committed", "unchanged", "failed", "held")
_INSERT_STEP: Final = f"INSERT INTO steps VALUES ({', '.join('?' * 15)})"


def _step_row(result: PeriodResult, status: str) -> tuple[object, ...]:
    error = result.error
    told = (None,) * 4 if error is None else (error.code, error.retry_class, error.sentence, error.action)
    return (
        *(result.source, result.billing_period, result.billing_currency, status, result.line_items),
        *(_text(result.billed_cost), _text(result.total_kgco2e), result.fingerprint, *told),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _hold_of(row: sqlite3.Row) -> Hold:
    return Hold(
        source=row["source"],
        billing_period=row["billing_period"],
        settings_digest=row["settings_digest"],
        fingerprint=row["fingerprint"],
        failure=Failure(row["code"], row["sentence"], row["action"], row["retry_class"]),
        since=datetime.fromisoformat(row["since"]),
    )


def store_of(ledger: Ledger, chosen: Path | None = None, kept: timedelta = KEPT) -> RunStore:
    """Return the history of a ledger: in the chosen folder, else in the ledger's own. Nothing is written yet."""
    if chosen is not None:
        return RunStore(chosen, kept)
    if isinstance(ledger.storage, LocalStorage):
        return RunStore(ledger.storage.root / STATE_FOLDER, kept)
    sentence = "The ledger is not in a folder, so that the history of its runs needs a place of its own."
    raise UsageError(sentence, action="Set run.state (OFFGRIDFLOW_RUN__STATE) to a folder.")
