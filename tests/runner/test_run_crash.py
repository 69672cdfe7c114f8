"""Crash proofs: killed, failing or raced anywhere, then run again: the ledger is that of an undisturbed run."""

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from offgridflow.domain.errors import CommitUnknownError, LedgerError
from offgridflow.ledger import Ledger
from offgridflow.ledger.deltalog import DeltaLog
from offgridflow.ledger.side import SideTables
from offgridflow.ledger.storage import LocalStorage
from offgridflow.pipeline import period as period_module
from support.bench import Bench
from support.clouds import MONTH_COST, PERIODS, SOAK, Sources, three_clouds
from support.crew import Operator, processes, run_and_die, run_as_nobody, run_in_peace, run_on_a_full_disk
from support.twins import Twin, connect_twins

INSTANTS = 200 if SOAK else 3
AROUND_THE_COMMIT = ("created commits", "fetch 1/1", "staged", "published", "commits", "emissions")
TWINS = {"a": {"type": "aws_twin", "account": "1"}}


@pytest.fixture(scope="module")
def sources() -> Iterator[Sources]:
    """Exports of three clouds, see PERIODS."""
    with three_clouds() as found:
        yield found


@pytest.fixture(scope="module")
def undisturbed(sources: Sources, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[str]]:
    """The digest of a run that nothing disturbed, and the names of its steps."""
    steps: list[str] = []
    operator = Operator(tmp_path_factory.mktemp("undisturbed"), step=steps.append)
    assert operator.run(sources).result.status == "ok"
    return Bench(operator.uri).digest(), steps


def chosen(steps: list[str]) -> list[int]:
    """Return the boundaries to die at: all, or where time is short those around a commit, each of another period."""
    if SOAK:
        return list(range(len(steps)))
    places = ([place for place, each in enumerate(steps) if each == name] for name in AROUND_THE_COMMIT)
    return sorted(found[number % len(found)] for number, found in enumerate(places))


def check_after_death(folder: Path, sources: Sources, digest: str, what: object) -> None:
    """Whatever is live is whole; a second run gives the undisturbed ledger, and a third changes nothing."""
    if (folder / "ledger" / "ledger.json").exists():
        rows = Bench(folder / "ledger").query("SELECT sum(billed_cost) FROM emissions GROUP BY source, billing_period")
        assert all(row == (MONTH_COST,) for row in rows), what
    again = Operator(folder)
    assert again.run(sources).result.status == "ok", what
    assert Bench(folder / "ledger").digest() == digest, what
    assert {run["status"] for run in again.store.newest()} <= {"ok", "interrupted"}


def test_sigkill_at_every_step_boundary(sources: Sources, undisturbed: tuple[str, list[str]], tmp_path: Path) -> None:
    """A run that is killed between any two steps, and run again, gives the ledger of an undisturbed run."""
    digest, steps = undisturbed
    context = processes()
    died = 0
    for number in chosen(steps):
        folder = tmp_path / str(number)
        process = context.Process(target=run_and_die, args=(str(folder), sources, number))
        process.start()
        process.join()
        assert process.exitcode == -9, steps[number]
        check_after_death(folder, sources, digest, steps[number])
        shutil.rmtree(folder)
        died += 1
    assert died == (len(steps) if SOAK else len(AROUND_THE_COMMIT))


def test_sigkill_at_random_instants(sources: Sources, undisturbed: tuple[str, list[str]], tmp_path: Path) -> None:
    """The same for instants that nobody chose: inside a write, a fetch, a query."""
    digest, _ = undisturbed
    context = processes()
    dice = random.Random(6)  # noqa: S311 - chooses instants
    longest = _seconds_of_a_run(context, tmp_path / "timed", sources)
    for number in range(INSTANTS):
        folder = tmp_path / str(number)
        ready = context.Event()
        process = context.Process(target=run_in_peace, args=(str(folder), sources, ready))
        process.start()
        ready.wait()
        after = dice.random() * longest
        time.sleep(after)
        process.kill()
        process.join()
        assert process.exitcode in {-9, 0}
        check_after_death(folder, sources, digest, after)
        shutil.rmtree(folder)


def _seconds_of_a_run(context: Any, folder: Path, sources: Sources) -> float:  # noqa: ANN401 - see processes
    ready = context.Event()
    process = context.Process(target=run_in_peace, args=(str(folder), sources, ready))
    process.start()
    ready.wait()
    begun = time.monotonic()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - begun


@pytest.fixture(params=["files", "postgresql"])
def lock_dsn(request: pytest.FixtureRequest) -> str | None:
    """Where workers keep their locks: files beside the history (None), or a real PostgreSQL."""
    return None if request.param == "files" else str(request.getfixturevalue("dsn"))


def test_eight_processes_lose_and_double_nothing(
    sources: Sources, undisturbed: tuple[str, list[str]], lock_dsn: str | None, tmp_path: Path
) -> None:
    """Eight workers on the same and different sources at once, readers beside them: every read is a committed state.

    Each period is committed once in all; the others see it unchanged.
    """
    digest, _ = undisturbed
    context = processes()
    one, two, three = ({name: table} for name, table in sources.items())
    jobs = [one, two, three, sources, one, two, three, sources]
    running = [context.Process(target=run_in_peace, args=(str(tmp_path), job, None, lock_dsn)) for job in jobs]
    for process in running:
        process.start()
    seen: Counter[tuple[tuple[Any, ...], ...]] = Counter()
    while any(process.is_alive() for process in running):
        if (tmp_path / "ledger" / "ledger.json").exists():
            state = (
                "SELECT source, billing_period, sum(billed_cost), sum(line_items)::BIGINT FROM emissions GROUP BY ALL"
            )
            seen[tuple(sorted(Bench(tmp_path / "ledger").query(state)))] += 1
        time.sleep(0.02)
    assert [process.exitcode for process in running] == [0] * 8
    assert all(row[2:] == (MONTH_COST, 2) for state in seen for row in state)
    sizes = [len(state) for state in seen]
    assert len(sizes) == len(set(sizes)), "two different states of as many periods"
    assert Bench(tmp_path / "ledger").digest() == digest
    periods = sum(map(len, PERIODS.values()))
    assert Ledger.open(tmp_path / "ledger").version() == periods
    store = Operator(tmp_path).store
    assert sum(run["committed"] for run in store.newest()) == periods
    seen_by_all = sum(len(PERIODS[name]) for job in jobs for name in job)
    assert sum(run["committed"] + run["unchanged"] for run in store.newest()) == seen_by_all


SEAMS: list[tuple[Any, str]] = [
    *((LocalStorage, name) for name in ("staging_path", "publish", "read", "write_new", "local_paths", "names")),
    *((DeltaLog, name) for name in ("head", "swap", "create")),
    *((SideTables, name) for name in ("append_rates", "append_commit", "commits")),
    *((period_module, name) for name in ("write_emissions", "totals_of", "used_rates")),
]


class Failing:
    """Counts the calls of our seams and fails the n-th of them."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.left: int | None = None
        for owner, name in SEAMS:
            patch.setattr(owner, name, self._wrapped(getattr(owner, name)))

    def _wrapped(self, honest: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - stands in for any seam
            if self.left is not None:
                self.left -= 1
                if self.left < 0:
                    self.left = None
                    message = "It fails, as the test asked."
                    raise LedgerError(message)
            return honest(*arguments, **named)

        return call


def test_every_call_at_our_seams_may_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For every n, a run whose n-th call at a seam fails leaves a whole ledger, and the next run puts it right."""
    twin = Twin("a", "1", random.Random(1))  # noqa: S311 - never rolled
    twin.publish("2025-01", [["0.1", "0.2"]])
    operator = Operator(tmp_path, connect_twins({"a": twin}))
    operator.run(TWINS)
    failing = Failing(monkeypatch)
    step = 1 if SOAK else 4
    number, outcome = 0, ""
    for number in range(0, 1_000, step):
        twin.publish("2025-01", [["0.1", "0.2"], [f"1.{number:04d}"]])
        failing.left = number
        try:
            outcome = operator.run(TWINS).result.status
        except LedgerError:
            outcome = "failed"
        reached, failing.left = failing.left is None, None
        live = Bench(operator.uri).query("SELECT sum(billed_cost), sum(line_items)::BIGINT FROM emissions")
        assert live[0][1] in {2, 3}
        assert operator.run(TWINS).result.status == "ok"
        assert operator.uri.exists()
        live = Bench(operator.uri).query("SELECT sum(billed_cost) FROM emissions")
        assert live == [(Decimal("0.3") + Decimal(f"1.{number:04d}"),)]
        if not reached:
            break
    assert outcome == "ok"
    assert number > 10
    Bench(operator.uri).digest()


def test_an_unknown_commit_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the answer to a commit is lost, the run looks: what landed is committed, what did not is tried next time."""
    twin = Twin("a", "1", random.Random(1))  # noqa: S311 - never rolled
    twin.publish("2025-01", [["0.1"]])
    operator = Operator(tmp_path, connect_twins({"a": twin}))
    honest = Ledger.commit
    for lands in (True, False):
        twin.publish("2025-01", [["0.1", str(int(lands))]])

        def lost(self: Ledger, *arguments: Any, lands: bool = lands, **named: Any) -> Any:  # noqa: ANN401 - see commit
            if lands:
                honest(self, *arguments, **named)
            message = "The answer was lost."
            raise CommitUnknownError(message)

        with monkeypatch.context() as patch:
            patch.setattr(Ledger, "commit", lost)
            (period,) = operator.run(TWINS).result.periods
        assert period.status == ("committed" if lands else "failed")
        assert operator.run(TWINS).result.periods[0].status == ("unchanged" if lands else "committed")
    assert operator.store.holds() == {}


def test_a_full_disk_fails_the_period_and_the_next_run_commits_it(tmp_path: Path) -> None:
    """When no byte can be written any more, the period fails with a way out; the ledger stays as it was."""
    context = processes()
    twin = Twin("a", "1", random.Random(1))  # noqa: S311 - never rolled
    twin.publish("2025-01", [["0.1"]])
    operator = Operator(tmp_path, connect_twins({"a": twin}))
    operator.run(TWINS)
    before = Bench(operator.uri).digest()
    process = context.Process(target=run_on_a_full_disk, args=(str(tmp_path),))
    process.start()
    process.join()
    assert process.exitcode == 7
    assert Bench(operator.uri).digest() == before
    twin.publish("2025-02", [["0.2"]])
    assert [period.status for period in operator.run(TWINS).result.periods] == ["unchanged", "committed"]


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give up root's rights")
def test_a_read_only_ledger_is_refused_in_one_sentence(tmp_path: Path) -> None:
    """Without the right to write, a run ends before the first call to a cloud, with one sentence."""
    context = processes()
    twin = Twin("a", "1", random.Random(1))  # noqa: S311 - never rolled
    twin.publish("2025-01", [["0.1"]])
    operator = Operator(tmp_path, connect_twins({"a": twin}))
    operator.run(TWINS)
    process = context.Process(target=run_as_nobody, args=(str(tmp_path),))
    process.start()
    process.join()
    assert process.exitcode == 7
