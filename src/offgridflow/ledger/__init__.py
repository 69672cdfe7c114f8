"""The Delta tables: commit, replace, read, time travel, verify."""

from offgridflow.ledger.ledger import Ledger
from offgridflow.ledger.records import CommitRecord, CommitResult, LiveCommit, PartRecord, RawTotal, SubAccount
from offgridflow.ledger.snapshot import Snapshot
from offgridflow.ledger.staging import Staging
from offgridflow.ledger.tables import COMMIT_COLUMNS, QUARANTINE_COLUMNS, RATE_COLUMNS

__all__ = [
    "COMMIT_COLUMNS",
    "QUARANTINE_COLUMNS",
    "RATE_COLUMNS",
    "CommitRecord",
    "CommitResult",
    "Ledger",
    "LiveCommit",
    "PartRecord",
    "RawTotal",
    "Snapshot",
    "Staging",
    "SubAccount",
]
