"""Ledgers in temporary folders, and processes that commit to them."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from ledger.worker import Delivery
from offgridflow.ledger import Ledger, Snapshot, verify
from offgridflow.ledger.tables import connect

WORKER = Path(__file__).parent / "worker.py"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Give a new, empty ledger."""
    return Ledger.open(tmp_path / "ledger", create=True)


@pytest.fixture(scope="session")
def _filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("filled") / "ledger"
    Delivery().commit(Ledger.open(folder, create=True))
    return folder


@pytest.fixture
def filled(_filled: Path, tmp_path: Path) -> Ledger:
    """Give a ledger that holds one delivery, as version 1."""
    shutil.copytree(_filled, tmp_path / "filled")
    return Ledger.open(tmp_path / "filled")


@pytest.fixture(scope="session")
def filled_digest(_filled: Path) -> str:
    """Give the digest of ``filled``, whose every law holds."""
    report = verify(Ledger.open(_filled).snapshot())
    assert report.ok
    return report.digest


def read(snapshot: Snapshot, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query over the views of a snapshot."""
    con = connect()
    try:
        snapshot.attach(con)
        return con.execute(query).fetchall()
    finally:
        con.close()


@pytest.fixture
def query() -> Callable[[Snapshot, str], list[tuple[Any, ...]]]:
    """Give a function that reads a snapshot."""
    return read


@pytest.fixture
def digest() -> Callable[[Ledger], str]:
    """Give a function that returns the digest of a ledger whose every law holds."""

    def checked(ledger: Ledger) -> str:
        report = verify(ledger.snapshot())
        assert [check for check in report.checks if not check.ok] == []
        return report.digest

    return checked


@pytest.fixture
def start() -> Callable[[Path, Sequence[dict[str, object]]], "subprocess.Popen[str]"]:
    """Give a function that starts a process which commits deliveries one after another.

    It is not measured: one that is killed leaves a torn coverage file.
    """

    def started(folder: Path, jobs: Sequence[dict[str, object]]) -> "subprocess.Popen[str]":
        command = [sys.executable, str(WORKER), str(folder), json.dumps(jobs)]
        unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")}
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=unmeasured)

    return started
