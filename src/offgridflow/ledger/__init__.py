"""The Delta tables: commit, replace, read, time travel, verify."""

from offgridflow.ledger.checks import Check
from offgridflow.ledger.ledger import Ledger
from offgridflow.ledger.maintain import Forgotten, compact, forget, pin, pins, unpin
from offgridflow.ledger.records import CommitRecord, CommitResult, LiveCommit, PartRecord, RawTotal, SubAccount
from offgridflow.ledger.snapshot import Snapshot
from offgridflow.ledger.staging import Staging
from offgridflow.ledger.tables import COMMIT_COLUMNS, QUARANTINE_COLUMNS, RATE_COLUMNS
from offgridflow.ledger.vacuum import Swept, orphans, vacuum
from offgridflow.ledger.verify import VerifyReport, verify

__all__ = [
    "COMMIT_COLUMNS",
    "QUARANTINE_COLUMNS",
    "RATE_COLUMNS",
    "Check",
    "CommitRecord",
    "CommitResult",
    "Forgotten",
    "Ledger",
    "LiveCommit",
    "PartRecord",
    "RawTotal",
    "Snapshot",
    "Staging",
    "SubAccount",
    "Swept",
    "VerifyReport",
    "compact",
    "forget",
    "orphans",
    "pin",
    "pins",
    "unpin",
    "vacuum",
    "verify",
]
