"""The ledger: open, look, stage, commit."""

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from offgridflow.domain.errors import LedgerError
from offgridflow.ledger.committing import Checkpoint, Committer, Request, World, inspect
from offgridflow.ledger.deltalog import DeltaLog
from offgridflow.ledger.records import CommitRecord, CommitResult, LiveCommit
from offgridflow.ledger.reported import ReportedHead, ReportedTable
from offgridflow.ledger.rows import ArrowStream
from offgridflow.ledger.side import RateRows, SideTables
from offgridflow.ledger.snapshot import Snapshot
from offgridflow.ledger.staging import Staging
from offgridflow.ledger.storage import Storage, storage_of
from offgridflow.ledger.tables import EMISSIONS, LAYOUT_VERSION, TABLES

MARKER: Final = "ledger.json"
RETENTION_DAYS: Final = 7 * 365 + 2
"""Seven years with their leap days: how long time travel lasts unless settings say otherwise."""


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


def random_hex() -> str:
    """Return 16 random hexadecimal digits."""
    return os.urandom(8).hex()


def no_checkpoint(step: str) -> None:
    """Take note of nothing."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What ``ledger.json`` says: the ledger's id for life, its layout, and its retention."""

    ledger_id: str
    layout: int
    created_at: str
    retention_days: int


class Ledger:
    """A ledger in a folder or an object store. Made by ``Ledger.open``.

    Safe to use from many threads and processes (spawned, never forked).

    Args:
        storage: the place.
        marker: what its ``ledger.json`` says.
        world: clock, randomness, sleep, checkpoint.

    """

    def __init__(self, storage: Storage, marker: Marker, world: World) -> None:
        self.storage = storage
        self.marker = marker
        self.world = world
        self.emissions = DeltaLog(storage, TABLES[EMISSIONS])
        self.side = SideTables(storage, world.clock, world.random_hex)
        self.reported = ReportedTable(storage, world, lambda: table_configuration(marker.retention_days))

    @classmethod
    def open(
        cls,
        uri: str | Path,
        *,
        create: bool = False,
        retention_days: int = RETENTION_DAYS,
        clock: Callable[[], datetime] = utc_now,
        random_hex: Callable[[], str] = random_hex,
        sleep: Callable[[float], None] = time.sleep,
        checkpoint: Checkpoint = no_checkpoint,
    ) -> "Ledger":
        """Open a ledger, or create it where there is none.

        Raises LedgerError if there is no ledger, if the folder holds something else, or if a newer version of
        OffGridFlow wrote it. ``retention_days`` counts at creation only.
        """
        storage = storage_of(uri)
        world = World(clock, random_hex, sleep, checkpoint)
        marker = read_marker(storage)
        if marker is None and create:
            marker = _create(storage, world, retention_days)
        if marker is None:
            sentence = f"There is no ledger at {storage.uri}."
            raise LedgerError(sentence, action="Check --ledger, or ingest something to create it.")
        if marker.layout > LAYOUT_VERSION:
            sentence = (
                f"The ledger {storage.uri} has layout {marker.layout}, this version of OffGridFlow knows up to "
                f"{LAYOUT_VERSION}."
            )
            raise LedgerError(sentence, action="Upgrade OffGridFlow.")
        return cls(storage, marker, world)

    def lying_in(self, storage: Storage) -> "Ledger":
        """Return this ledger as another place holds it: a copy, whose own ``ledger.json`` may not be there yet."""
        return Ledger(storage, self.marker, self.world)

    @property
    def uri(self) -> str:
        """The ledger's address, for people."""
        return self.storage.uri

    def version(self) -> int:
        """Return the ledger's version: that of the table ``emissions``."""
        return self.emissions.version()

    def live(self) -> dict[tuple[str, str], LiveCommit]:
        """Return the live commit of every (source, billing period). Reads a log, and rows that it has not seen yet."""
        heads = self.emissions.head().commits()
        known = self.side.commits(heads.values())
        _refuse_unrecorded(heads, known)
        return {key: known[commit_id] for key, commit_id in sorted(heads.items())}

    def find_unchanged(self, source: str, billing_period: str, fingerprint: str, recipe: str) -> LiveCommit | None:
        """Return the live commit of that period if the same delivery under the same recipe made it, else None."""
        commit_id = self.emissions.head().commits().get((source, billing_period))
        if commit_id is None:
            return None
        live = self.side.commits([commit_id]).get(commit_id)
        return live if live is not None and (live.fingerprint, live.recipe) == (fingerprint, recipe) else None

    def stage(self, source: str, billing_period: str) -> Staging:
        """Begin a commit: gives paths to write Parquet files of EMISSION_COLUMNS to.

        Raises LedgerError for a period that is not ``YYYY-MM`` or a source without a usable name.
        """
        commit_id = f"{self.world.clock():%Y%m%dT%H%M%SZ}-{self.world.random_hex()}"
        return Staging(self.storage, source, billing_period, commit_id)

    def commit(
        self,
        staging: Staging,
        record: CommitRecord,
        *,
        rates: RateRows | None = None,
        quarantine: ArrowStream | None = None,
        replace: bool = False,
        allow_overlap: bool = False,
        again: bool = False,
    ) -> CommitResult:
        """Make the staged files the one live content of their (source, billing period), or find that it is so already.

        Args:
            staging: from ``stage``, all its files written.
            record: what is to be known of the delivery.
            rates: the rates that the rows name: Rate objects, or an Arrow table of RATE_COLUMNS.
            quarantine: the lines that could not be read: an Arrow table of QUARANTINE_COLUMNS.
            replace: let a delivery replace one of more than twice its lines.
            allow_overlap: let the same account and month be live under another source too.
            again: replace what is live even where fingerprint and recipe are the same.

        Raises OverlapError, ShrinkError, CommitUnknownError (run it again: it finds out), LedgerError.

        """
        contents = inspect(staging, int(self.world.clock().timestamp() * 1000))
        self.world.checkpoint("staged")
        request = Request(staging, record, contents, replace, allow_overlap, again)
        return Committer(self.emissions, self.side, self.world).commit(request, rates, quarantine)

    def snapshot(self, version: int | None = None, as_of: datetime | None = None) -> Snapshot:
        """Return the ledger as it was at a version, or at an instant, or as it is now; later commits do not change it.

        The providers' own figures come as they were at that instant; of a version, as they were when it ended.
        Raises LedgerError if there is no such version, or if the ledger is younger than the instant.
        """
        if as_of is not None:
            version = self._version_at(as_of)
        reported = self._reported_at(version, as_of)
        return Snapshot(self.storage, self.emissions.head(version), self.side, reported)

    def _reported_at(self, version: int | None, as_of: datetime | None) -> ReportedHead:
        if as_of is not None:
            return self.reported.head_at(as_of)
        followers = [] if version is None else self.emissions.entries(version)
        ended = next((str(entry["at"]) for entry in reversed(followers) if "at" in entry), None)
        return self.reported.head() if ended is None else self.reported.head_at(datetime.fromisoformat(ended))

    def _version_at(self, instant: datetime) -> int:
        for entry in self.emissions.entries(-1):
            at = entry.get("at", self.marker.created_at)
            if datetime.fromisoformat(str(at)) <= instant:
                return int(entry["version"])
        sentence = f"The ledger {self.uri} was created after {instant.isoformat()}."
        raise LedgerError(sentence, action=f"Ask for an instant since {self.marker.created_at}.")

    def history(self) -> list[dict[str, Any]]:
        """Return what was done to the ledger, newest first: version, at, action, source, billing_period, commit_id."""
        created = {"action": "create", "at": self.marker.created_at}
        return [{**created, **entry} for entry in self.emissions.entries(-1)]


def _refuse_unrecorded(heads: Mapping[tuple[str, str], str], known: Mapping[str, LiveCommit]) -> None:
    for key, commit_id in heads.items():
        if commit_id not in known:
            sentence = (
                f"The ledger holds {' '.join(key)} as commit {commit_id}, of which the table commits knows nothing."
            )
            raise LedgerError(sentence, action="Run verify, and restore the table commits from a backup.")


def read_marker(storage: Storage) -> Marker | None:
    """Return what ``ledger.json`` says, None if there is none. Raises LedgerError if it cannot be understood."""
    content = storage.read(MARKER)
    if content is None:
        return None
    try:
        said = json.loads(content)
        return Marker(str(said["ledger_id"]), int(said["layout"]), str(said["created_at"]), int(said["retention_days"]))
    except (ValueError, KeyError, TypeError) as error:
        sentence = f"{MARKER} of the ledger {storage.uri} is not what OffGridFlow writes."
        raise LedgerError(sentence, action="Check the path, or restore the file from a backup.") from error


def table_configuration(retention_days: int) -> dict[str, str]:
    """Return the Delta properties of every table: how long time travel lasts, and that logs are never cut."""
    interval = f"interval {retention_days} days"
    return {
        "delta.logRetentionDuration": interval,
        "delta.deletedFileRetentionDuration": interval,
        "delta.enableExpiredLogCleanup": "false",
    }


def _create(storage: Storage, world: World, retention_days: int) -> Marker | None:
    """Create the tables, then the marker, without which a folder is no ledger: after a crash the next call goes on."""
    strange = [name for name in storage.names("") if name not in TABLES and not name.startswith(".")]
    if strange and read_marker(storage) is None:
        sentence = f"{storage.uri} is not empty and not a ledger: it holds {strange[0]}."
        raise LedgerError(sentence, action="Give an empty or a new folder.")
    configuration = table_configuration(retention_days)
    for spec in TABLES.values():
        DeltaLog(storage, spec).create(configuration)
        world.checkpoint(f"created {spec.name}")
    said = {
        "ledger_id": world.random_hex(),
        "layout": LAYOUT_VERSION,
        "created_at": world.clock().isoformat(),
        "retention_days": retention_days,
    }
    storage.write_new(MARKER, json.dumps(said, indent=2).encode() + b"\n")
    return read_marker(storage)
