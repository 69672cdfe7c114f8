"""Locks that workers share: who works on an account works on it alone, so that its local call budget is the global one.

A lock dies with its process: the system (a file) or the server (a PostgreSQL session) lets go of it.
"""

import fcntl
import hashlib
import importlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from offgridflow.cloud.errors import Failure, NextRunError
from offgridflow.domain.errors import LedgerError, MissingExtraError

_POLL_SECONDS: Final = 0.05
_NOTICE_THE_DEAD: Final = (
    "SELECT set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false), "
    "set_config('tcp_keepalives_count', '3', false)"
)
"""Lets the server end the session of a machine that vanished after a minute; by default it waits for two hours."""
_SCOPE_KEYS: Final = ("account", "role_arn", "profile", "account_url", "project", "bucket")


class BusyError(NextRunError):
    """Another worker is at the same account for longer than we wait; the next run tries again."""


class Locks(Protocol):
    """Named locks, exclusive among all workers."""

    def hold(self, name: str) -> AbstractContextManager[None]:
        """Return a context that holds the lock. Raises BusyError on entry where it cannot be had in time."""


def lock_name(settings: Mapping[str, Any]) -> str:
    """Return what a source shares with others whose calls count against the same quota: its cloud and account.

    >>> lock_name({"type": "aws_data_export", "bucket": "b", "role_arn": "arn:aws:iam::1:role/r"})
    'aws arn:aws:iam::1:role/r'
    """
    cloud = str(settings.get("type", "")).partition("_")[0]
    scope = next((str(settings[key]) for key in _SCOPE_KEYS if settings.get(key)), "default")
    return f"{cloud} {scope}"


class FileLocks:
    """Locks as files of a folder that all workers see: one machine, or a file system with working locks.

    Args:
        folder: where the files lie.
        wait_seconds: how long to wait for another holder.
        sleep: waits; an argument so that tests need not.

    """

    def __init__(self, folder: Path, wait_seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._folder = folder
        self._wait_seconds = wait_seconds
        self._sleep = sleep

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """See Locks."""
        descriptor = _open(self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:32]}.lock")
        try:
            _until(lambda: _try_lock(descriptor), name, self._wait_seconds, self._sleep)
            yield
        finally:
            os.close(descriptor)


class PostgresLocks:
    """Locks as session advisory locks of a PostgreSQL server, for workers on several machines.

    Args:
        dsn: how to reach it; never shown.
        wait_seconds: how long to wait for another holder.
        sleep: see FileLocks.

    """

    def __init__(self, dsn: str, wait_seconds: float, sleep: Callable[[float], None] = time.sleep) -> None:
        self._dsn = dsn
        self._wait_seconds = wait_seconds
        self._sleep = sleep

    @contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """See Locks."""
        key = int.from_bytes(hashlib.sha256(f"offgridflow {name}".encode()).digest()[:8], "big", signed=True)
        with self._connection() as connection:

            def taken() -> bool:
                return bool(connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()[0])

            _until(taken, name, self._wait_seconds, self._sleep)
            yield

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        try:
            driver = importlib.import_module("psycopg")
        except ModuleNotFoundError:
            sentence = "Locks in PostgreSQL need psycopg, which is not installed."
            raise MissingExtraError(sentence, action="Run: pip install 'offgridflow[durable]'") from None
        try:
            connection = driver.connect(self._dsn, autocommit=True)
            connection.execute(_NOTICE_THE_DEAD)
        except driver.Error:
            sentence = "The PostgreSQL server of run.lock_dsn (or run.database_url) cannot be reached."
            raise LedgerError(sentence, action="Check address and credentials; nothing was begun.") from None
        try:
            yield connection
        finally:
            connection.close()


def is_held(path: Path) -> bool:
    """Whether another process holds a lock file; a file that is not there is not held."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alive(path: Path) -> Iterator[None]:
    """Hold a lock file as long as the work lasts, so that others see that this process lives; then remove it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _open(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        sentence = f"The lock {path} cannot be written: {error.strerror}."
        raise LedgerError(sentence, action="Check permissions and free space, or set run.state.") from error


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _until(taken: Callable[[], bool], name: str, wait_seconds: float, sleep: Callable[[float], None]) -> None:
    waited = 0.0
    while not taken():
        if waited >= wait_seconds:
            cloud, _, scope = name.partition(" ")
            action = f"Another worker is at {cloud} {scope}; the next run tries again."
            raise BusyError(Failure(cloud, "wait for the other worker", code="BUSY"), action=action)
        pause = min(1.0, max(_POLL_SECONDS, waited / 10))
        sleep(pause)
        waited += pause
