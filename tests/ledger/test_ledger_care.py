"""Forget, compact, vacuum, pins: what they take away and what they must not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.worker import Delivery
from offgridflow.domain.errors import LedgerError
from offgridflow.ledger import Ledger, Snapshot, compact, forget, orphans, pin, pins, unpin, vacuum

Digest = Callable[[Ledger], str]
Query = Callable[[Snapshot, str], list[tuple[Any, ...]]]
Reopen = Callable[..., Ledger]

COUNT = "SELECT count(*) FROM emissions"
NOW = datetime.now(UTC)


def _later(reopen: Reopen, days: int) -> Ledger:
    return reopen(clock=lambda: NOW + timedelta(days=days))


def test_forget_takes_a_period_out_and_leaves_an_entry(ledger: Ledger, query: Query, digest: Digest) -> None:
    """A forgotten period is gone from the newest version, stays in the older one, and the history says so."""
    Delivery(period="2025-06").commit(ledger)
    kept = digest(ledger)
    both = Delivery(period="2025-07").commit(ledger)
    done = forget(ledger, "aws/111", "2025-07", run_id="run-7")
    assert done.periods == (("aws/111", "2025-07"),)
    assert list(ledger.live()) == [("aws/111", "2025-06")]
    assert digest(ledger) == kept
    assert query(ledger.snapshot(both.version), COUNT) == [(40,)]
    entry = ledger.history()[0]
    assert (entry["action"], entry["source"], entry["periods"], entry["run_id"]) == (
        "forget", "aws/111", ["2025-07"], "run-7",
    )  # fmt: skip
    assert Delivery(period="2025-07").commit(ledger).status == "committed"


def test_forget_a_whole_source(ledger: Ledger) -> None:
    """Without a period all periods of the source go, and those of other sources stay."""
    Delivery(period="2025-06").commit(ledger)
    Delivery(period="2025-07").commit(ledger)
    Delivery(source="o'ther/2 %", account="222").commit(ledger)
    assert len(forget(ledger, "aws/111").periods) == 2
    assert list(ledger.live()) == [("o'ther/2 %", "2025-06")]
    forget(ledger, "o'ther/2 %")
    assert ledger.live() == {}


def test_forget_what_is_not_there(ledger: Ledger) -> None:
    """Forgetting what the ledger does not hold is an error, and no version."""
    Delivery().commit(ledger)
    with pytest.raises(LedgerError, match="nothing of aws/999"):
        forget(ledger, "aws/999")
    assert ledger.version() == 1


def test_forgotten_delivery_comes_back_as_committed(ledger: Ledger, digest: Digest) -> None:
    """After ``forget`` the same delivery is not `unchanged`, and gives the same digest as before."""
    Delivery().commit(ledger)
    before = digest(ledger)
    forget(ledger, "aws/111")
    assert Delivery().commit(ledger).status == "committed"
    assert digest(ledger) == before


def test_compact_keeps_everything_but_the_number_of_files(
    ledger: Ledger, reopen: Reopen, query: Query, digest: Digest
) -> None:
    """Packing keeps rows, digest, commit ids and what is live; older versions stay readable; twice saves nothing."""
    first = Delivery(files=5).commit(ledger)
    Delivery(period="2025-07").commit(ledger)
    before, live = digest(ledger), ledger.live()
    assert compact(ledger) == 4 + 1
    assert digest(ledger) == before
    assert reopen().live() == live
    assert query(ledger.snapshot(first.version), COUNT) == [(20,)]
    assert compact(ledger) == 0
    assert Delivery(files=5).commit(reopen()).status == "unchanged"


def test_vacuum_keeps_what_the_retention_keeps(ledger: Ledger, reopen: Reopen, query: Query) -> None:
    """Within the retention nothing that was replaced goes, however often vacuum runs."""
    first = Delivery(lines=20).commit(ledger)
    Delivery(lines=30).commit(ledger)
    assert vacuum(_later(reopen, 2000)).paths == ()
    assert query(ledger.snapshot(first.version), COUNT) == [(20,)]


def test_vacuum_after_the_retention(ledger: Ledger, reopen: Reopen, query: Query, digest: Digest) -> None:
    """After the retention replaced files of all tables go; pinned versions and the newest stay."""
    first = Delivery(lines=20).commit(ledger)
    second = Delivery(lines=30).commit(ledger)
    third = Delivery(lines=40).commit(ledger)
    before = digest(ledger)
    pin(ledger, second.version, "audit-2025")
    old = _later(reopen, 2600)
    would = vacuum(old, dry_run=True)
    assert sorted(path.split("/")[0] for path in would.paths) == ["emissions", "quarantine", "rates"]
    assert all(first.commit_id in path for path in would.paths)
    assert query(ledger.snapshot(first.version), COUNT) == [(20,)]
    assert vacuum(old) == would
    assert vacuum(old).paths == ()
    assert digest(ledger) == before
    state = "SELECT (SELECT count(*) FROM emissions), (SELECT count(*) FROM rates), (SELECT count(*) FROM quarantine)"
    assert query(ledger.snapshot(second.version), state) == [(30, 3, 1)]
    assert query(ledger.snapshot(third.version), state) == [(40, 3, 1)]
    with pytest.raises(LedgerError, match="vacuum"):
        query(ledger.snapshot(first.version), COUNT)
    with pytest.raises(LedgerError, match="lacks the file"):
        pin(ledger, first.version, "too-late")
    unpin(ledger, "audit-2025")
    assert all(second.commit_id in path for path in vacuum(old).paths)
    assert len([entry for entry in ledger.history() if entry["action"] == "commit"]) == 3


def test_vacuum_leaves_a_commit_under_way(ledger: Ledger, reopen: Reopen, digest: Digest) -> None:
    """Files that no log names stay through the grace, so a commit under way still lands; after it they go."""
    swept: list[tuple[str, ...]] = []

    def care(step: str) -> None:
        if step in {"staged", "rates", "published", "commits"}:
            swept.append(vacuum(reopen(), retention=timedelta(0)).paths)

    busy = reopen(checkpoint=care)
    assert Delivery().commit(busy).status == "committed"
    assert swept == [()] * 4
    assert digest(ledger)


def test_vacuum_sweeps_orphans(ledger: Ledger, reopen: Reopen, digest: Digest) -> None:
    """What was published and never committed, as after a crash, goes after the grace, and only that."""
    Delivery().commit(ledger)
    before = digest(ledger)
    staging = ledger.stage("aws/111", "2025-07")
    left = staging.emissions_file(0)
    left.write_bytes(b"half a file")
    [path] = staging.paths
    ledger.storage.publish("emissions", path)
    assert [(table, file.path) for table, file in orphans(ledger)] == [("emissions", path)]
    assert vacuum(ledger).paths == ()
    swept = vacuum(_later(reopen, 8))
    assert (swept.paths, swept.size_bytes) == ((f"emissions/{path}",), 11)
    assert orphans(ledger) == []
    assert digest(ledger) == before


def test_pins_are_names_of_versions(ledger: Ledger) -> None:
    """A pin names one readable version for good; it can be repeated, not moved."""
    Delivery().commit(ledger)
    pin(ledger, 1, "q2.2025")
    pin(ledger, 1, "q2.2025")
    assert pins(ledger) == {"q2.2025": 1}
    with pytest.raises(LedgerError, match="another version"):
        pin(ledger, 0, "q2.2025")
    with pytest.raises(LedgerError, match="version 9"):
        pin(ledger, 9, "q3")
    with pytest.raises(LedgerError, match="cannot name"):
        pin(ledger, 1, "../escape")
    unpin(ledger, "q2.2025")
    unpin(ledger, "q2.2025")
    assert pins(ledger) == {}
