"""What every runner notes of a run: when it began and ended, what came of each period, what is held and let go."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib.metadata import version
from threading import Event as Flag
from typing import Any

from offgridflow.cloud import logs
from offgridflow.connectors.delivery import Delivery
from offgridflow.connectors.reports import ReportDelivery
from offgridflow.domain.identity import digest_of
from offgridflow.ledger import Ledger
from offgridflow.pipeline.failures import HELD
from offgridflow.pipeline.model import Failure, IngestResult, PeriodResult
from offgridflow.pipeline.period import read_back
from offgridflow.pipeline.runs import Hold, RunStore

_logger = logging.getLogger(__name__)
_UNKNOWN = frozenset({"COMMIT_UNKNOWN"})
_HOLDS_NOTHING = frozenset({"REPORT_DENIED"})
"""Failures of one account in an answer that is good for the others, which are to go on."""


@dataclass(frozen=True, slots=True)
class HeldPeriod:
    """A delivery that is not tried again: its fingerprint, and what is said of it instead."""

    fingerprint: str
    failure: Failure


@dataclass(frozen=True, slots=True)
class Journal:
    """The notes of one run under way.

    Args:
        store: where they go.
        run_id: the run.
        now: the clock.
        stop: whether somebody asked it to end.

    """

    store: RunStore
    run_id: str
    now: Callable[[], datetime]
    stop: Callable[[], bool]
    stopped: Flag = field(default_factory=Flag)
    periods: list[PeriodResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, result: IngestResult, *, is_untried: bool = False) -> None:
        """Note a result, and log what failed in it; ``is_untried`` where it stands for something that is held."""
        held = frozenset(range(len(result.periods))) if is_untried else frozenset()
        self.store.note(self.run_id, self.now(), result.periods, held)
        for period in result.periods:
            if period.error is not None:
                _log_failure(self.run_id, period, period.error, is_held=is_untried)
        self.periods.extend(result.periods)
        self.notes.extend(result.notes)

    def must_stop(self) -> bool:
        """Whether the run is to end; once it is, it stays so."""
        if self.stop():
            self.stopped.set()
        return self.stopped.is_set()

    @property
    def result(self) -> IngestResult:
        """Everything that was noted."""
        return IngestResult(tuple(self.periods), tuple(self.notes))


def _log_failure(run_id: str, period: PeriodResult, failure: Failure, *, is_held: bool) -> None:
    """Log why a source or period failed or is held."""
    if not logs.is_read():
        return
    fields = {
        "run_id": run_id,
        "source": period.source,
        "billing_period": period.billing_period,
        "error_code": failure.code,
        "retry_class": failure.retry_class,
        "sentence": failure.sentence,
        "action": failure.action,
    }
    what = "source" if period.billing_period is None else "period"
    _logger.warning("%s %s", what, "held" if is_held else "failed", extra={"fields": fields})


class SourceBook:
    """What is held of one source: asked before something is tried, told what came of it.

    Args:
        store: where holds are kept.
        name: the source.
        digest: of its settings: another one releases every hold.
        retry_held: try what is held too.
        probe_after: how long a source whose listing failed is held before it is tried unasked.
        now: the clock.

    """

    def __init__(
        self,
        store: RunStore,
        name: str,
        digest: str,
        *,
        retry_held: bool,
        probe_after: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self.name = name
        self._store = store
        self._digest = digest
        self._retry_held = retry_held
        self._probe_after = probe_after
        self._now = now
        self._holds = {key[1]: hold for key, hold in store.holds().items() if key[0] == name}

    def held_source(self) -> Failure | None:
        """Return why the whole source is not tried, None where it is."""
        hold = self._holds.get("")
        return None if hold is None or self._may_help(hold) else _told(hold)

    def held_periods(self) -> dict[str, HeldPeriod]:
        """Return what is held under the settings as they are, by period."""
        return {
            period: HeldPeriod(hold.fingerprint, _told(hold))
            for period, hold in self._holds.items()
            if period and not self._may_help(hold)
        }

    def _may_help(self, hold: Hold) -> bool:
        """Return whether another try of the same may end otherwise: asked for, or nobody can tell but by it."""
        if self._retry_held or hold.settings_digest != self._digest:
            return True
        age = self._now() - hold.since
        return not hold.fingerprint and not timedelta(0) <= age < self._probe_after

    def listing_failed(self, failure: Failure) -> IngestResult:
        """Hold the source if a change alone can help; return what is said of it."""
        self._keep("", "", failure)
        return failed_source(self.name, failure)

    def listed(self) -> None:
        """Note that its deliveries could be listed."""
        self._store.note_check(self.name, self._now())
        self._let_go("")

    def settled(self, periods: Sequence[PeriodResult], fingerprints: Mapping[str, str]) -> None:
        """Hold what failed and would fail again, release what went well; ``fingerprints`` say what was tried."""
        for period in periods:
            name = period.billing_period
            if name is None:
                continue
            if period.error is None:
                self._let_go(name)
            elif name in fingerprints:
                self._keep(name, fingerprints[name], period.error)

    def _keep(self, period: str, fingerprint: str, failure: Failure) -> None:
        if failure.code in _HOLDS_NOTHING:
            return
        if failure.retry_class not in HELD:
            self._let_go(period)
            return
        self._store.hold(Hold(self.name, period, self._digest, fingerprint, failure, self._now()))

    def _let_go(self, period: str) -> None:
        if period in self._holds:
            self._store.release(self.name, period)


def failed_source(name: str, failure: Failure) -> IngestResult:
    """Return the result of a source of which nothing could be tried."""
    return IngestResult((PeriodResult(name, None, None, None, None, "failed", error=failure),))


def _tried(delivery: Delivery | ReportDelivery) -> tuple[str, str]:
    """Return period and fingerprint of what is to be tried; "" where only trying tells whether it changed."""
    if isinstance(delivery, ReportDelivery):
        return delivery.only_month or delivery.key, delivery.upstream or ""
    return str(delivery.billing_period), delivery.fingerprint


class Gatekeeper:
    """A gate (see ``sources.Gate``) that keeps out what is held, and remembers what it was asked.

    ``fingerprints`` are those of the deliveries that it was asked about, by period.
    """

    def __init__(self, held: Mapping[str, HeldPeriod]) -> None:
        self._held = held
        self._kept_out = False
        self.fingerprints: dict[str, str] = {}

    def __call__(self, source: str, delivery: Delivery | ReportDelivery) -> Failure | None:
        """Return what is said of a delivery that is held, None where it is to be tried."""
        del source
        period, fingerprint = _tried(delivery)
        self.fingerprints[period] = fingerprint
        found = self._held.get(period)
        if found is None or found.fingerprint != fingerprint:
            return None
        self._kept_out = True
        return found.failure

    def kept_out(self) -> bool:
        """Return whether it kept something out since this was asked last."""
        said, self._kept_out = self._kept_out, False
        return said


def resolved(result: IngestResult, ledger: Ledger, run_id: str) -> IngestResult:
    """Read back every commit of which the run does not know whether it landed: what it committed is committed."""
    unknown = {(each.source, each.billing_period) for each in result.periods if each.error and _is_unknown(each.error)}
    periods = list(result.periods)
    for source, name in unknown:
        live = ledger.live().get((str(source), str(name)))
        if live is not None and live.run_id == run_id:
            periods = [each for each in periods if (each.source, each.billing_period) != (source, name)]
            periods += read_back(ledger, [live], "committed")
    return replace(result, periods=tuple(periods))


def _is_unknown(failure: Failure) -> bool:
    return failure.code in _UNKNOWN


def settings_digest(settings: Mapping[str, Any]) -> str:
    """Return the digest of a source's settings and of this version: what a new try may depend on."""
    return digest_of([version("offgridflow"), sorted((key, repr(value)) for key, value in settings.items())])


def _told(hold: Hold) -> Failure:
    failure = hold.failure
    since = hold.since.isoformat(timespec="minutes")
    what = "its settings or the delivery change" if hold.fingerprint else "its settings change"
    action = f"{failure.action} Held since {since}, until {what}; --full tries it now.".strip()
    return replace(failure, action=action)
