"""Where a ledger lives: a folder, or an object store (``remote``), which is another class with the same few methods.

Parquet is always written to a local path, then published (made durable, or uploaded), and only then named in a Delta
log. Published files never change, so a reader may keep a local copy for ever.
"""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from offgridflow.domain.errors import LedgerError
from offgridflow.ledger.places import is_remote, parse_place


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file: its path, of a data file relative to the table, size, and when it was written (seconds since 1970)."""

    path: str
    size_bytes: int
    modified_s: float


class Storage(Protocol):
    """The few things that a ledger asks of the place it lives in. Paths are relative, with ``/``."""

    @property
    def uri(self) -> str:
        """The ledger's address, for people."""

    @property
    def options(self) -> Mapping[str, str] | None:
        """What delta-rs needs to reach the place, None for a folder."""

    @property
    def local_folder(self) -> Path:
        """The folder on this machine below which all paths lie that are given out here."""

    def table_uri(self, table: str) -> str:
        """Return the address of a table for delta-rs."""

    def staging_path(self, table: str, path: str) -> Path:
        """Return the local path to write a new file to; its folder exists."""

    def publish(self, table: str, path: str) -> None:
        """Make a staged file durable under its final name. Safe to repeat."""

    def discard(self, table: str, path: str) -> None:
        """Remove a file that no log names; no error if there is none."""

    def local_paths(self, table: str, files: Sequence[tuple[str, int]]) -> list[Path]:
        """Return local paths of published files, given by path and size. Raises LedgerError if one is not there."""

    def fresh_path(self, table: str, path: str) -> Path:
        """Return a local path of a file as it lies in the place now. Raises LedgerError if it is not there."""

    def files(self, table: str) -> Iterator[StoredFile]:
        """Yield the data files of a table, named in its log or not."""

    def objects(self, prefix: str) -> Iterator[StoredFile]:
        """Yield everything below a prefix, by whole name: data files, logs, small objects."""

    def download(self, name: str, local: Path) -> None:
        """Copy what ``objects`` named to a local file. Raises FileNotFoundError if it is gone."""

    def upload(self, name: str, local: Path) -> None:
        """Write a local file to the place under that name."""

    def read(self, name: str) -> bytes | None:
        """Return a small object, None if there is none."""

    def write_new(self, name: str, content: bytes) -> bool:
        """Write a small object whole unless there is one; return whether this call wrote it."""

    def delete(self, name: str) -> None:
        """Delete a small object; no error if there is none."""

    def names(self, prefix: str) -> list[str]:
        """Return the names of the small objects under a prefix, sorted; the prefix ``""`` is the top."""


class LocalStorage:
    """A ledger in a folder.

    Args:
        root: the folder. Its own path must hold no hive partition (``source=``...) of ours: readers would take it for
            that of the file.

    """

    options: Mapping[str, str] | None = None

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        if any(part.startswith(("source=", "billing_period=", "commit_id=")) for part in self.root.parts):
            sentence = f"The ledger folder {root} has a part that reads as a partition of a ledger."
            raise LedgerError(
                sentence, action="Use a folder without source=, billing_period= or commit_id= in its path."
            )

    @property
    def uri(self) -> str:
        """The folder's path."""
        return str(self.root)

    @property
    def local_folder(self) -> Path:
        """The folder itself."""
        return self.root

    def table_uri(self, table: str) -> str:
        """Return the path of the table's folder."""
        return str(self.root / table)

    def staging_path(self, table: str, path: str) -> Path:
        """Return the final path: on a folder a file that no log names is as good as absent."""
        local = self.root / table / path
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.uri, error) from error
        return local

    def publish(self, table: str, path: str) -> None:
        """Flush the file and its folders to the disk."""
        local = self.root / table / path
        try:
            _flush(local)
            for folder in local.parents:
                if folder == self.root:
                    break
                _flush(folder)
        except OSError as error:
            raise _unwritable(self.uri, error) from error

    def discard(self, table: str, path: str) -> None:
        """Remove the file, and its folders where they are empty now."""
        local = self.root / table / path
        local.unlink(missing_ok=True)
        for folder in local.parents:
            if folder == self.root / table:
                break
            try:
                folder.rmdir()
            except OSError:
                break

    def local_paths(self, table: str, files: Sequence[tuple[str, int]]) -> list[Path]:
        """Return the paths of the files themselves."""
        return [self.fresh_path(table, path) for path, _ in files]

    def fresh_path(self, table: str, path: str) -> Path:
        """Return the path of the file itself."""
        local = self.root / table / path
        if not local.is_file():
            sentence = f"The ledger {self.uri} lacks the file {table}/{path} that its log names."
            raise LedgerError(sentence, action="Older versions go with vacuum; for the newest, restore from a backup.")
        return local

    def files(self, table: str) -> Iterator[StoredFile]:
        """Yield every Parquet file below the table's folder."""
        folder = self.root / table
        for local in sorted(folder.rglob("*.parquet")):
            path = local.relative_to(folder).as_posix()
            if is_data_file(path):
                status = local.stat()
                yield StoredFile(path, status.st_size, status.st_mtime)

    def objects(self, prefix: str) -> Iterator[StoredFile]:
        """Yield every file below a folder of the ledger."""
        for local in sorted((self.root / prefix).rglob("*")):
            if local.is_file():
                status = local.stat()
                yield StoredFile(local.relative_to(self.root).as_posix(), status.st_size, status.st_mtime)

    def download(self, name: str, local: Path) -> None:
        """Copy a file, with its times."""
        shutil.copy2(self.root / name, local)

    def upload(self, name: str, local: Path) -> None:
        """Copy a file in, with its times."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(local, target)

    def read(self, name: str) -> bytes | None:
        """Return the content of a file at the top of the ledger."""
        try:
            return (self.root / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _unreadable(self.uri, error) from error

    def write_new(self, name: str, content: bytes) -> bool:
        """Write beside, then link into place, which fails where the name is taken."""
        local = self.root / name
        beside = local.with_name(f".{local.name}.{os.getpid()}.{os.urandom(4).hex()}")
        try:
            local.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(content)
            _flush(beside)
            os.link(beside, local)
        except FileExistsError:
            return False
        except OSError as error:
            raise _unwritable(self.uri, error) from error
        finally:
            beside.unlink(missing_ok=True)
        return True

    def delete(self, name: str) -> None:
        """Delete the file."""
        (self.root / name).unlink(missing_ok=True)

    def names(self, prefix: str) -> list[str]:
        """Return the names in the folder ``prefix``."""
        folder = self.root / prefix
        if not folder.is_dir():
            return []
        return sorted(entry.relative_to(self.root).as_posix() for entry in folder.iterdir())


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unwritable(uri: str, error: OSError) -> LedgerError:
    reason = error.strerror or type(error).__name__
    return LedgerError(f"Cannot write to the ledger {uri}: {reason}.", action="Check permissions and free space.")


def _unreadable(uri: str, error: OSError) -> LedgerError:
    reason = error.strerror or type(error).__name__
    return LedgerError(f"Cannot read the ledger {uri}: {reason}.", action="Check the path and its permissions.")


def is_data_file(path: str) -> bool:
    """Whether a path in a table is a data file's: Parquet, and not a checkpoint of the log."""
    return path.endswith(".parquet") and not path.startswith("_")


def storage_of(uri: str | Path) -> Storage:
    """Return the storage of a ledger's address.

    Raises LedgerError for a scheme that is not supported, UsageError for an address that cannot be one, and
    MissingExtraError where what an object store needs is not installed.
    """
    text = str(uri)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return LocalStorage(Path(text))
    if scheme == "file":
        return LocalStorage(Path(rest))
    if is_remote(text):
        from offgridflow.ledger.remote import RemoteStorage  # noqa: PLC0415 - a folder needs nothing of it

        return RemoteStorage(parse_place(text, os.environ), os.environ)
    sentence = f"A ledger at {scheme}:// is not supported."
    raise LedgerError(sentence, action="Give a folder, or an address that begins with s3://, az:// or gs://.")
