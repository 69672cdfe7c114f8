"""Ledgers in temporary folders, and processes that commit to them."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from offgridflow.ledger import Ledger, Snapshot, verify

if TYPE_CHECKING:
    from tests.ledger.worker import Delivery

WORKER = Path(__file__).parent / "worker.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ledger_worker", WORKER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def delivery() -> "type[Delivery]":
    """Give the class of small deliveries with known figures."""
    found: type[Delivery] = _load().Delivery
    return found


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Give a new, empty ledger."""
    return Ledger.open(tmp_path / "ledger", create=True)


def read(snapshot: Snapshot, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query over the views of a snapshot."""
    con = duckdb.connect()
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
    """Give a function that starts a process which commits deliveries one after another."""

    def started(folder: Path, jobs: Sequence[dict[str, object]]) -> "subprocess.Popen[str]":
        command = [sys.executable, str(WORKER), str(folder), json.dumps(jobs)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    return started
