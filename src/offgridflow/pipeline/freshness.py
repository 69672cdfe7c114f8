"""How old what we know of each source is: when its deliveries were listed last, when the last new one was committed.

Bills and the providers' own reports alike; a report's months are its periods.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from offgridflow.ledger import LiveCommit
from offgridflow.ledger.reported import LiveReport


@dataclass(frozen=True, slots=True)
class Freshness:
    """Of one source. ``lag_hours`` is since its last commit, None where nothing of it was ever committed.

    ``is_report``: it is a provider's own report, of which something new comes once a month.
    """

    source: str
    checked_at: datetime | None
    committed_at: datetime | None
    newest_period: str | None
    lag_hours: float | None
    is_report: bool = False

    def is_stale(self, limit_hours: float) -> bool:
        """Whether nothing new came for longer than ``limit_hours``; a source without any delivery has no age yet."""
        return self.lag_hours is not None and self.lag_hours > limit_hours


def freshness_of(
    sources: Iterable[str],
    live: Iterable[LiveCommit],
    checks: Mapping[str, datetime],
    now: datetime,
    reports: Iterable[LiveReport] = (),
) -> list[Freshness]:
    """Return the freshness of these sources, in their order. An instant after ``now`` (a clock set back) is no age."""
    commits: dict[str, list[_Commit]] = {}
    for commit in live:
        commits.setdefault(commit.source, []).append((commit.committed_at, commit.billing_period, False))
    for report in reports:
        commits.setdefault(report.source, []).append((report.committed_at, report.month, True))
    return [_of(name, commits.get(name, []), checks.get(name), now) for name in sources]


_Commit = tuple[datetime, str, bool]
"""When something was committed, its period, and whether it is a provider's report."""

_MONTH_CHARS: Final = len("YYYY-MM")


def _of(source: str, commits: list[_Commit], checked_at: datetime | None, now: datetime) -> Freshness:
    last = max((at for at, _, _ in commits), default=None)
    newest = max((period for _, period, _ in commits if len(period) == _MONTH_CHARS), default=None)
    lag = None if last is None else max(0.0, (now - last).total_seconds() / 3600)
    return Freshness(source, checked_at, last, newest, lag, any(is_report for _, _, is_report in commits))
