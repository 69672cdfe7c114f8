"""The server's own small memory: an SQLite file beside the ledger's tables, for tokens, sessions and runs.

The ledger itself never depends on it: losing it loses access tokens and the list of started runs, no figure.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from offgridflow.domain.errors import LedgerError, UsageError
from offgridflow.ledger.storage import LocalStorage, storage_of

STATE_FILE: Final = ".server/state.sqlite"
"""Path in the ledger's folder. Names with a leading dot are no tables, so that the ledger lets them be."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS tokens (
    token_id TEXT PRIMARY KEY, name TEXT NOT NULL, secret_sha256 TEXT NOT NULL, scope TEXT NOT NULL,
    restriction TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
    secret_sha256 TEXT PRIMARY KEY, token_id TEXT NOT NULL REFERENCES tokens, expires_at TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS runs (
    run_id TEXT PRIMARY KEY, state TEXT NOT NULL, asked_by TEXT NOT NULL, parameters TEXT NOT NULL,
    created_at TEXT NOT NULL, started_at TEXT, finished_at TEXT, stage TEXT, result TEXT, error TEXT,
    cancel_asked INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE IF NOT EXISTS idempotency (
    caller TEXT NOT NULL, key TEXT NOT NULL, request_sha256 TEXT NOT NULL, status INTEGER NOT NULL,
    body TEXT NOT NULL, created_at TEXT NOT NULL, PRIMARY KEY (caller, key)
) STRICT;
"""
_PATIENCE_SECONDS: Final = 10.0


class State:
    """The file, opened per use: SQLite connections stay within their thread.

    Args:
        path: where the file is; its folder is made, readable for its owner alone.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._watching: sqlite3.Connection | None = None
        self._seen = (0, 0)
        self._lock = threading.Lock()
        try:
            self._prepare()
        except (OSError, sqlite3.Error) as error:
            raise self._unusable(error) from error

    def _prepare(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.touch(mode=0o600, exist_ok=True)
        with self.reading() as con:
            con.execute("PRAGMA journal_mode = WAL")
            con.executescript(_SCHEMA)

    def _unusable(self, error: Exception) -> LedgerError:
        sentence = f"The server's state {self.path} cannot be written: {error}."
        return LedgerError(sentence, action="Check permissions, or set api.state to another file.")

    def change(self) -> tuple[int, int]:
        """Return what is another value once anybody, in any process, has changed the file.

        Costs microseconds, because one connection stays open for it: a guard may ask before every request. Raises
        LedgerError where the file cannot be used.
        """
        with self._lock:
            try:
                inode = self._inode()
                if self._watching is None or inode != self._seen[1]:
                    self._reopen(inode)
                return self._seen[0], self._version()
            except (OSError, sqlite3.Error) as error:
                raise self._unusable(error) from error

    def _inode(self) -> int:
        try:
            return self.path.stat().st_ino
        except FileNotFoundError:  # somebody took the file away: begin anew, without tokens
            self._prepare()
            return self.path.stat().st_ino

    def _reopen(self, inode: int) -> None:
        if self._watching is not None:
            self._watching.close()
        self._watching = sqlite3.connect(
            self.path, timeout=_PATIENCE_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._seen = (self._seen[0] + 1, inode)

    def _version(self) -> int:
        """Return SQLite's own count of changes, which other connections than the watching one make."""
        found = None if self._watching is None else self._watching.execute("PRAGMA data_version").fetchone()
        return int(found[0]) if found is not None else 0

    def close(self) -> None:
        """Close the connection that watches; the next ``change`` opens another."""
        with self._lock:
            if self._watching is not None:
                self._watching.close()
                self._watching = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose changes are one transaction, taken at once so that it never has to be redone."""
        con = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS, isolation_level=None)
        con.row_factory = sqlite3.Row
        try:
            con.execute("BEGIN IMMEDIATE")
            with con:  # commits at the end, rolls back on any exception
                yield con
        finally:
            con.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose statements each stand alone."""
        con = sqlite3.connect(self.path, timeout=_PATIENCE_SECONDS, isolation_level=None)
        con.row_factory = sqlite3.Row
        try:
            yield con
        finally:
            con.close()


def state_of(ledger_uri: str, chosen: Path | None = None) -> State:
    """Open the state of a ledger's server: the chosen file, or the one in the ledger's folder."""
    if chosen is not None:
        return State(chosen)
    storage = storage_of(ledger_uri)
    if isinstance(storage, LocalStorage):
        return State(storage.root / STATE_FILE)
    sentence = "The ledger is not in a folder, so that the server needs a file of its own for tokens and runs."
    raise UsageError(sentence, action="Set api.state (OFFGRIDFLOW_API__STATE) to a path.")
