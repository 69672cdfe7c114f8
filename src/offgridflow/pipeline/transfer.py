"""A ledger copied whole from place to place, and proven equal: export and import.

Logs are copied before the files that they name, ``emissions`` first: what is committed meanwhile is not in the copy,
and nothing that is in its log is missing. A copy is a ledger only once its digest is that of the original: a folder
gets its name then, an object store ``ledger.json``. Run history and access tokens, which are no part of a ledger, stay
behind.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from offgridflow.domain.errors import LedgerError, UsageError
from offgridflow.ledger import Ledger, verify
from offgridflow.ledger.ledger import MARKER
from offgridflow.ledger.storage import LocalStorage, Storage, storage_of
from offgridflow.ledger.tables import EMISSIONS, TABLES

_LOG = "_delta_log"


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied and where to: the version, its digest on both sides, files and bytes."""

    uri: str
    ledger_version: int
    digest: str
    files: int
    bytes_copied: int


def copy_ledger(origin: str, target: str | Path) -> Copied:
    """Copy the ledger at ``origin`` with its whole history to a new folder, or to an empty prefix of an object store.

    Raises UsageError where something is there already, LedgerError where the copy cannot be written or is not equal;
    nothing is left behind then.
    """
    ledger = Ledger.open(origin)
    storage = storage_of(target)
    if isinstance(storage, LocalStorage):
        return _copied_to_folder(ledger, storage.root)
    if storage.names(""):
        sentence = f"{storage.uri} is not empty."
        raise UsageError(sentence, action="Name a prefix under which nothing is yet.")
    with _cleared_on_failure(storage):
        return _copied_and_proven(ledger, storage)


def _copied_to_folder(ledger: Ledger, target: Path) -> Copied:
    _refuse_within(ledger, target)
    if target.exists():
        sentence = f"{target} is there already."
        raise UsageError(sentence, action="Name a folder that is not there yet.")
    beside = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        beside.mkdir(parents=True)  # the ledger would take a folder that cannot be made for one without tables
        copied = _copied_and_proven(ledger, LocalStorage(beside))
        beside.rename(target)
    except OSError as error:
        sentence = f"{target} cannot be written: {error.strerror or type(error).__name__}."
        raise LedgerError(sentence, action="Check permissions and free space.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Copied(str(target), copied.ledger_version, copied.digest, copied.files, copied.bytes_copied)


def _refuse_within(ledger: Ledger, target: Path) -> None:
    """Raise UsageError for a copy within the ledger, which would become a part of it."""
    if not isinstance(ledger.storage, LocalStorage):
        return
    root = ledger.storage.root.resolve()
    if target.resolve().is_relative_to(root):
        sentence = f"{target} lies within the ledger {ledger.uri}."
        raise UsageError(sentence, action="Name a folder outside of it.")


@contextmanager
def _cleared_on_failure(storage: Storage) -> Iterator[None]:
    """Delete what was written to a place that was empty, unless it ended well."""
    done = False
    try:
        yield
        done = True
    finally:
        if not done:
            for left in list(storage.objects("")):
                storage.delete(left.path)


def _copied_and_proven(ledger: Ledger, target: Storage) -> Copied:
    files = size = 0
    with tempfile.TemporaryDirectory(prefix="offgridflow-") as folder:
        for name in _in_order(ledger.storage):
            try:
                size += _copy_object(ledger.storage, target, name, Path(folder) / "aside")
            except FileNotFoundError:
                continue  # swept meanwhile; if the copy needs it, it is found wanting below
            files += 1
    copy = ledger.lying_in(target)
    version = copy.version()
    told, ours = verify(copy.snapshot()), verify(ledger.snapshot(version))
    broken = [check.name for check in told.checks if not check.ok]
    if told.digest != ours.digest or broken:
        what = f"fails {', '.join(broken)}" if broken else "has another digest"
        sentence = f"The copy of {ledger.uri} {what}."
        raise LedgerError(sentence, action="Run 'offgridflow verify' on the original, then try again.")
    marker = ledger.storage.read(MARKER) or b""
    target.write_new(MARKER, marker)
    return Copied(target.uri, version, told.digest, files + 1, size + len(marker))


def _copy_object(origin: Storage, target: Storage, name: str, aside: Path) -> int:
    """Copy one object, and return its size in bytes."""
    if isinstance(target, LocalStorage):
        aside = target.root / name
        aside.parent.mkdir(parents=True, exist_ok=True)
        origin.download(name, aside)
    else:
        origin.download(name, aside)
        target.upload(name, aside)
    return aside.stat().st_size


def _in_order(storage: Storage) -> Iterator[str]:
    """Yield what a ledger consists of but for ``ledger.json``, in the order in which it must be copied."""
    tables = [EMISSIONS, *(name for name in TABLES if name != EMISSIONS)]
    for table in tables:
        logs = [each.path for each in storage.objects(f"{table}/{_LOG}")]
        yield from sorted(logs, key=lambda path: (PurePosixPath(path).name != "_last_checkpoint", path))
    for table in tables:
        yield from (f"{table}/{each.path}" for each in storage.files(table))
    yield from (each.path for each in storage.objects("pins"))
