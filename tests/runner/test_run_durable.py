"""Laws of durable runs: over processes that die, live beside each other, and come back; on SQLite and PostgreSQL."""

import importlib
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from offgridflow.domain.errors import LedgerError, MissingExtraError, UsageError
from offgridflow.ledger import Ledger, forget
from offgridflow.pipeline.locks import FileLocks
from offgridflow.pipeline.slots import Slots
from offgridflow.pipeline.steps import STEPS_VERSION
from offgridflow.testing import Answer, Dialect, FakeBucket
from support.bench import Bench
from support.crew import processes, run_command
from support.durable import Site, run_and_die, run_and_tell, wait_until
from support.exports import AZURE, Upstream

MONTHS = ("2025-05", "2025-06")
CANARY = "sv=canary-of-a-source"
Sources = dict[str, dict[str, Any]]


@contextmanager
def two_accounts() -> Iterator[dict[str, Upstream]]:
    """Yield two accounts with two months each, in buckets over sockets that any process reaches."""
    with FakeBucket(Dialect.AZURE_BLOB) as first, FakeBucket(Dialect.AZURE_BLOB) as second:
        found = {"one": Upstream(AZURE, first, "acct-1"), "two": Upstream(AZURE, second, "acct-2")}
        for upstream in found.values():
            for month in MONTHS:
                upstream.publish(month, ["0.1", "0.25"])
        yield found


@pytest.fixture
def clouds() -> Iterator[dict[str, Upstream]]:
    """Two accounts with two months each, which nobody has read yet."""
    with two_accounts() as found:
        yield found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the ledger that one run in one process makes of these accounts."""
    site = Site(tmp_path_factory.mktemp("undisturbed"))
    with two_accounts() as clouds:
        site.configure(sources_of(clouds), None, runner="in_process")
        assert site.run().result.status == "ok"
    return Bench(site.ledger).digest()


class Crew:
    """Processes of one test; none outlives it."""

    def __init__(self) -> None:
        self._begun: list[Any] = []

    def send(self, target: Callable[..., None], *arguments: object) -> Any:  # noqa: ANN401 - a process of multiprocessing
        """Start a function in a process of its own."""
        process = processes().Process(target=target, args=arguments)
        process.start()
        self._begun.append(process.kill)
        return process

    def call(self, site: Site, *arguments: str) -> Any:  # noqa: ANN401 - a process of multiprocessing
        """Start the command line in a process of its own, which writes to ``stdout`` and ``stderr`` in the folder."""
        return self.send(run_command, str(site.folder), (*arguments, "--ledger", str(site.ledger)))

    def end(self) -> None:
        """Kill whatever still runs."""
        for kill in self._begun:
            kill()


@pytest.fixture
def crew() -> Iterator[Crew]:
    """Starts processes, and ends them with the test."""
    found = Crew()
    yield found
    found.end()


def sources_of(clouds: dict[str, Upstream]) -> Sources:
    """Return the settings of both accounts, each with a secret."""
    return {name: {**upstream.settings(), "sas_token": CANARY} for name, upstream in clouds.items()}


def parts_read(clouds: dict[str, Upstream]) -> list[str]:
    """Return every read of a part, by its path; manifests are read by each listing."""
    seen = [each.path for upstream in clouds.values() for each in upstream.bucket.reads()]
    return sorted(path for path in seen if path.endswith(".csv.gz"))


def parts_of(clouds: dict[str, Upstream]) -> list[str]:
    """Return the path of every part that there is."""
    return sorted(each.bucket.path_of(each.key_of(month)) for each in clouds.values() for month in MONTHS)


def statuses(site: Site) -> list[str]:
    """Do one run here and return what became of each period."""
    return [period.status for period in site.run().result.periods]


def test_both_runners_make_the_same_ledger(
    clouds: dict[str, Upstream], undisturbed: str, tmp_path: Path, database: str | None
) -> None:
    """A durable run commits what a run in one process does, and a second one, of either kind, finds it unchanged."""
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), database)
    assert statuses(site) == ["committed"] * 4
    assert Bench(site.ledger).digest() == undisturbed
    before = len(parts_read(clouds))
    assert statuses(site) == ["unchanged"] * 4
    site.configure(sources_of(clouds), None, runner="in_process")
    assert statuses(site) == ["unchanged"] * 4
    assert len(parts_read(clouds)) == before
    assert [run["status"] for run in site.store.newest()] == ["ok"] * 3


@pytest.mark.parametrize(
    ("database", "stage"),
    [("sqlite", "fetch 0/1"), ("sqlite", "rate 1/1"), ("sqlite", "commit 1/1"), ("postgresql", "rate 1/1")],
    indirect=["database"],
)
def test_another_worker_goes_on_where_a_killed_one_stopped(
    clouds: dict[str, Upstream], undisturbed: str, tmp_path: Path, crew: Crew, database: str | None, stage: str
) -> None:
    """A worker that nobody asked for anything finishes what a killed run began; no part is read twice.

    The ledger is that of an undisturbed run, and the next run finds it unchanged.
    """
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), database)
    victim = crew.send(run_and_die, str(site.folder), stage)
    victim.join()
    assert victim.exitcode == -9
    assert len(site.live()) < 4
    worker = crew.call(site, "run", "--schedule")
    wait_until(lambda: len(site.live()) == 4 and not owned(site, database))
    worker.terminate()
    worker.join()
    assert worker.exitcode == 0, (site.folder / "stderr").read_text()
    assert Bench(site.ledger).digest() == undisturbed
    assert parts_read(clouds) == parts_of(clouds)
    assert statuses(site) == ["unchanged"] * 4
    assert [run["status"] for run in site.store.newest()] == ["ok", "interrupted"]


def owned(site: Site, database: str | None) -> list[str]:
    """Return the ids of work that is queued or owned by a worker, dead or alive."""
    return [each.workflow_id for each in site.workflows(database) if each.status in {"PENDING", "ENQUEUED"}]


def test_a_second_live_worker_leaves_the_work_of_the_first_alone(
    clouds: dict[str, Upstream], tmp_path: Path, crew: Crew, database: str | None
) -> None:
    """While one worker is in mid-period, a second one with the same errand does the rest and waits for that one.

    Each period is committed once in all, and work on one account is never done by two at once.
    """
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), database)
    first = crew.send(run_and_tell, str(site.folder), "rate 1/1")
    wait_until((site.folder / "paused").exists)
    paused = (site.folder / "stages").read_text().split("\t")[2].partition(" ")[0]
    second = crew.send(run_and_tell, str(site.folder))
    wait_until(lambda: len(site.live()) == 2)
    for _ in range(2):
        rows = [row for row in site.workflows(database) if row.status == "PENDING" and f"/{paused}/" in row.workflow_id]
        assert [row.executor for row in rows] == ["slot-0"]
        seen = site.looks(second.pid)
        wait_until(lambda seen=seen: site.looks(second.pid) >= seen + 2)  # type: ignore[misc]  # the default is an int
    assert len(site.live()) == 2
    (site.folder / "go").touch()
    first.join()
    second.join()
    assert (first.exitcode, second.exitcode) == (0, 0)
    told = [line.split("\t") for line in (site.folder / "stages").read_text().splitlines()]
    begun = [(detail, pid) for pid, stage, detail in told if stage == "fetch 0/1"]
    ended = [(detail, pid) for pid, stage, detail in told if stage == "commit 1/1"]
    assert sorted(begun) == sorted(ended)
    assert len({detail for detail, _ in ended}) == len(ended) == 4
    assert alone_on_each_account(told)
    assert sum(run["committed"] for run in site.store.newest()) == 4
    assert sum(run["unchanged"] for run in site.store.newest()) == 4


def alone_on_each_account(told: list[list[str]]) -> bool:
    """Whether between the begin and the end of a delivery nobody else began one of the same source."""
    at_work: dict[str, str] = {}
    for pid, stage, detail in told:
        source = detail.partition(" ")[0]
        if stage == "fetch 0/1":
            if source in at_work:
                return False
            at_work[source] = pid
        elif stage == "commit 1/1" and at_work.pop(source) != pid:
            return False
    return not at_work


def test_many_workers_lose_and_double_nothing(
    clouds: dict[str, Upstream], undisturbed: str, tmp_path: Path, crew: Crew, database: str | None
) -> None:
    """Of five runs at once, two of which are killed at any instant, the ledger is that of an undisturbed one."""
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), database)
    dice = random.Random(6)  # noqa: S311 - chooses instants
    workers = [crew.send(run_and_tell, str(site.folder)) for _ in range(5)]
    wait_until((site.folder / "stages").exists)
    for worker in workers[:2]:
        time.sleep(dice.random())
        worker.kill()
    for worker in workers:
        worker.join()
    assert {worker.exitcode for worker in workers[2:]} == {0}
    assert Bench(site.ledger).digest() == undisturbed
    assert Ledger.open(site.ledger).version() == 4
    assert statuses(site) == ["unchanged"] * 4
    assert owned(site, database) == []


def test_what_was_forgotten_is_ingested_again(
    clouds: dict[str, Upstream], tmp_path: Path, database: str | None
) -> None:
    """After ``forget`` the same delivery is taken again: that it was once done is no answer."""
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), database)
    site.run()
    digest = Bench(site.ledger).digest()
    forget(Ledger.open(site.ledger), "one", "2025-05")
    assert len(site.live()) == 3
    assert sorted(statuses(site)) == ["committed", "unchanged", "unchanged", "unchanged"]
    assert Bench(site.ledger).digest() == digest
    attempts = [each.attempt for each in site.workflows(database) if "/one/2025-05/" in each.workflow_id]
    assert attempts == [1, 2]


def test_a_failure_is_not_replayed(clouds: dict[str, Upstream], tmp_path: Path, database: str | None) -> None:
    """A delivery that failed is tried anew by the next run, with the same fingerprint, and may go well."""
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), database)
    upstream = clouds["one"]
    path = upstream.bucket.path_of(upstream.key_of("2025-05"))
    upstream.bucket.inject(Answer(503, "ServerBusy"), times=None, path=path)
    report = site.run()
    failed = [period for period in report.result.periods if period.error is not None]
    assert [(each.source, each.billing_period) for each in failed] == [("one", "2025-05")]
    assert report.result.status == "partial"
    upstream.bucket.forget_faults()
    assert sorted(statuses(site)) == ["committed", "unchanged", "unchanged", "unchanged"]
    assert {
        (each.attempt, each.status) for each in site.workflows(database) if "/one/2025-05/" in each.workflow_id
    } == {
        (1, "SUCCESS"),
        (2, "SUCCESS"),
    }


def test_work_without_an_answer_is_told_and_attempted_anew(clouds: dict[str, Upstream], tmp_path: Path) -> None:
    """Work that ended in the workflow database without an answer fails its period with a code, in that run alone."""
    site = Site(tmp_path / "durable")
    site.configure({"one": sources_of(clouds)["one"]}, None)

    def cancel(stage: str, detail: str) -> None:
        if (stage, detail) == ("fetch 0/1", "one 2025-05"):
            site.alter(None, "UPDATE {}workflow_status SET status = 'CANCELLED' WHERE workflow_uuid LIKE '%/2025-05/%'")

    report = site.run(cancel)
    told = {period.billing_period: period.error.code for period in report.result.periods if period.error}
    assert told == {"2025-05": "WORKFLOW_FAILED"}
    assert set(statuses(site)) <= {"committed", "unchanged"}
    assert len(site.live()) == 2


def test_work_is_resumed_within_one_version_of_the_steps(
    clouds: dict[str, Upstream], tmp_path: Path, crew: Crew, database: str | None
) -> None:
    """Every workflow carries our version of the steps; what a dead worker left under another one is ended, not resumed.

    It does not stand in the way of its account: the next run makes a new attempt.
    """
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), database)
    victim = crew.send(run_and_die, str(site.folder), "rate 1/1")
    victim.join()
    left = site.workflows(database)
    assert {each.version for each in left} == {STEPS_VERSION}
    stuck = [each.workflow_id for each in left if each.status == "PENDING"]
    assert len(stuck) == 1
    site.alter(database, "UPDATE {}workflow_status SET application_version = 'older' WHERE status = 'PENDING'")
    assert set(statuses(site)) <= {"committed", "unchanged"}
    assert len(site.live()) == 4
    found = {each.workflow_id: each for each in site.workflows(database)}
    assert [found[workflow_id].status for workflow_id in stuck] == ["CANCELLED"]


def test_work_that_workers_die_of_is_not_taken_up_for_ever(
    clouds: dict[str, Upstream], tmp_path: Path, crew: Crew, database: str | None
) -> None:
    """Work of which eight workers died is left alone, and stands in nobody's way; a later run makes a new attempt."""
    site = Site(tmp_path / "durable")
    site.configure({"one": sources_of(clouds)["one"]}, database)
    victim = crew.send(run_and_die, str(site.folder), "rate 1/1")
    victim.join()
    (stuck,) = [each.workflow_id for each in site.workflows(database) if each.status == "PENDING"]
    site.alter(database, "UPDATE {}workflow_status SET recovery_attempts = 8 WHERE status = 'PENDING'")
    statuses(site)
    found = {each.workflow_id: each.status for each in site.workflows(database)}
    assert found[stuck] == "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
    assert set(statuses(site)) <= {"committed", "unchanged"}
    assert len(site.live()) == 2


def test_a_worker_with_other_settings_refuses_the_work(clouds: dict[str, Upstream], tmp_path: Path, crew: Crew) -> None:
    """Work that was ordered under other settings is refused by the worker that takes it, and held by nobody."""
    site = Site(tmp_path / "durable")
    site.configure({"one": sources_of(clouds)["one"]}, None)
    victim = crew.send(run_and_die, str(site.folder), "fetch 0/1")
    victim.join()
    site.configure({"one": {**sources_of(clouds)["one"], "sas_token": "sv=another"}}, None)
    assert statuses(site) == ["committed", "committed"]
    ids = [each.workflow_id for each in site.workflows(None) if each.name == "take" and each.status == "SUCCESS"]
    assert len(ids) >= 3  # the one that was left, refused, and both months anew
    assert site.store.holds() == {}


def test_no_secret_reaches_the_workflow_database(clouds: dict[str, Upstream], tmp_path: Path, dsn: str) -> None:
    """Neither settings of sources nor the database's own password are in what workers leave for each other."""
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), None)
    upstream = clouds["one"]
    upstream.bucket.inject(Answer(503, "ServerBusy"), path=upstream.bucket.path_of(upstream.key_of("2025-05")))
    assert site.run().result.status == "partial"
    content = b"".join(path.read_bytes() for path in site.store.folder.rglob("*") if path.is_file())
    assert b"2025-05" in content
    assert b"canary" not in content
    assert b"gASV" not in content, "a pickle in base64"
    site.configure(sources_of(clouds), dsn.replace("127.0.0.1", "127.0.0.1.nowhere.invalid"))
    with pytest.raises(LedgerError, match="cannot be reached") as caught:
        site.run()
    assert "canary" not in f"{caught.value!r} {caught.value}"


def test_a_slot_is_one_workers_until_it_dies(tmp_path: Path) -> None:
    """Workers get different slots, the lowest free one each; a slot that is let go is told from one that is held."""
    slots = Slots(FileLocks(tmp_path, 0), "ledger")
    with slots.taken() as first:
        with slots.taken() as second:
            assert (first, second) == ("slot-0", "slot-1")
            with slots.tried(first) as is_free:
                assert not is_free
        with slots.tried("slot-1") as is_free:
            assert is_free
        with Slots(FileLocks(tmp_path, 0), "another").taken() as other:
            assert other == "slot-0"
    with slots.taken() as again:
        assert again == "slot-0"


def test_without_the_extra_the_install_command_is_told(
    clouds: dict[str, Upstream], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where DBOS is not installed, nothing is begun, and the error says what to install."""
    honest = importlib.import_module

    def import_module(name: str) -> object:
        if name == "dbos":
            raise ModuleNotFoundError(name)
        return honest(name)

    monkeypatch.setattr(importlib, "import_module", import_module)
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), None)
    with pytest.raises(MissingExtraError, match="dbos is not installed") as caught:
        site.run()
    assert "pip install 'offgridflow[durable]'" in caught.value.action
    assert site.store.newest() == []


def test_a_database_that_is_none_is_refused(clouds: dict[str, Upstream], tmp_path: Path) -> None:
    """An address of neither SQLite nor PostgreSQL is wrong usage, and is not shown; a file that is none is told."""
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), "mysql://root:canary@db/x")
    with pytest.raises(UsageError, match=r"run\.database_url") as caught:
        site.run()
    assert "canary" not in str(caught.value)
    site.configure(sources_of(clouds), f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.sqlite'}")
    with pytest.raises(LedgerError, match="workflow database") as broken:
        site.run()
    assert broken.value.code == "WORKFLOW_DATABASE"


def test_the_command_line_runs_durably(
    clouds: dict[str, Upstream], tmp_path: Path, crew: Crew, database: str | None
) -> None:
    """``offgridflow run`` and ``ingest`` do their work through the queue when the settings say so."""
    site = Site(tmp_path / "durable")
    site.configure(sources_of(clouds), database)
    for arguments, outcome in ((("run",), b'"committed"'), (("ingest",), b'"unchanged"')):
        process = crew.call(site, *arguments, "--format", "json")
        process.join()
        out, err = ((site.folder / name).read_bytes() for name in ("stdout", "stderr"))
        assert process.exitcode == 0, err
        assert out.count(outcome) == 4
        assert b"canary" not in out + err
    assert {each.status for each in site.workflows(database)} == {"SUCCESS"}
