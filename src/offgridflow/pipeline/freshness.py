"""How old what we know of each source is: when its deliveries were listed last, when the last new one was committed.

Bills and the providers' own reports alike; a report's months are its periods.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from offgridflow.ledger import LiveCommit
from offgridflow.ledger.reported import LiveReport


@dataclass(frozen=True, slots=True)
class Freshness:
    """Of one source. ``lag_hours`` is since its last commit; where there was none, since it was first tried.

    None where it was never tried either. ``is_report``: it is a provider's own report, of which something new comes
    once a month.
    """

    source: str
    checked_at: datetime | None
    committed_at: datetime | None
    newest_period: str | None
    lag_hours: float | None
    is_report: bool = False
    tried_at: datetime | None = None

    @property
    def since(self) -> datetime | None:
        """From when on its age counts: its last commit, else the first try."""
        return self.committed_at or self.tried_at

    def is_stale(self, limit_hours: float) -> bool:
        """Whether nothing new came for longer than ``limit_hours``; a source that was never tried has no age yet."""
        return self.lag_hours is not None and self.lag_hours > limit_hours


def freshness_of(
    sources: Iterable[str],
    live: Iterable[LiveCommit],
    checks: Mapping[str, datetime],
    now: datetime,
    reports: Iterable[LiveReport] = (),
    tried: Mapping[str, datetime] = MappingProxyType({}),
    report_sources: Collection[str] = (),
) -> list[Freshness]:
    """Return the freshness of these sources, in their order. An instant after ``now`` (a clock set back) is no age.

    ``tried`` says when each was first tried; ``report_sources`` are reports although nothing of them was committed yet.
    """
    commits: dict[str, list[_Commit]] = {}
    for commit in live:
        commits.setdefault(commit.source, []).append((commit.committed_at, commit.billing_period, False))
    for report in reports:
        commits.setdefault(report.source, []).append((report.committed_at, report.month, True))
    found = [_of(name, commits.get(name, []), (checks.get(name), tried.get(name)), now) for name in sources]
    return [replace(each, is_report=True) if each.source in report_sources else each for each in found]


_Commit = tuple[datetime, str, bool]
"""When something was committed, its period, and whether it is a provider's report."""

_MONTH_CHARS: Final = len("YYYY-MM")


def _of(
    source: str, commits: list[_Commit], known: tuple[datetime | None, datetime | None], now: datetime
) -> Freshness:
    checked_at, tried_at = known
    last = max((at for at, _, _ in commits), default=None)
    newest = max((period for _, period, _ in commits if len(period) == _MONTH_CHARS), default=None)
    since = last or tried_at
    lag = None if since is None else max(0.0, (now - since).total_seconds() / 3600)
    return Freshness(source, checked_at, last, newest, lag, any(is_report for _, _, is_report in commits), tried_at)
