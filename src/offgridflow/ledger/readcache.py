"""Local copies of a ledger's published files, which never change: fetched once, verified by size, bounded together.

Many processes may share a folder. A copy is written aside and renamed, so that it is whole or not there. Who reads one
has named it in a lease first, a file that the process holds locked; sweeping takes the copies that were not used for
longest and that no living lease names. The lock of a process that died is gone, and its lease and half files with it.
"""

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from offgridflow.domain.errors import LedgerError

_MIB: Final = 2**20
_LEASES: Final = "leases"
_WORK: Final = "work"
_GATE: Final = "gate.lock"
_COPIES: Final = "copies"
_SLACK: Final = 20
"""A sweep is due after a twentieth of the bound was added since the last."""

Download = Callable[[Path], None]


def default_folder(environment: Mapping[str, str]) -> Path:
    """Return the user's cache folder, as the XDG base directories say; for users without a home one of their own."""
    base = environment.get("XDG_CACHE_HOME")
    if base:
        return Path(base) / "offgridflow" / "ledger"
    try:
        return Path.home() / ".cache" / "offgridflow" / "ledger"
    except RuntimeError:
        return Path(tempfile.gettempdir()) / f"offgridflow-{os.getuid()}" / "ledger"


class ReadCache:
    """Copies of one ledger's files in a folder that ledgers and processes share. Made once per opened ledger.

    Args:
        folder: where all copies lie. Its path must hold no hive partition of ours: readers take that of a file from it.
        identity: of the ledger; another one has other copies.
        max_mib: bound of all copies together. What living processes read stays, whatever the bound.

    """

    def __init__(self, folder: Path, identity: str, max_mib: int) -> None:
        self.folder = folder.absolute()
        if any("=" in part for part in self.folder.parts):
            sentence = f"The read cache {self.folder} has a part with '=', which reads as a partition of a ledger."
            raise LedgerError(sentence, action="Set ledger.cache_folder to a folder without '=' in its path.")
        self._max_bytes = max_mib * _MIB
        self._token = f"{os.getpid()}-{os.urandom(6).hex()}"
        self.root = self.folder / _COPIES / hashlib.sha256(identity.encode()).hexdigest()[:32]
        self.staging = self.folder / _WORK / self._token / "staged"
        self._lock = threading.Lock()
        self._lease: int | None = None
        self._named: set[str] = set()
        self._unswept = self._max_bytes  # the first addition sweeps
        self._count = 0

    def path_of(self, name: str) -> Path:
        """Return where the copy of a file is, or would be."""
        return self.root / name

    def staged(self, name: str) -> Path:
        """Return the local path to write a new file to; its folder exists and lasts as long as this process."""
        path = self.staging / name
        with self._told():
            with self._gate(fcntl.LOCK_SH):
                self._hold()
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def adopt(self, name: str) -> None:
        """Make a staged file, which is published now, the copy."""
        with self._told():
            self._lease_of(name)
            staged = self.staging / name
            size = staged.stat().st_size
            self._put(staged, name)
        self._added(size)

    def found(self, name: str, size_bytes: int) -> Path | None:
        """Return the copy if it is here and of that size, and keep it from being swept."""
        with self._told():
            self._lease_of(name)
            path = self.path_of(name)
            try:
                if path.stat().st_size != size_bytes:
                    return None
                os.utime(path)  # sweeping goes by the time of last use
            except FileNotFoundError:
                return None
            return path

    def fetched(self, name: str, download: Download) -> Path:
        """Fetch a file and return its copy, which replaces the one before. What ``download`` raises passes on."""
        with self._told():
            self._lease_of(name)
            aside = self._aside()
        try:
            download(aside)
            with self._told():
                size = aside.stat().st_size
                self._put(aside, name)
        finally:
            with suppress(FileNotFoundError):
                aside.unlink()
        self._added(size)
        return self.path_of(name)

    def dropped(self, name: str) -> None:
        """Remove copy and staged file, if there are any."""
        for path in (self.path_of(name), self.staging / name):
            path.unlink(missing_ok=True)

    def _put(self, aside: Path, name: str) -> None:
        path = self.path_of(name)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        aside.replace(path)

    def _aside(self) -> Path:
        with self._lock:
            self._count += 1
            number = self._count
        path = self.folder / _WORK / self._token / f"{number}.part"
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            sentence = f"The read cache {self.folder} cannot be used: {error.strerror or type(error).__name__}."
            action = "Check permissions and free space, or set ledger.cache_folder to another folder."
            raise LedgerError(sentence, action=action) from error

    @contextmanager
    def _gate(self, how: int) -> Iterator[bool]:
        """Hold the gate: readers together while they name a file, a sweep alone. Gives whether it was to be had."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self.folder / _GATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            yield _locked(descriptor, how)
        finally:
            os.close(descriptor)

    def _lease_of(self, name: str) -> None:
        """Name a file in this reader's lease, whether it is there yet or not."""
        line = str((self.root / name).relative_to(self.folder))
        with self._lock:
            if line in self._named:
                return
        with self._gate(fcntl.LOCK_SH):
            lease = self._hold()
            os.write(lease, line.encode() + b"\0")
            with self._lock:
                self._named.add(line)

    def _hold(self) -> int:
        """Return the descriptor of this reader's lease. Call it within the gate."""
        with self._lock:
            if self._lease is None:
                path = self.folder / _LEASES / self._token
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._lease = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                fcntl.flock(self._lease, fcntl.LOCK_EX)
                weakref.finalize(self, _give_back, self._lease, path, self.folder / _WORK / self._token)
            return self._lease

    def _added(self, size: int) -> None:
        with self._lock:
            self._unswept += size
            due = self._unswept * _SLACK >= self._max_bytes
        if due:
            self.sweep()

    def sweep(self) -> int:
        """Remove the copies that were not used for longest, until the bound holds; return the bytes removed.

        Nothing where another process sweeps or many are at the gate: the next addition tries again.
        """
        with self._told(), self._gate(fcntl.LOCK_EX | fcntl.LOCK_NB) as alone:
            if not alone:
                return 0
            with self._lock:
                self._unswept = 0
            held = self._living()
            return self._remove(held)

    def _living(self) -> set[str]:
        """Return what living leases name; clear away after those whose process died."""
        held: set[str] = set()
        for path in (self.folder / _LEASES).glob("*"):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # its process ended and took it along: it names nothing any more
            with os.fdopen(descriptor, encoding="utf-8") as lease:
                if _locked(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    path.unlink(missing_ok=True)
                    shutil.rmtree(self.folder / _WORK / path.name, ignore_errors=True)
                else:
                    held.update(lease.read().split("\0"))
        return held

    def _remove(self, held: set[str]) -> int:
        known = [(status, path) for path in (self.folder / _COPIES).rglob("*") if (status := _status_of_file(path))]
        known.sort(key=lambda each: each[0].st_mtime_ns)
        excess = sum(status.st_size for status, _ in known) - self._max_bytes
        removed = 0
        for status, path in known:
            if removed >= excess:
                break
            if str(path.relative_to(self.folder)) not in held:
                path.unlink(missing_ok=True)
                removed += status.st_size
        return removed


def _locked(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        return False
    return True


def _status_of_file(path: Path) -> os.stat_result | None:
    """Return the status of a file, nothing for a folder and for what another process dropped meanwhile."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def _give_back(descriptor: int, lease: Path, work: Path) -> None:
    """End a lease: the file first, then its lock, so that a sweep never meets one without the other."""
    lease.unlink(missing_ok=True)
    shutil.rmtree(work, ignore_errors=True)
    with suppress(OSError):
        os.close(descriptor)
