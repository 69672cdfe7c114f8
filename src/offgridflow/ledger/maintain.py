"""Care of a ledger: forget, compact, pins. None of it changes what a reader of a kept version sees."""

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from deltalake.transaction import AddAction

from offgridflow.domain.errors import LedgerError
from offgridflow.ledger.deltalog import ConflictError, DeltaLog, Head, LiveFile
from offgridflow.ledger.ledger import Ledger
from offgridflow.ledger.rows import add_action, file_digest, merge_files
from offgridflow.ledger.staging import partition_path
from offgridflow.ledger.tables import COMMITS, EMISSIONS, TABLES

_MOST_RACES: Final = 1_000
_RACE_WAIT_S: Final = 0.05
_PINS: Final = "pins"
_PIN_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What ``forget`` took out: the version without it, and the (source, billing period) pairs."""

    version: int
    periods: tuple[tuple[str, str], ...]


def forget(ledger: Ledger, source: str, billing_period: str | None = None, *, run_id: str | None = None) -> Forgotten:
    """Take a source, or one period of it, out of the ledger. Its history, and an entry that says so, stay.

    A report of a provider goes the same way, by its months. Older versions still show it until ``vacuum`` removes their
    files. Raises LedgerError if it is not there.
    """
    reports = tuple((source, month) for month in ledger.reported.forget(source, billing_period, run_id=run_id))
    where = {"source": source} if billing_period is None else {"source": source, "billing_period": billing_period}

    def once(head: Head) -> Forgotten:
        periods = tuple(sorted({file.key for file in head.files if _selected(file, where)}))
        if not periods and reports:
            return Forgotten(head.version, reports)
        if not periods:
            sentence = f"The ledger holds nothing of {' '.join(where.values())}."
            raise LedgerError(sentence, action="See what it holds with sources.")
        meta = {**_event(ledger, "forget"), **where, "run_id": run_id, "periods": [key[1] for key in periods]}
        return Forgotten(ledger.emissions.swap(head, [], where, meta), (*periods, *reports))

    return until_it_lands(ledger, ledger.emissions, once)


def _selected(file: LiveFile, where: Mapping[str, str]) -> bool:
    return all(file.partition[name] == value for name, value in where.items())


def _event(ledger: Ledger, action: str) -> dict[str, object]:
    return {"action": action, "event": ledger.world.random_hex(), "at": ledger.world.clock().isoformat()}


def until_it_lands(ledger: Ledger, log: DeltaLog, once: Callable[[Head], Done]) -> Done:
    """Call ``once`` with the newest head until no other commit comes first; LedgerError after very many times."""
    for _ in range(_MOST_RACES):
        try:
            return once(log.head())
        except ConflictError:
            ledger.world.sleep(_RACE_WAIT_S)
    sentence = f"The ledger was busy: {_MOST_RACES} times another commit came first."
    raise LedgerError(sentence, action="Run it again.")


def compact(ledger: Ledger) -> int:
    """Pack periods that have several files, and the rows of ``commits``, into one file each; return the files saved.

    Rows, digest and commit ids stay. The old files stay until ``vacuum``, for readers of older versions.
    """
    saved = _pack(ledger, ledger.side.logs[COMMITS], {})
    seen = Counter(tuple(file.partition.items()) for file in ledger.emissions.head().files)
    for partition in (dict(items) for items, files in seen.items() if files > 1):
        saved += _pack(ledger, ledger.emissions, partition)
    return saved


def _pack(ledger: Ledger, log: DeltaLog, partition: Mapping[str, str]) -> int:
    def once(head: Head) -> int:
        files = [file for file in head.files if _selected(file, partition)]
        if len(files) <= 1:
            return 0
        action, digest = _merged(ledger, log, partition, files)
        meta = {**_event(ledger, "compact"), **partition, "files": {action.path: digest}}
        try:
            log.swap(head, [action], partition, meta)
        except ConflictError:
            ledger.storage.discard(log.spec.name, action.path)
            raise
        return len(files) - 1

    return until_it_lands(ledger, log, once)


def _merged(
    ledger: Ledger,
    log: DeltaLog,
    partition: Mapping[str, str],
    files: list[LiveFile],
) -> tuple[AddAction, str]:
    table = log.spec.name
    folder = f"{partition_path(dict(partition))}/" if partition else ""
    name = f"{folder}packed-{ledger.world.random_hex()}.parquet"
    path = ledger.storage.staging_path(table, name)
    merge_files(TABLES[table], ledger.side.paths(table, files), path)
    action = add_action(path, name, partition, int(ledger.world.clock().timestamp() * 1000))
    digest = file_digest(path)
    ledger.storage.publish(table, name)
    return action, digest


def pin(ledger: Ledger, version: int, name: str) -> None:
    """Keep a version readable for as long as the pin lasts, whatever the retention.

    Raises LedgerError for a version that is not readable, or a name that is not plain or names another version.
    """
    if not _PIN_NAME.fullmatch(name):
        sentence = f"{name!r} cannot name a pin."
        raise LedgerError(sentence, action="Use up to 100 letters, digits, dots, dashes and underscores.")
    content = json.dumps({"version": version, "at": ledger.world.clock().isoformat()}).encode()
    ledger.snapshot(version)
    if not ledger.storage.write_new(f"{_PINS}/{name}.json", content) and pins(ledger).get(name) != version:
        sentence = f"The pin {name!r} names another version already."
        raise LedgerError(sentence, action="Remove that pin first, or choose another name.")
    there = {file.path for file in ledger.storage.files(EMISSIONS)}
    gone = next((file.path for file in ledger.emissions.head(version).files if file.path not in there), None)
    if gone is not None:
        sentence = f"The ledger {ledger.uri} lacks the file {EMISSIONS}/{gone} that its log names."
        raise LedgerError(sentence, action="Older versions go with vacuum: that one cannot be kept any more.")


def unpin(ledger: Ledger, name: str) -> None:
    """Remove a pin; no error if there is none."""
    if _PIN_NAME.fullmatch(name):
        ledger.storage.delete(f"{_PINS}/{name}.json")


def pins(ledger: Ledger) -> dict[str, int]:
    """Return the pinned versions by name."""
    found: dict[str, int] = {}
    for stored in ledger.storage.names(_PINS):
        content = ledger.storage.read(stored)
        if stored.endswith(".json") and not stored.startswith(f"{_PINS}/.") and content is not None:
            found[stored.removeprefix(f"{_PINS}/").removesuffix(".json")] = int(json.loads(content)["version"])
    return found
