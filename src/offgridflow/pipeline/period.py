"""The last steps of one period: emissions file, rates, quarantine, commit; and reading a period back."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb

from offgridflow.domain.errors import CommitUnknownError, LedgerError
from offgridflow.domain.model import EMISSION_COLUMNS, USAGE, Rate
from offgridflow.domain.sql import sql_list, sql_text
from offgridflow.ledger import QUARANTINE_COLUMNS, CommitRecord, Ledger, LiveCommit
from offgridflow.ledger.records import CommitStatus
from offgridflow.ledger.rows import ArrowStream
from offgridflow.pipeline.model import PeriodResult, PeriodStatus, Tally
from offgridflow.pipeline.rate_card import emissions_query

_ROW_GROUP = 122_880
_MOST_IN_A_DICTIONARY = 10_000


@dataclass(frozen=True, slots=True)
class PeriodWork:
    """One (source, billing period), aggregated and rated on ``con`` (tables activities, card, quarantine).

    ``by_hour`` says that the card has lines of hours.
    """

    con: duckdb.DuckDBPyConnection
    source: str
    billing_period: str
    record: CommitRecord
    rates: Sequence[Rate]
    by_hour: bool = False


@dataclass(frozen=True, slots=True)
class Committed:
    """What became of a commit, with total kgCO2e per currency (None where nothing was estimated)."""

    status: CommitStatus
    total_kgco2e: dict[str | None, Decimal | None]


def commit_period(
    ledger: Ledger, work: PeriodWork, *, replace: bool, allow_overlap: bool, again: bool = False
) -> Committed:
    """Write the emissions of a period and make them its one live content.

    ``again`` replaces what is live even where fingerprint and recipe are the same.
    Raises LedgerError and its kinds; what was written is removed then.
    """
    staging = ledger.stage(work.source, work.billing_period)
    try:
        path = staging.emissions_file(0)
        write_emissions(work, path)
        totals = totals_of(work.con, path)
        result = ledger.commit(
            staging,
            work.record,
            rates=used_rates(work.con, path, work.rates),
            quarantine=_quarantine_of(work),
            replace=replace,
            allow_overlap=allow_overlap,
            again=again,
        )
    except CommitUnknownError:
        raise
    except LedgerError:
        staging.abandon()
        raise
    return Committed(result.status, totals)


def _quarantine_of(work: PeriodWork) -> ArrowStream | None:
    key = [work.source, work.billing_period]
    where = "FROM quarantine WHERE source = ? AND billing_period = ?"
    if work.con.execute(f"SELECT count(*) {where}", key).fetchall()[0][0] == 0:
        return None
    return work.con.sql(f"SELECT {', '.join(QUARANTINE_COLUMNS)} {where}", params=key)


def write_emissions(work: PeriodWork, path: Path) -> None:
    """Write the emissions of a period of ``activities`` to a Parquet file.

    Bloom filters are left out, and columns of many values are not tried as dictionaries for long: together a fifth of
    the time, and a file that is no larger.
    """
    con, columns = work.con, ", ".join(EMISSION_COLUMNS)
    where = "source = getvariable('write_source') AND billing_period = getvariable('write_period')"
    query = emissions_query(f"(FROM activities WHERE {where})", by_hour=work.by_hour)
    con.execute("SET VARIABLE write_source = ?", [work.source])
    con.execute("SET VARIABLE write_period = ?", [work.billing_period])
    try:
        con.execute(
            f"COPY (SELECT {columns} FROM ({query})) TO {sql_text(path)} "
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {_ROW_GROUP}, WRITE_BLOOM_FILTER false, "
            f"DICTIONARY_SIZE_LIMIT {_MOST_IN_A_DICTIONARY})",
        )
    except duckdb.IOException as error:
        why = str(error).splitlines()[0]
        sentence = f"The emissions of {work.source} {work.billing_period} cannot be written: {why}"
        raise LedgerError(
            sentence, action="Check permissions and free space of the ledger and the work folder."
        ) from error


def totals_of(con: duckdb.DuckDBPyConnection, path: Path) -> dict[str | None, Decimal | None]:
    """Return total kgCO2e per currency of an emissions file."""
    rows = con.execute(
        f"SELECT billing_currency, sum(total_kgco2e::DECIMAL(38,15)) FROM {sql_text(path)} GROUP BY 1",
    ).fetchall()
    return dict(rows)


def used_rates(con: duckdb.DuckDBPyConnection, path: Path, rates: Iterable[Rate]) -> tuple[Rate, ...]:
    """Return those of ``rates`` that the rows of an emissions file name."""
    named = {row[0] for row in con.execute(f"SELECT DISTINCT rate_id FROM {sql_text(path)}").fetchall()}
    return tuple(rate for rate in rates if rate.rate_id in named)


def read_back(ledger: Ledger, commits: Sequence[LiveCommit], status: PeriodStatus) -> Iterator[PeriodResult]:
    """Yield the results of live commits as the ledger holds them; reading many at once costs little more than one."""
    con = duckdb.connect()
    try:
        ledger.snapshot().of_periods(commit.key for commit in commits).attach(con)
        wanted = f"WHERE list_contains({sql_list(commit.commit_id for commit in commits)}, commit_id)"
        rows = _by_commit(
            con,
            "SELECT commit_id, billing_currency, charge_class, count(*), sum(line_items)::BIGINT, sum(billed_cost), "
            f"sum(effective_cost), sum(total_kgco2e::DECIMAL(38,15)) FROM emissions {wanted} GROUP BY ALL ORDER BY ALL",
        )
        quarantined = _by_commit(
            con,
            "SELECT commit_id, billing_currency, reason, count(*), sum(billed_cost) FROM quarantine "
            f"{wanted} GROUP BY ALL ORDER BY ALL",
        )
    finally:
        con.close()
    for commit in commits:
        yield from _results_of(commit, rows[commit.commit_id], quarantined[commit.commit_id], status)


_Rows = Sequence[tuple[Any, ...]]


def _by_commit(con: duckdb.DuckDBPyConnection, query: str) -> Mapping[str, _Rows]:
    """Return the rows of a query by their first column, without it."""
    found: defaultdict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for commit_id, *values in con.execute(query).fetchall():
        found[commit_id].append(tuple(values))
    return found


def _results_of(commit: LiveCommit, rows: _Rows, quarantined: _Rows, status: PeriodStatus) -> Iterator[PeriodResult]:
    for total in commit.raw_totals:
        own = [row for row in rows if row[0] == total.billing_currency]
        money = 5 if total.conserved_column == "effective_cost" else 4
        usage = [row for row in own if row[1] == USAGE]
        yield PeriodResult(
            source=commit.source,
            billing_period=commit.billing_period,
            provider=commit.provider,
            format=commit.format,
            billing_currency=total.billing_currency,
            status=status,
            line_items=total.line_items,
            activities=sum(row[2] for row in usage),
            excluded={row[1]: Tally(row[3], row[money]) for row in own if row[1] != USAGE},
            quarantined={row[1]: Tally(row[2], row[3]) for row in quarantined if row[0] == total.billing_currency},
            billed_cost=total.money,
            total_kgco2e=next((row[6] for row in usage), None),
            fingerprint=commit.fingerprint,
        )


class UnchangedResults:
    """What the live commits hold, as the results of a run that finds them unchanged. Safe among threads.

    What a commit holds never changes, so each is read once: with the first one asked for all others of its source, with
    the first one of another source all that there are. A run with nothing new then opens the ledger's files twice, and
    not once for every period.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[PeriodResult, ...]] = {}
        self._source: str | None = None
        self._lock = Lock()

    def of(self, ledger: Ledger, commit: LiveCommit) -> tuple[PeriodResult, ...]:
        """Return the results of a live commit."""
        with self._lock:
            if commit.commit_id not in self._known:
                self._read(ledger, commit)
            return self._known[commit.commit_id]

    def _read(self, ledger: Ledger, asked: LiveCommit) -> None:
        self._source = self._source or asked.source
        is_of_many = asked.source != self._source
        unknown = {
            key: commit
            for key, commit in ledger.live().items()
            if commit.commit_id not in self._known and (is_of_many or commit.source == asked.source)
        }
        unknown[asked.source, asked.billing_period] = asked
        found: dict[tuple[str | None, str | None], list[PeriodResult]] = {}
        for result in read_back(ledger, list(unknown.values()), "unchanged"):
            found.setdefault((result.source, result.billing_period), []).append(result)
        for key, commit in unknown.items():
            self._known[commit.commit_id] = tuple(found.get(key, ()))
