"""Crashes, races and broken disks: what is visible is always a committed state, and nothing is lost or doubled."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.committing import Committing
from ledger.worker import Delivery
from offgridflow.domain.errors import LedgerError
from offgridflow.ledger import Ledger, Snapshot, orphans, vacuum
from support.shelves import Shelf

Start = Callable[[str, Sequence[dict[str, object]]], Committing]
Digest = Callable[[Ledger], str]
Query = Callable[[Snapshot, str], list[tuple[Any, ...]]]

UNSEEN = ("staged", "rates", "quarantine")
"""Up to these steps the files of emissions are on the committing machine alone where the ledger is elsewhere."""
STEPS = ("staged", "rates", "quarantine", "published", "commits", "emissions")
SOAK = bool(os.environ.get("OFFGRIDFLOW_SOAK"))
OLD = Delivery(lines=20)
NEW = Delivery(lines=30, files=2)


def chosen(shelf: Shelf) -> Sequence[str]:
    """Return the steps to die after: all, or in a store where time is short those that leave something there."""
    return STEPS if SOAK or shelf.kind == "folder" else STEPS[STEPS.index("quarantine") :]


def test_kill_at_every_step_of_a_commit(shelf: Shelf, tmp_path: Path, start: Start, digest: Digest) -> None:
    """SIGKILL after any step, then the same again: the digest of an undisturbed run, and nothing half is ever seen."""
    calm = Ledger.open(shelf.uri("calm"), create=True)
    OLD.commit(calm)
    before, tree = digest(calm), shelf.tree(tmp_path / "aside", "calm")
    for step in chosen(shelf):
        shelf.fill(tmp_path / "aside", tree, step)
    NEW.commit(calm)
    after = digest(calm)
    killed = {step: start(shelf.uri(step), [{"lines": 30, "files": 2, "kill_at": step}]) for step in chosen(shelf)}
    assert {process.ended() for process in killed.values()} == {-9}
    for step in chosen(shelf):
        ledger = Ledger.open(shelf.uri(step))
        assert digest(ledger) == (after if step == "emissions" else before), step
        again = NEW.commit(ledger)
        assert again.status == ("unchanged" if step == "emissions" else "committed"), step
        left = orphans(ledger)
        assert len(left) == (0 if step == "emissions" or (step in UNSEEN and shelf.kind != "folder") else 2), step
        swept = vacuum(Ledger.open(shelf.uri(step), clock=lambda: datetime.now(UTC) + timedelta(days=8)))
        assert {f"{table}/{file.path}" for table, file in left} <= set(swept.paths), step
        assert orphans(ledger) == [], step
        assert digest(ledger) == after, step


@pytest.mark.parametrize("table", ["emissions", "rates", "commits"])
def test_kill_while_creating(shelf: Shelf, start: Start, digest: Digest, table: str) -> None:
    """SIGKILL while the ledger is created leaves a folder that is no ledger yet, and that the next run completes."""
    assert start(shelf.uri(), [{"kill_at": f"created {table}"}]).ended() == -9
    with pytest.raises(LedgerError, match="There is no ledger"):
        Ledger.open(shelf.uri())
    ledger = Ledger.open(shelf.uri(), create=True)
    assert Delivery().commit(ledger).status == "committed"
    assert digest(ledger)


def test_racing_processes_lose_and_double_nothing(shelf: Shelf, start: Start, digest: Digest, query: Query) -> None:
    """Eight processes replace the same periods while others read: every commit is one version, every read one state.

    In a store, where each lost race is many requests, four of them unless there is time.
    """
    periods, processes = ("2025-06", "2025-07"), 8 if SOAK or shelf.kind == "folder" else 4
    jobs = [
        [
            {"period": period, "variant": process, "lines": 20 + process, "files": 1 + process % 2}
            for period in (periods if process % 2 else reversed(periods))
        ]
        + [{"source": f"rival-{process % 2}", "account": "333", "period": "2025-08", "variant": 0}]
        for process in range(processes)
    ]
    running = [start(shelf.uri(), each) for each in jobs]
    seen: set[tuple[str, int, int]] = set()
    while any(process.is_alive for process in running):
        time.sleep(0.05 if shelf.kind == "folder" else 0.5)
        if shelf.storage().read("ledger.json") is not None:
            state = "SELECT billing_period, count(DISTINCT commit_id), count(*) FROM emissions GROUP BY ALL"
            seen.update(query(Ledger.open(shelf.uri()).snapshot(), state))
    results = [result for process in running for result in process.results()]
    ledger = Ledger.open(shelf.uri())
    assert digest(ledger)
    assert all(commits == 1 and 20 <= rows <= 27 for _, commits, rows in seen)
    versions = [result["version"] for result in results if result["status"] == "committed"]
    assert sorted(versions) == list(range(1, ledger.version() + 1))
    assert len(versions) == 2 * processes + 1
    rivals = [result for result in results if str(result.get("source", "")).startswith("rival")]
    assert len({result["source"] for result in rivals if result["status"] != "OVERLAP"}) == 1
    assert sum(result["status"] == "committed" for result in rivals) == 1
    assert sum(result["status"] == "OVERLAP" for result in rivals) == processes // 2
    _check_chain(ledger)


def _check_chain(ledger: Ledger) -> None:
    """Each commit names exactly the one that was live before it: no update was lost."""
    live: dict[tuple[str, str], str] = {}
    for entry in reversed(ledger.history()):
        if entry["action"] == "commit":
            key = (entry["source"], entry["billing_period"])
            assert entry["replaced_commit_id"] == live.get(key)
            live[key] = entry["commit_id"]
    current = ledger.live()
    assert {key: commit.commit_id for key, commit in current.items()} == live
    last = {entry["commit_id"]: entry["replaced_commit_id"] for entry in ledger.history() if "commit_id" in entry}
    assert all(commit.replaced_commit_id == last[commit.commit_id] for commit in current.values())


def test_lost_race_rechecks_overlap(shelf: Shelf) -> None:
    """A rival that commits between the check and the commit is seen: the second of two sources is refused."""
    first = Ledger.open(shelf.uri(), create=True)
    raced: list[str] = []

    def rival(step: str) -> None:
        if step == "commits" and not raced:
            raced.append(Delivery(source="rival").commit(first).status)

    second = Ledger.open(shelf.uri(), checkpoint=rival)
    with pytest.raises(LedgerError, match="'rival'"):
        Delivery(source="mine").commit(second)
    assert raced == ["committed"]
    assert list(second.live()) == [("rival", "2025-06")]


def test_lost_race_finds_the_same_delivery(shelf: Shelf, digest: Digest) -> None:
    """If another process commits the very same delivery first, ours is unchanged and leaves no file."""
    first = Ledger.open(shelf.uri(), create=True)
    raced: list[str] = []

    def twin(step: str) -> None:
        if step == "commits" and not raced:
            raced.append(Delivery().commit(first).commit_id)

    result = Delivery().commit(Ledger.open(shelf.uri(), checkpoint=twin))
    assert (result.status, [result.commit_id]) == ("unchanged", raced)
    assert digest(first)
    assert orphans(first) == []


def test_lost_race_names_what_it_really_replaced(shelf: Shelf, digest: Digest) -> None:
    """If another delivery of the period comes first, ours replaces it and says so."""
    first = Ledger.open(shelf.uri(), create=True)
    raced: list[str] = []

    def other(step: str) -> None:
        if step == "commits" and not raced:
            raced.append(Delivery(variant=1).commit(first).commit_id)

    ledger = Ledger.open(shelf.uri(), checkpoint=other)
    assert Delivery(variant=2).commit(ledger).status == "committed"
    assert [commit.replaced_commit_id for commit in Ledger.open(shelf.uri()).live().values()] == raced
    assert digest(ledger)


_POOR = """
import resource, signal, sys
sys.path.insert(0, sys.argv[1])
from worker import Delivery
from offgridflow.ledger import Ledger
from offgridflow.domain.errors import LedgerError
ledger = Ledger.open(sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[3])
def full(step):
    if step == sys.argv[4]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
ledger = Ledger.open(sys.argv[2], checkpoint=full)
try:
    Delivery(lines=30).commit(ledger)
except LedgerError as error:
    print(error.code, error.action, flush=True, file=sys.stderr)
"""


@pytest.mark.parametrize("step", ["staged", "commits"])
def test_full_disk_leaves_the_ledger_as_it_was(tmp_path: Path, digest: Digest, step: str) -> None:
    """When no more bytes can be written after any step, the error says so and the old state stays live and whole."""
    ledger = Ledger.open(tmp_path / "ledger", create=True)
    Delivery().commit(ledger)
    before = digest(ledger)
    command = [sys.executable, "-c", _POOR, str(Path(__file__).parent), str(tmp_path / "ledger"), "64", step]
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=unmeasured)
    assert done.returncode == 0, done.stderr
    assert "LEDGER" in done.stderr
    assert "free space" in done.stderr
    assert digest(ledger) == before
    assert Delivery(lines=30).commit(ledger).status == "committed"


_NOBODY = """
import os, sys
from offgridflow.domain.errors import LedgerError
from offgridflow.ledger import CommitRecord, Ledger, verify
ledger = Ledger.open(sys.argv[1])
verify(ledger.snapshot())
os.setuid(65534)
print(verify(ledger.snapshot()).digest)
for attempt in range(2):
    try:
        source = ("aws/111", "new")[attempt]
        ledger.commit(ledger.stage(source, "2025-06"), CommitRecord("aws", "focus", "x", "y", 100))
    except LedgerError as error:
        print(error.sentence)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give up root's rights")
def test_read_only_ledger_reads_and_refuses_to_commit(digest: Digest) -> None:
    """Without the right to write, reading and verifying work, and a commit says that it cannot write."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        ledger = Ledger.open(Path(parent) / "ledger", create=True)
        Delivery().commit(ledger)
        before = digest(ledger)
        command = [sys.executable, "-c", _NOBODY, ledger.uri]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        told = done.stdout.splitlines()
        assert told[0] == before
        assert [f"Cannot write to the ledger {ledger.uri}" in line for line in told[1:]] == [True, True]
        assert digest(ledger) == before
