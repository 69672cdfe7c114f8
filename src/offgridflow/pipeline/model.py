"""What an ingest is asked, what it answers, and the ports through which it touches the world."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal, Protocol

PeriodStatus = Literal["committed", "unchanged", "failed"]
RunStatus = Literal["ok", "partial", "failed"]


@dataclass(frozen=True, slots=True)
class Tally:
    """Lines and money of one reason."""

    line_items: int
    billed_cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a source, file or period failed: a stable code, one sentence, and what to do next.

    ``retry_class`` says when it is worth another run; see ``pipeline.failures``.
    """

    code: str
    sentence: str
    action: str
    retry_class: str = ""


@dataclass(frozen=True, slots=True)
class PeriodResult:
    """What became of one (source, billing period, currency). ``line_items`` and ``billed_cost`` are the raw delivery's.

    A file that could not be read at all is a failed result whose source and period may be None.
    """

    source: str | None
    billing_period: str | None
    provider: str | None
    format: str | None
    billing_currency: str | None
    status: PeriodStatus
    line_items: int = 0
    activities: int = 0
    excluded: dict[str, Tally] = field(default_factory=dict)
    quarantined: dict[str, Tally] = field(default_factory=dict)
    billed_cost: Decimal | None = None
    total_kgco2e: Decimal | None = None
    fingerprint: str | None = None
    error: Failure | None = None


@dataclass(frozen=True, slots=True)
class IngestResult:
    """All periods of one ingest, in the order of (source, period, currency); ``notes`` says what was left aside."""

    periods: tuple[PeriodResult, ...]
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> RunStatus:
        """``ok`` when nothing failed, ``failed`` when nothing else happened, else ``partial``."""
        failed = sum(period.status == "failed" for period in self.periods)
        if failed == 0:
            return "ok"
        return "failed" if failed == len(self.periods) else "partial"


class Progress(Protocol):
    """Told what is going on; a terminal, a log and a test listen."""

    def __call__(self, stage: str, detail: str, done: int, total: int) -> None:
        """Take note that ``done`` of ``total`` steps of ``stage`` are done; ``detail`` is for people."""


def no_progress(stage: str, detail: str, done: int, total: int) -> None:
    """Take note of nothing."""


def utc_now() -> datetime:
    """Return the present instant. The only place of the pipeline that looks at the clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Limits:
    """Resources of one ingest. ``memory_mib`` bounds the engine; the process needs about 200 MiB beside it."""

    threads: int = 2
    memory_mib: int = 600
    max_line_bytes: int = 16 * 2**20


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """How to ingest. ``source`` overrides the name read from the content.

    ``full`` reads and commits again what is live already under the same fingerprint and recipe.
    """

    source: str | None = None
    replace: bool = False
    allow_overlap: bool = False
    full: bool = False
    first_period: str | None = None
    last_period: str | None = None
    limits: Limits = field(default_factory=Limits)

    def covers(self, billing_period: str) -> bool:
        """Whether a billing period, YYYY-MM, lies between the first and the last that are asked for, inclusive."""
        return (self.first_period or "") <= billing_period <= (self.last_period or "9999-99")


@dataclass(frozen=True, slots=True)
class Ports:
    """The world: work folder, name of the run, clock, and who listens."""

    work_folder: Path
    run_id: str | None = None
    now: Callable[[], datetime] = utc_now
    progress: Progress = no_progress
