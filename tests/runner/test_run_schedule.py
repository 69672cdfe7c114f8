"""Laws of the schedule and of the worker: when it runs, what it makes up for, how it stops."""

import json
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.domain.errors import LedgerError, UsageError
from offgridflow.pipeline.runner import Stop
from offgridflow.pipeline.schedule import Due, Schedule
from offgridflow.pipeline.worker import Worker
from support.logged import logged

NOON = datetime(2026, 3, 29, 12, 0, tzinfo=UTC)
DAILY = "17 5 * * *"
instants = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis


def test_the_next_run_is_the_next_instant() -> None:
    """Without a run before, nothing was missed: the next instant, plus a share of the jitter."""
    schedule = Schedule(DAILY, timedelta(minutes=10), random_share=lambda: 0.5)
    instant = datetime(2026, 3, 30, 5, 17, tzinfo=UTC)
    assert schedule.next_due(NOON, None) == Due(instant, instant + timedelta(minutes=5))


@pytest.mark.parametrize(("catch_up", "begins"), [("once", NOON), ("skip", datetime(2026, 3, 30, 5, 17, tzinfo=UTC))])
def test_missed_instants_are_made_up_for_once_or_skipped(catch_up: str, begins: datetime) -> None:
    """A week without a worker is one run at once, or none."""
    due = Schedule(DAILY, catch_up=catch_up).next_due(NOON, NOON - timedelta(days=7))  # type: ignore[arg-type]
    assert due.begins_at == begins


@given(now=instants, last=st.none() | instants, minute=st.integers(0, 59), once=st.booleans())
def test_a_schedule_always_comes_and_never_repeats(
    now: datetime, last: datetime | None, minute: int, *, once: bool
) -> None:
    """Whatever the clock says, the wait is an hour at most, and an instant that was done is not done again."""
    due = Schedule(f"{minute} * * * *", catch_up="once" if once else "skip").next_due(now, last)
    assert now <= due.begins_at <= now + timedelta(hours=1)
    assert due.scheduled_for.minute == minute
    assert due.begins_at >= due.scheduled_for
    if last is not None and last <= now:
        assert due.scheduled_for > last


@pytest.mark.parametrize("cron", ["", "x", "* * * *", "61 * * * *", "* * * * * *", "@daily"])
def test_what_is_no_cron_expression_is_refused(cron: str) -> None:
    """A schedule that cannot be meant so is refused at once, with an example."""
    with pytest.raises(UsageError, match="cron") as caught:
        Schedule(cron)
    assert "17 5 * * *" in caught.value.action


def test_a_schedule_that_never_comes_is_refused() -> None:
    """An expression that is well formed and that no day fits is refused at once; a rare day is none of these."""
    with pytest.raises(UsageError, match=r"run\.schedule '0 0 31 2 \*' never comes"):
        Schedule("0 0 31 2 *")
    assert Schedule("0 0 29 2 *").next_due(NOON, None).scheduled_for == datetime(2028, 2, 29, tzinfo=UTC)


class Clock:
    """A wall clock by hand: naps pass at once."""

    def __init__(self) -> None:
        self.at = NOON
        self.naps: list[float] = []

    def now(self) -> datetime:
        """Return the present instant."""
        return self.at

    def nap(self, seconds: float) -> None:
        """Let time pass."""
        self.naps.append(seconds)
        self.at += timedelta(seconds=seconds)


def test_a_worker_runs_at_each_instant_until_it_is_asked_to_stop() -> None:
    """Hour by hour one run, each for its own instant; a run that cannot begin does not end the worker."""
    clock, flag = Clock(), threading.Event()
    done: list[datetime] = []

    def once(instant: datetime, stop: Stop) -> None:
        assert not stop()
        done.append(instant)
        if len(done) == 2:
            message = "The ledger is away."
            raise LedgerError(message)
        if len(done) == 4:
            flag.set()
            assert stop()

    runs = Worker(Schedule("0 * * * *"), lambda: None, once, flag, clock.now, clock.nap).work()
    assert runs == 4
    assert done == [NOON + timedelta(hours=hour) for hour in range(1, 5)]
    assert max(clock.naps) <= 60


def test_an_error_that_nobody_foresaw_ends_one_run_and_no_other() -> None:
    """The worker logs type and place of it, no value, and does the next run at its instant."""
    clock, flag = Clock(), threading.Event()
    done: list[datetime] = []

    def once(instant: datetime, stop: Stop) -> None:
        del stop
        done.append(instant)
        if len(done) == 2:
            flag.set()
            return
        message = "canary"
        raise ZeroDivisionError(message)

    with logged() as lines:
        assert Worker(Schedule("0 * * * *"), lambda: None, once, flag, clock.now, clock.nap).work() == 2
    [line] = lines
    assert (line["level"], line["error_code"], line["error"]) == ("error", "INTERNAL", {"type": "ZeroDivisionError"})
    assert line["where"].startswith("test_run_schedule.py:")
    assert "canary" not in json.dumps(line)


def test_a_clock_that_is_set_back_does_not_stop_the_worker() -> None:
    """If the last run was in what is now the future, the next one comes by the clock as it is."""
    clock, flag = Clock(), threading.Event()
    done: list[datetime] = []

    def once(instant: datetime, stop: Stop) -> None:
        del stop
        done.append(instant)
        clock.at -= timedelta(days=400)
        if len(done) == 2:
            flag.set()

    Worker(Schedule("0 * * * *"), lambda: NOON + timedelta(days=99), once, flag, clock.now, clock.nap).work()
    assert done[1] < done[0]


def test_sigterm_ends_a_waiting_worker_with_0(tmp_path: Path) -> None:
    """A worker that waits for its next run ends at once and well when it is asked to."""
    (tmp_path / "offgridflow.toml").write_text('[run]\nschedule = "0 0 1 1 *"\n[sources.a]\ntype = "aws_cur"\n')
    command = [sys.executable, "-m", "offgridflow", "run", "--schedule", "--ledger", "L"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE)
    while not (tmp_path / "L" / ".runs" / "runs.sqlite").exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=200)[1] == b""
    assert process.returncode == 0
