"""The one commit point: checks, the tables beside, then one new version of ``emissions``, again if a race was lost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from deltalake.transaction import AddAction

from offgridflow.domain.errors import LedgerError, OverlapError, ShrinkError
from offgridflow.ledger.deltalog import ConflictError, DeltaLog, Head
from offgridflow.ledger.records import CommitRecord, CommitResult, LiveCommit, SubAccount
from offgridflow.ledger.rows import ArrowStream, EmissionFiles, add_action, file_digest, write_empty
from offgridflow.ledger.side import RateRows, SideTables
from offgridflow.ledger.staging import Staging
from offgridflow.ledger.tables import EMISSIONS, TABLES

_MOST_RACES: Final = 1_000
_LONGEST_WAIT_S: Final = 0.5
_SHRUNK: Final = 2

Checkpoint = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class World:
    """What a commit needs of the world. ``checkpoint`` hears of every step as it ends; tests kill the process there."""

    clock: Callable[[], datetime]
    random_hex: Callable[[], str]
    sleep: Callable[[float], None]
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Contents:
    """What the staged files hold: whose use, their log entries, and SHA-256 by path."""

    sub_accounts: tuple[SubAccount, ...]
    actions: tuple[AddAction, ...]
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """A commit to be: staged files, what is said of them, and what may be overruled."""

    staging: Staging
    record: CommitRecord
    contents: Contents
    replace: bool
    allow_overlap: bool
    again: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What a commit would do to a head: nothing (``unchanged`` names what is live), or replace ``replaced``."""

    unchanged: LiveCommit | None
    replaced: str | None


class Committer:
    """Commits staged emissions.

    Args:
        emissions: the log that decides.
        side: the tables beside it.
        world: clock, randomness, sleep, checkpoint.

    """

    def __init__(self, emissions: DeltaLog, side: SideTables, world: World) -> None:
        self._emissions = emissions
        self._side = side
        self._world = world

    def commit(
        self,
        request: Request,
        rates: RateRows | None,
        quarantine: ArrowStream | None,
    ) -> CommitResult:
        """Commit, or find that it is done already. See ``Ledger.commit``."""
        head = self._emissions.head()
        done = self.decide(head, request).unchanged
        if done is not None:
            return self._unchanged(request, head, done)
        if rates is not None:
            self._side.append_rates(request.staging, rates)
        self._world.checkpoint("rates")
        if quarantine is not None:
            self._side.append_quarantine(request.staging, quarantine)
        self._world.checkpoint("quarantine")
        for name in request.staging.paths:
            request.staging.storage.publish(EMISSIONS, name)
        self._world.checkpoint("published")
        return self._race(request)

    def _race(self, request: Request) -> CommitResult:
        written: tuple[str | None] | None = None
        attempt = 0
        for race in range(_MOST_RACES):
            head = self._emissions.head()
            decision = self.decide(head, request)
            if decision.unchanged is not None:
                return self._unchanged(request, head, decision.unchanged)
            if written != (decision.replaced,):
                self._side.append_commit(self._commit_of(request, decision), attempt)
                written, attempt = (decision.replaced,), attempt + 1
            self._world.checkpoint("commits")
            try:
                version = self._swap(request, decision, head)
            except ConflictError:
                self._wait(race)
                continue
            self._world.checkpoint("emissions")
            return CommitResult("committed", version, request.staging.commit_id)
        sentence = f"The ledger was busy: {_MOST_RACES} times another commit came first."
        raise LedgerError(sentence, action="Run it again.")

    def decide(self, head: Head, request: Request) -> Decision:
        """Return what the commit would do to this head. Raises OverlapError or ShrinkError where it must not."""
        live = head.commits()
        source, period = request.staging.key
        rivals = [commit_id for key, commit_id in live.items() if key[1] == period and key[0] != source]
        current_id = live.get(request.staging.key)
        wanted = [*rivals, *([current_id] if current_id else [])]
        known = self._side.commits(wanted)
        current = known.get(current_id) if current_id else None
        if current is not None and not request.again and is_same(current, request.record):
            return Decision(current, None)
        if not request.allow_overlap:
            _refuse_overlap(request, [known[commit_id] for commit_id in rivals if commit_id in known])
        if current is not None and not request.replace:
            _refuse_shrinking(request, current)
        return Decision(None, current_id)

    def _unchanged(self, request: Request, head: Head, live: LiveCommit) -> CommitResult:
        request.staging.abandon()
        return CommitResult("unchanged", head.version, live.commit_id)

    def _commit_of(self, request: Request, decision: Decision) -> LiveCommit:
        record = {name: getattr(request.record, name) for name in request.record.__dataclass_fields__}
        return LiveCommit(
            commit_id=request.staging.commit_id,
            source=request.staging.source,
            billing_period=request.staging.billing_period,
            committed_at=self._world.clock(),
            sub_accounts=request.contents.sub_accounts,
            replaced_commit_id=decision.replaced,
            **record,
        )

    def _swap(self, request: Request, decision: Decision, head: Head) -> int:
        source, period = request.staging.key
        meta = {
            "action": "commit",
            "event": request.staging.commit_id,
            **request.staging.partition,
            "replaced_commit_id": decision.replaced,
            "at": self._world.clock().isoformat(),
            "run_id": request.record.run_id,
            "files": dict(request.contents.digests),
        }
        return self._emissions.swap(head, request.contents.actions, {"source": source, "billing_period": period}, meta)

    def _wait(self, race: int) -> None:
        share = 0.5 + int(self._world.random_hex()[:4], 16) / 0x1FFFE
        self._world.sleep(min(_LONGEST_WAIT_S, 0.01 * 2.0 ** min(race, 10)) * share)


def is_same(live: LiveCommit, record: CommitRecord) -> bool:
    """Whether a commit of this record would change nothing."""
    return (live.fingerprint, live.recipe) == (record.fingerprint, record.recipe)


def _refuse_overlap(request: Request, rivals: Sequence[LiveCommit]) -> None:
    own = set(request.contents.sub_accounts)
    for rival in sorted(rivals, key=lambda live: live.source):
        shared = sorted(own & set(rival.sub_accounts), key=str)
        if shared:
            source, period = request.staging.key
            more = f" and {len(shared) - 1} more" if len(shared) > 1 else ""
            sentence = (
                f"{shared[0]}{more} in {period} is already in the ledger from the source {rival.source!r}, "
                f"so that {source!r} would count it twice."
            )
            raise OverlapError(
                sentence, action="Keep one of the two: forget the other, or allow the overlap in settings."
            )


def _refuse_shrinking(request: Request, current: LiveCommit) -> None:
    if request.record.line_items * _SHRUNK < current.line_items:
        source, period = request.staging.key
        sentence = (
            f"The new delivery of {source} {period} holds {request.record.line_items} lines, under half of the "
            f"{current.line_items} that it would replace."
        )
        raise ShrinkError(sentence, action="If that is right, run it again with --replace.")


def inspect(staging: Staging, written_ms: int) -> Contents:
    """Check the staged files and return what they hold. Raises LedgerError for a file with other columns.

    A staging without files gets one without rows, so that an empty period is live too.
    """
    spec = TABLES[EMISSIONS]
    if not staging.paths:
        write_empty(spec, staging.emissions_file(0))
    files = EmissionFiles(spec)
    try:
        for path in staging.paths.values():
            files.check_columns(path)
        accounts = files.sub_accounts(list(staging.paths.values()))
    finally:
        files.close()
    return Contents(
        sub_accounts=accounts,
        actions=tuple(add_action(path, name, staging.partition, written_ms) for name, path in staging.paths.items()),
        digests={name: file_digest(path) for name, path in staging.paths.items()},
    )
