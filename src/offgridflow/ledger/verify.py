"""Prove a snapshot: every file, line, cent and impact of it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from offgridflow.domain.errors import LedgerError
from offgridflow.ledger.checks import Check, conservation_checks, rate_check, row_checks, words_check
from offgridflow.ledger.deltalog import DeltaLog, LiveFile, first_line
from offgridflow.ledger.digest import digest_of_views
from offgridflow.ledger.reported import altered_reports
from offgridflow.ledger.rows import file_digest
from offgridflow.ledger.snapshot import Snapshot
from offgridflow.ledger.tables import COMMITS, EMISSIONS, QUARANTINE, RATES, TABLES, connect
from offgridflow.ledger.vacuum import unnamed_files

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The laws of a ledger and its digest; ``digest`` is empty where the rows cannot be read."""

    ledger_version: int
    digest: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether all laws hold."""
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "ledger_version": self.ledger_version,
            "digest": self.digest,
            "checks": [asdict(check) for check in self.checks],
        }


def verify(snapshot: Snapshot) -> VerifyReport:
    """Check every law of the ledger on a snapshot. Never raises for what it looks for: that is a check that fails."""
    checks = [_periods_once(snapshot), *_files(snapshot), _reports(snapshot)]
    con = connect()
    try:
        snapshot.attach_unchecked(con)
        digest = digest_of_views(con)
        checks += [
            _recorded(con, snapshot),
            *conservation_checks(con),
            *row_checks(con),
            words_check(con),
            rate_check(con),
            _accounts_once(con),
            _orphans(snapshot),
        ]
        readable = Check("rows_readable", ok=True, detail=f"{len(snapshot.head.files)} files of emissions")
    except (LedgerError, duckdb.Error) as error:
        digest, readable = "", Check("rows_readable", ok=False, detail=first_line(error))
    finally:
        con.close()
    return VerifyReport(snapshot.version, digest, (readable, *checks))


def _shown(names: Iterable[str], none: str) -> str:
    listed = sorted(names)
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + more if listed else none


def _periods_once(snapshot: Snapshot) -> Check:
    commits: dict[tuple[str, str], set[str]] = {}
    for file in snapshot.head.files:
        commits.setdefault(file.key, set()).add(file.commit_id)
    twice = [" ".join(key) for key, ids in commits.items() if len(ids) > 1]
    return Check("periods_once", ok=not twice, detail=_shown(twice, f"{len(commits)} periods, each of one commit"))


def _files(snapshot: Snapshot) -> list[Check]:
    """Return whether all live files are there, and whether those of emissions are byte for byte what was committed."""
    absent: list[str] = []
    altered: list[str] = []
    told = _told_digests(snapshot)
    for table in (EMISSIONS, RATES, QUARANTINE, COMMITS):
        for file in snapshot.files(table):
            local = _local(snapshot, table, file)
            if local is None:
                absent.append(f"{table}/{file.path}")
            elif _is_altered(local, file, told.get(file.path) if table == EMISSIONS else None):
                altered.append(f"{table}/{file.path}")
    return [
        Check("files_present", ok=not absent, detail=_shown(absent, "all files that the log names")),
        Check("files_unaltered", ok=not altered, detail=_shown(altered, f"{len(told)} digests and all sizes compared")),
    ]


def _reports(snapshot: Snapshot) -> Check:
    """Return whether the live files of the providers' own figures are byte for byte what was committed."""
    wrong = altered_reports(snapshot.storage, snapshot.reported)
    count = len(snapshot.reported.reports)
    return Check("reports_unaltered", ok=not wrong, detail=_shown(wrong, f"{count} digests compared"))


def _told_digests(snapshot: Snapshot) -> dict[str, str]:
    live = {file.path for file in snapshot.head.files}
    entries = DeltaLog(snapshot.storage, TABLES[EMISSIONS]).entries(-1)
    return {
        path: str(digest) for entry in entries for path, digest in (entry.get("files") or {}).items() if path in live
    }


def _local(snapshot: Snapshot, table: str, file: LiveFile) -> Path | None:
    try:
        return snapshot.storage.fresh_path(table, file.path)
    except LedgerError:
        return None


def _is_altered(local: Path, file: LiveFile, digest: str | None) -> bool:
    return local.stat().st_size != file.size_bytes or (digest is not None and file_digest(local) != digest)


def _recorded(con: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Check:
    rows: list[tuple[str]] = con.execute("SELECT commit_id FROM commits").fetchall()
    absent = snapshot.commit_ids - {row[0] for row in rows}
    return Check("commits_recorded", ok=not absent, detail=_shown(absent, f"{len(rows)} live commits"))


def _orphans(snapshot: Snapshot) -> Check:
    """Say which files no log names. They are not read and do no harm, so they are told, not held against the ledger."""
    found = [f"{table}/{file.path}" for table, file in unnamed_files(snapshot.storage)]
    return Check("orphans", ok=True, detail=_shown(found, "no file that the logs do not name"))


def _accounts_once(con: duckdb.DuckDBPyConnection) -> Check:
    """Say which accounts are live under two sources. Settings may allow that, so it is told, not held against them."""
    rows: list[tuple[str]] = con.execute(
        "SELECT concat_ws(' ', a.provider, coalesce(a.sub_account_id, a.billing_account_id), billing_period) "
        "FROM (SELECT source, billing_period, unnest(sub_accounts) AS a FROM commits) "
        "GROUP BY a, billing_period HAVING count(DISTINCT source) > 1",
    ).fetchall()
    overlaps = [row[0] for row in rows]
    detail = _shown(overlaps, "no account and month under two sources")
    return Check("accounts_once", ok=True, detail=f"allowed by settings: {detail}" if overlaps else detail)
