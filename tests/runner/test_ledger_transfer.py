"""Laws of export and import: the copy is the ledger, or there is no copy."""

import json
import random
from pathlib import Path

import pytest

from offgridflow.cli.main import run
from offgridflow.domain.errors import LedgerError, UsageError
from offgridflow.ledger import Ledger
from offgridflow.pipeline.transfer import copy_ledger
from support.bench import Bench
from support.crew import Operator
from support.twins import Twin, connect_twins

SOURCES = {"a": {"type": "aws_twin", "account": "1"}}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger with two months, one of them restated."""
    twin = Twin("a", "1", random.Random(1))  # noqa: S311 - never rolled
    operator = Operator(tmp_path, connect_twins({"a": twin}))
    twin.publish("2025-01", [["0.1"]])
    twin.publish("2025-02", [["0.2"]])
    operator.run(SOURCES)
    twin.publish("2025-02", [["0.2", "0.3"]])
    operator.run(SOURCES)
    return operator.uri


def test_there_and_back_is_the_same_ledger(ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exported and imported again, digest, history and older versions are the original's; run history stays behind."""
    before = Bench(ledger).digest()
    assert run(["export", str(tmp_path / "copy"), "--ledger", str(ledger), "--format", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["digest"], told["ledger_version"]) == (before, 3)
    assert run(["import", str(tmp_path / "copy"), "--ledger", str(tmp_path / "back")]) == 0
    assert Bench(tmp_path / "back").digest() == before
    assert not (tmp_path / "back" / ".runs").exists()
    one, two = Ledger.open(ledger), Ledger.open(tmp_path / "back")
    assert one.history() == two.history()
    assert one.snapshot(2).commit_ids == two.snapshot(2).commit_ids


def test_a_target_that_is_there_is_left_alone(ledger: Path, tmp_path: Path) -> None:
    """Nothing is ever written over."""
    (tmp_path / "copy").mkdir()
    with pytest.raises(UsageError, match="there already"):
        copy_ledger(str(ledger), tmp_path / "copy")
    assert list((tmp_path / "copy").iterdir()) == []


def test_a_ledger_that_is_not_whole_gives_no_copy(ledger: Path, tmp_path: Path) -> None:
    """If a file was changed or is gone, export fails and leaves nothing behind."""
    (first, *_) = (path for path in (ledger / "emissions").rglob("*.parquet") if "2025-01" in str(path))
    first.unlink()
    beside = set(tmp_path.iterdir())
    with pytest.raises(LedgerError):
        copy_ledger(str(ledger), tmp_path / "copy")
    assert set(tmp_path.iterdir()) == beside


def test_no_copy_lands_within_the_ledger(ledger: Path, tmp_path: Path) -> None:
    """A folder of the ledger itself is refused, also by another way to it, and nothing is written there."""
    before = sorted(ledger.rglob("*"))
    (tmp_path / "way").symlink_to(ledger)
    for target in (ledger / "sub", tmp_path / "way" / "sub", ledger / "emissions" / ".." / "sub"):
        with pytest.raises(UsageError, match="lies within the ledger"):
            copy_ledger(str(ledger), target)
    assert sorted(ledger.rglob("*")) == before


def test_a_folder_that_cannot_be_made_is_named(ledger: Path) -> None:
    """Where no folder can be made, that is said, not what a ledger without tables lacks."""
    with pytest.raises(LedgerError, match=r"^/proc/x cannot be written"):
        copy_ledger(str(ledger), "/proc/x")
