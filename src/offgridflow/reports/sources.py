"""What each source has in the ledger: billing periods of bills, months of the provider's own reports."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offgridflow.ledger import LiveCommit
    from offgridflow.ledger.reported import LiveReport


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source that is configured, or has something live in the ledger; ``commits`` and ``reports`` newest first."""

    source: str
    type: str
    """The type of the settings, else ``files``, or ``report`` where it brought a provider's own report only."""
    commits: "tuple[LiveCommit, ...]"
    reports: "tuple[LiveReport, ...]"

    @property
    def periods(self) -> int:
        """How many billing periods and months of reports are live."""
        return len(self.commits) + len(self.reports)

    @property
    def newest_period(self) -> str | None:
        """The newest of them, YYYY-MM."""
        known = [*(each.billing_period for each in self.commits), *(each.month for each in self.reports)]
        return max(known, default=None)

    @property
    def line_items(self) -> int:
        """The lines of its bills; a report has none."""
        return sum(commit.line_items for commit in self.commits)

    @property
    def last_committed_at(self) -> datetime | None:
        """When the last of them was committed."""
        bills, months = (each.committed_at for each in self.commits), (each.committed_at for each in self.reports)
        return max((*bills, *months), default=None)


def sources_of(
    configured: Mapping[str, str], commits: "Iterable[LiveCommit]", reports: "Iterable[LiveReport]"
) -> list[SourceState]:
    """Return the sources by name: those of the settings (name to type) and those found in the ledger."""
    bills: dict[str, list[LiveCommit]] = {name: [] for name in configured}
    months: dict[str, list[LiveReport]] = {}
    for commit in commits:
        bills.setdefault(commit.source, []).append(commit)
    for report in reports:
        months.setdefault(report.source, []).append(report)
    return [
        SourceState(
            name,
            configured.get(name) or ("report" if name in months and not bills.get(name) else "files"),
            tuple(sorted(bills.get(name, ()), key=lambda commit: commit.billing_period, reverse=True)),
            tuple(sorted(months.get(name, ()), key=lambda report: report.month, reverse=True)),
        )
        for name in sorted({*bills, *months})
    ]
