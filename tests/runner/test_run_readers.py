"""Eight processes ingest while eight report: whatever is read was committed, and whatever was committed stays so."""

import json
import os
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

from offgridflow.ledger import Ledger, verify
from support.crew import ingest_in_turn, processes, report_until
from support.twins import bill

SOAK = bool(os.environ.get("OFFGRIDFLOW_SOAK"))
REVISIONS = 20 if SOAK else 1
SHARED = "2025-12"
READERS = WRITERS = 8


def bills_of(folder: Path, writer: int) -> list[list[Path]]:
    """Write what one writer ingests: its own month and the shared one, revision after revision, no two alike."""
    found = []
    for revision in range(REVISIONS):
        cost = f"{writer + 1}.{revision:02d}"
        own, shared = f"2025-{writer + 1:02d}", SHARED
        paths = []
        for month in (own, shared) if (writer + revision) % 2 else (shared, own):
            path = folder / f"{writer}-{revision}-{month}.csv.gz"
            path.write_bytes(bill("1", month, [cost, "0.001"]))
            paths.append(path)
        found.append(paths)
    return found


def test_every_read_is_a_committed_state_and_no_update_is_lost(tmp_path: Path) -> None:
    """Of one account, its own month and one that all write, in several revisions by each of eight processes.

    A read is the state of one version, the same for all readers and ever after. Each commit that a writer was told of
    is one version, and replaced exactly what was live before it.
    """
    uri = str(tmp_path / "ledger")
    Ledger.open(uri, create=True)
    context = processes()
    done = context.Event()
    answers = [tmp_path / f"writer-{number}.json" for number in range(WRITERS)]
    writers = [
        context.Process(target=ingest_in_turn, args=(uri, bills_of(tmp_path, number), answer))
        for number, answer in enumerate(answers)
    ]
    reads = [tmp_path / f"reader-{number}.jsonl" for number in range(READERS)]
    readers = [context.Process(target=report_until, args=(uri, done, read)) for read in reads]
    for process in (*readers, *writers):
        process.start()
    for process in writers:
        process.join()
    done.set()
    for process in readers:
        process.join()
    assert [process.exitcode for process in (*writers, *readers)] == [0] * (READERS + WRITERS)
    check_writes(uri, [json.loads(answer.read_text()) for answer in answers])
    check_reads(uri, [[json.loads(line) for line in read.read_text().splitlines()] for read in reads])


def check_writes(uri: str, told: list[list[dict[str, Any]]]) -> None:
    """Hold what the writers were told against the ledger's history."""
    ledger = Ledger.open(uri)
    periods = [period for results in told for result in results for period in result["periods"]]
    assert {period["status"] for period in periods} == {"committed"}
    assert len(periods) == ledger.version() == 2 * WRITERS * REVISIONS
    live: dict[tuple[str, str], str] = {}
    for entry in reversed([entry for entry in ledger.history() if entry["action"] == "commit"]):
        key = (entry["source"], entry["billing_period"])
        assert entry["replaced_commit_id"] == live.get(key), "an update was lost"
        live[key] = entry["commit_id"]
    current = ledger.live()
    assert {key: commit.commit_id for key, commit in current.items()} == live
    told_by = Counter((period["billing_period"], period["fingerprint"]) for period in periods)
    assert set(told_by.values()) == {1}
    assert all(told_by[key[1], commit.fingerprint] == 1 for key, commit in current.items())


def check_reads(uri: str, seen: list[list[dict[str, Any]]]) -> None:
    """Hold what the readers saw against the ledger as it is now of each version that they saw."""
    ledger = Ledger.open(uri)
    states = {(read["version"], read["digest"], json.dumps(read["report"])) for reads in seen for read in reads}
    assert [read["failed"] for reads in seen for read in reads if read["failed"]] == []
    versions = {version for version, _, _ in states}
    assert len(states) == len(versions), "two readers saw one version differently"
    assert max(versions) == ledger.version()
    for reads in seen:
        order = [read["version"] for read in reads]
        assert order == sorted(order), "a reader went back"
        assert order[-1] == ledger.version()
    for version, digest, report in states:
        assert verify(ledger.snapshot(version)).digest == digest
        told = json.loads(report)
        assert told["ledger_version"] == version
        for row in told["rows"]:
            whole, part = divmod(Decimal(str(row["billed_cost"])), 1)
            assert whole in range(1, WRITERS + 1)
            assert part * 1000 % 10 == 1, "half a delivery"
