"""Laws of locks: one worker per account, let go of by whoever dies."""

import threading
import time
from pathlib import Path

import pytest

from offgridflow.domain.errors import LedgerError
from offgridflow.pipeline.locks import BusyError, FileLocks, Locks, PostgresLocks, lock_name


@pytest.fixture(params=["files", "postgres"])
def locks(request: pytest.FixtureRequest, tmp_path: Path) -> Locks:
    """Each kind of locks, waiting for a second at most."""
    if request.param == "files":
        return FileLocks(tmp_path / "locks", wait_seconds=1)
    return PostgresLocks(request.getfixturevalue("dsn"), wait_seconds=1)


def test_one_at_a_time(locks: Locks) -> None:
    """Of many threads on one account, one works at a time, and all get their turn."""
    inside, most, done = [0], [0], [0]

    def work() -> None:
        with locks.hold("aws 1"):
            inside[0] += 1
            most[0] = max(most[0], inside[0])
            time.sleep(0.01)
            inside[0] -= 1
            done[0] += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most[0], done[0]) == (1, 4)


def test_another_account_does_not_wait(locks: Locks) -> None:
    """Two accounts are worked on at once."""
    with locks.hold("aws 1"), locks.hold("aws 2"):
        entered = True
    assert entered


def test_who_waits_too_long_is_told_and_tries_again_next_time(locks: Locks) -> None:
    """A wait has an end; the error is transient, names the account, and leaves the lock to be had later."""
    with (
        locks.hold("aws 1"),
        pytest.raises(BusyError, match="wait for the other worker") as caught,
        locks.hold("aws 1"),
    ):
        pass
    assert caught.value.code == "BUSY"
    assert "aws 1" in caught.value.action
    with locks.hold("aws 1"):
        pass


def test_a_server_that_is_not_there_begins_nothing_and_hides_the_dsn() -> None:
    """Without the server nothing is begun, and the error does not show the credentials."""
    locks = PostgresLocks("postgresql://user:canary@127.0.0.1:1/x?connect_timeout=1", wait_seconds=0)
    with pytest.raises(LedgerError, match="cannot be reached") as caught, locks.hold("aws 1"):
        pass
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"type": "aws_cur", "bucket": "b", "role_arn": "r"}, "aws r"),
        ({"type": "aws_data_export", "bucket": "b"}, "aws b"),
        ({"type": "azure_export", "account_url": "https://x", "container": "c"}, "azure https://x"),
        ({"type": "gcs_export", "bucket": "b"}, "gcs b"),
        ({}, " default"),
    ],
)
def test_sources_of_one_account_share_a_lock(settings: dict[str, str], expected: str) -> None:
    """What counts against one quota has one name."""
    assert lock_name(settings) == expected
