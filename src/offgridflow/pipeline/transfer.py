"""A ledger copied whole from folder to folder, and proven equal: export and import.

Logs are copied before the files that they name, ``emissions`` first: what is committed meanwhile is not in the copy,
and nothing that is in its log is missing. The copy gets its name only once its digest is that of the original. Run
history and access tokens, which are no part of a ledger, stay behind.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from offgridflow.domain.errors import LedgerError, UsageError
from offgridflow.ledger import Ledger, verify
from offgridflow.ledger.ledger import MARKER
from offgridflow.ledger.storage import LocalStorage
from offgridflow.ledger.tables import EMISSIONS, TABLES

_LOG = "_delta_log"


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: the version, its digest on both sides, files and bytes."""

    ledger_version: int
    digest: str
    files: int
    bytes_copied: int


def copy_ledger(origin: str, target: Path) -> Copied:
    """Copy the ledger at ``origin`` with its whole history to a new folder.

    Raises UsageError where the target is there already or the ledger is not in a folder, LedgerError where the copy
    cannot be written or is not equal; nothing is left behind then.
    """
    ledger = Ledger.open(origin)
    if not isinstance(ledger.storage, LocalStorage):
        sentence = f"The ledger {origin} is not in a folder."
        raise UsageError(sentence, action="Copy it with the tools of its object store.")
    if target.exists():
        sentence = f"{target} is there already."
        raise UsageError(sentence, action="Name a folder that is not there yet.")
    beside = target.with_name(f".{target.name}.{os.urandom(4).hex()}")
    try:
        copied = _copied_and_proven(ledger, ledger.storage.root, beside)
        beside.rename(target)
    except OSError as error:
        sentence = f"{target} cannot be written: {error.strerror or type(error).__name__}."
        raise LedgerError(sentence, action="Check permissions and free space.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return copied


def _copied_and_proven(ledger: Ledger, root: Path, target: Path) -> Copied:
    files = size = 0
    for path in _in_order(root):
        aim = target / path.relative_to(root)
        aim.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(path, aim)
        except FileNotFoundError:
            continue  # swept meanwhile; if the copy needs it, it is found wanting below
        files += 1
        size += aim.stat().st_size
    copy = Ledger.open(target)
    version = copy.version()
    told, ours = verify(copy.snapshot()), verify(ledger.snapshot(version))
    broken = [check.name for check in told.checks if not check.ok]
    if told.digest != ours.digest or broken:
        what = f"fails {', '.join(broken)}" if broken else "has another digest"
        sentence = f"The copy of {ledger.uri} {what}."
        raise LedgerError(sentence, action="Run 'offgridflow verify' on the original, then try again.")
    return Copied(version, told.digest, files, size)


def _in_order(root: Path) -> Iterator[Path]:
    tables = [EMISSIONS, *(name for name in TABLES if name != EMISSIONS)]
    for name in tables:
        logs = (path for path in (root / name / _LOG).rglob("*") if path.is_file())
        yield from sorted(logs, key=lambda path: (path.name != "_last_checkpoint", path))
    for name in tables:
        files = (path for path in (root / name).rglob("*.parquet") if _LOG not in path.parts and path.is_file())
        yield from sorted(files)
    yield from (path for path in sorted((root / "pins").glob("*")) if path.is_file())
    yield root / MARKER
