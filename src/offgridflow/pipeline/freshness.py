"""How old what we know of each source is: when its deliveries were listed last, when the last new one was committed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from offgridflow.ledger import LiveCommit


@dataclass(frozen=True, slots=True)
class Freshness:
    """Of one source. ``lag_hours`` is since its last commit, None where nothing of it was ever committed."""

    source: str
    checked_at: datetime | None
    committed_at: datetime | None
    newest_period: str | None
    lag_hours: float | None

    def is_stale(self, limit_hours: float) -> bool:
        """Whether nothing new came for longer than ``limit_hours``; a source without any delivery has no age yet."""
        return self.lag_hours is not None and self.lag_hours > limit_hours


def freshness_of(
    sources: Iterable[str],
    live: Iterable[LiveCommit],
    checks: Mapping[str, datetime],
    now: datetime,
) -> list[Freshness]:
    """Return the freshness of these sources, in their order. An instant after ``now`` (a clock set back) is no age."""
    commits: dict[str, list[LiveCommit]] = {}
    for commit in live:
        commits.setdefault(commit.source, []).append(commit)
    return [_of(name, commits.get(name, []), checks.get(name), now) for name in sources]


def _of(source: str, commits: list[LiveCommit], checked_at: datetime | None, now: datetime) -> Freshness:
    last = max((commit.committed_at for commit in commits), default=None)
    newest = max((commit.billing_period for commit in commits), default=None)
    lag = None if last is None else max(0.0, (now - last).total_seconds() / 3600)
    return Freshness(source, checked_at, last, newest, lag)
