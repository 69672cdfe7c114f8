"""What is worth telling after a run: a source that failed or is stale, less coverage, a jump, more quarantine."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

import duckdb

from offgridflow.domain.identity import digest_of
from offgridflow.domain.model import USAGE
from offgridflow.domain.periods import Month
from offgridflow.ledger import Ledger
from offgridflow.pipeline.failures import RetryClass
from offgridflow.pipeline.freshness import Freshness
from offgridflow.pipeline.model import Failure, PeriodResult
from offgridflow.settings import AlertSettings

PeriodKey = tuple[str, str]


class AlertKind(StrEnum):
    """What happened."""

    SOURCE_FAILED = "source_failed"
    SOURCE_STALE = "source_stale"
    COVERAGE_FELL = "coverage_fell"
    TOTAL_JUMPED = "total_jumped"
    QUARANTINE_GREW = "quarantine_grew"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing to tell. ``alert_id`` is the same for the same fact, so that it is told once."""

    kind: AlertKind
    source: str
    billing_period: str | None
    sentence: str
    alert_id: str

    def body(self, at: datetime) -> str:
        """Return the alert as the JSON that a webhook gets; keys are stable, none holds a secret."""
        return json.dumps({**asdict(self), "at": at.isoformat()}, sort_keys=True)


@dataclass(frozen=True, slots=True)
class Figures:
    """What is compared of one live period. ``coverage`` is the estimated share of its cost, None where it cost nothing.

    ``committed_at`` tells whether the month was over when it was read.
    """

    commit_id: str
    committed_at: datetime
    total_kgco2e: Decimal
    coverage: float | None
    quarantined_lines: int

    def is_closed(self, period: str) -> bool:
        """Whether the month was over when this was committed, so that its total is comparable."""
        return self.committed_at >= Month.parse(period).next().start


_WEIGHT = "greatest(coalesce(billed_cost, 0), coalesce(effective_cost, 0), 0)"
_FIGURES = f"""
    SELECT coalesce(sum(total_kgco2e::DECIMAL(38,15)), 0),
        sum({_WEIGHT}) FILTER (status IN ('estimated', 'fallback')), sum({_WEIGHT}),
        (SELECT count(*) FROM quarantine WHERE source = $source AND billing_period = $period)
    FROM emissions WHERE charge_class = '{USAGE}' AND source = $source AND billing_period = $period
"""


def figures_of(ledger: Ledger, version: int, keys: Iterable[PeriodKey]) -> dict[PeriodKey, Figures]:
    """Return the figures of those periods that are live at a version."""
    con, keys = duckdb.connect(), set(keys)
    try:
        ledger.snapshot(version).of_periods(keys).attach(con)
        rows = con.execute("SELECT source, billing_period, commit_id, committed_at FROM commits").fetchall()
        live = {(row[0], row[1]): (row[2], row[3]) for row in rows}
        return {key: _figures(con, key, live[key]) for key in sorted(keys & set(live))}
    finally:
        con.close()


def _figures(con: duckdb.DuckDBPyConnection, key: PeriodKey, commit: tuple[str, datetime]) -> Figures:
    row = con.execute(_FIGURES, {"source": key[0], "period": key[1]}).fetchall()[0]
    total, covered, weight, quarantined = row
    coverage = float((covered or Decimal(0)) / weight) if weight else None
    return Figures(*commit, total, coverage, quarantined)


def with_months_before(keys: Iterable[PeriodKey]) -> set[PeriodKey]:
    """Return the periods together with the month before each, of the same source."""
    return {found for key in keys for found in (key, _before(key))}


def compare(
    before: Mapping[PeriodKey, Figures], after: Mapping[PeriodKey, Figures], limits: AlertSettings
) -> Iterator[Alert]:
    """Yield what is worth telling of the periods that were committed between two versions.

    A period is compared with what it replaced, a new one with the month before of its source. Totals are compared only
    of months that were over when they were read: an open month grows every day.
    """
    for key, new in sorted(after.items()):
        old = before.get(key)
        if old is not None and old.commit_id == new.commit_id:
            continue
        yield from _compare_period(key, old or after.get(_before(key)), new, limits, is_same_month=old is not None)


def _before(key: PeriodKey) -> PeriodKey:
    month = Month.parse(key[1])
    earlier = Month(month.year - 1, 12) if month.month == 1 else Month(month.year, month.month - 1)
    return (key[0], str(earlier))


def _compare_period(
    key: PeriodKey, old: Figures | None, new: Figures, limits: AlertSettings, *, is_same_month: bool
) -> Iterator[Alert]:
    source, period = key
    against = "before" if is_same_month else "the month before"
    quarantined = old.quarantined_lines if old is not None and is_same_month else 0
    if new.quarantined_lines > quarantined:
        sentence = f"{source} {period}: {new.quarantined_lines} lines stand in quarantine, {quarantined} before."
        yield _alert(AlertKind.QUARANTINE_GREW, key, new, sentence)
    if old is None:
        return
    if old.coverage is not None and new.coverage is not None and old.coverage - new.coverage > limits.coverage_drop:
        sentence = f"{source} {period}: {new.coverage:.1%} of the cost is estimated, {old.coverage:.1%} {against}."
        yield _alert(AlertKind.COVERAGE_FELL, key, new, sentence)
    is_closed = new.is_closed(period) and (not is_same_month or old.is_closed(period))
    change = new.total_kgco2e - old.total_kgco2e
    if is_closed and old.total_kgco2e > 0 and abs(change) > Decimal(str(limits.total_jump)) * old.total_kgco2e:
        sentence = f"{source} {period}: {new.total_kgco2e:.3f} kgCO2e, {old.total_kgco2e:.3f} {against}."
        yield _alert(AlertKind.TOTAL_JUMPED, key, new, sentence)


def _alert(kind: AlertKind, key: PeriodKey, new: Figures, sentence: str) -> Alert:
    return Alert(kind, key[0], key[1], sentence, digest_of([kind.value, *key, new.commit_id])[:32])


def stale(found: Iterable[Freshness], limits: AlertSettings) -> Iterator[Alert]:
    """Yield an alert for each source that is stale; the same silence is told once. Reports come once a month."""
    for each in found:
        limit = limits.report_stale_hours if each.is_report else limits.stale_hours
        if each.is_stale(limit) and each.since is not None:
            since = each.since.isoformat(timespec="minutes")
            what = "nothing new since" if each.committed_at else "nothing came since it was first tried,"
            sentence = f"{each.source}: {what} {since}, more than {limit:g} hours."
            alert_id = digest_of([AlertKind.SOURCE_STALE.value, each.source, each.since.isoformat()])[:32]
            yield Alert(AlertKind.SOURCE_STALE, each.source, None, sentence, alert_id)


def failed(
    periods: Iterable[PeriodResult],
    failing_since: Mapping[tuple[str, str | None], datetime],
    now: datetime,
    limits: AlertSettings,
) -> Iterator[Alert]:
    """Yield an alert for each source and error code that failed or is held; the same row of failures is told once.

    One cause may fail many periods: they are one alert. What fails in passing is told when it has failed for longer
    than a source may be silent.
    """
    patience = timedelta(hours=limits.stale_hours)
    lasting: dict[tuple[str, str], list[tuple[PeriodResult, Failure, datetime | None]]] = {}
    for each in periods:
        if each.error is None or each.source is None:
            continue
        since = failing_since.get((each.source, each.billing_period))
        if each.error.retry_class == RetryClass.TRANSIENT and (since is None or now - since <= patience):
            continue
        lasting.setdefault((each.source, each.error.code), []).append((each, each.error, since))
    for (source, code), found in lasting.items():
        first, error, _ = found[0]
        begun = min((since.isoformat() for _, _, since in found if since is not None), default="")
        alert_id = digest_of([AlertKind.SOURCE_FAILED.value, source, code, begun])[:32]
        sentence = f"{_where(source, [each for each, _, _ in found])}: {error.sentence} {error.action}".rstrip()
        period = first.billing_period if len(found) == 1 else None
        yield Alert(AlertKind.SOURCE_FAILED, source, period, sentence, alert_id)


def _where(source: str, periods: Sequence[PeriodResult]) -> str:
    """Return the source, with its period or how many."""
    names = sorted(each.billing_period for each in periods if each.billing_period is not None)
    if not names:
        return source
    return (
        f"{source} {names[0]}" if len(names) == 1 else f"{source}, {len(names)} periods from {names[0]} to {names[-1]}"
    )
