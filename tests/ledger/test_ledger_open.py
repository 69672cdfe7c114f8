"""What is a ledger and what is not."""

import json
from pathlib import Path

import pytest

from offgridflow.domain.errors import LedgerError
from offgridflow.ledger import Ledger


def test_missing_ledger_is_told(tmp_path: Path) -> None:
    """Opening a folder without a ledger is an error that says what to do, and creates nothing."""
    with pytest.raises(LedgerError, match="There is no ledger") as refused:
        Ledger.open(tmp_path / "none")
    assert "--ledger" in refused.value.action
    assert not (tmp_path / "none").exists()


def test_foreign_folder_is_not_made_a_ledger(tmp_path: Path) -> None:
    """A folder that holds something else is left alone."""
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(LedgerError, match=r"holds photo\.jpg"):
        Ledger.open(tmp_path, create=True)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_newer_layout_is_refused(tmp_path: Path) -> None:
    """A ledger that a newer version wrote is not touched."""
    Ledger.open(tmp_path / "ledger", create=True)
    marker = tmp_path / "ledger" / "ledger.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "layout": 2}))
    with pytest.raises(LedgerError, match="layout 2") as refused:
        Ledger.open(tmp_path / "ledger", create=True)
    assert refused.value.action == "Upgrade OffGridFlow."


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"layout": "x"}', "null"])
def test_broken_marker_is_told(tmp_path: Path, content: str) -> None:
    """A marker that cannot be understood is an error, never a new ledger over the old one."""
    Ledger.open(tmp_path / "ledger", create=True)
    (tmp_path / "ledger" / "ledger.json").write_text(content)
    with pytest.raises(LedgerError, match=r"ledger\.json"):
        Ledger.open(tmp_path / "ledger", create=True)


def test_opening_again_keeps_identity(tmp_path: Path) -> None:
    """Creating is done once: the ledger's id and retention stay, and a file URI names the same ledger."""
    first = Ledger.open(tmp_path / "ledger", create=True, retention_days=400)
    again = Ledger.open(f"file://{tmp_path / 'ledger'}", create=True, retention_days=10)
    assert again.marker == first.marker
    assert again.marker.retention_days == 400


def test_retention_stands_in_the_delta_properties(tmp_path: Path) -> None:
    """Other programs that vacuum the tables see the retention, and nobody cuts the log."""
    Ledger.open(tmp_path / "ledger", create=True)
    log = (tmp_path / "ledger" / "emissions" / "_delta_log" / f"{0:020d}.json").read_text()
    entries = [json.loads(line) for line in log.splitlines()]
    configuration = next(entry["metaData"]["configuration"] for entry in entries if "metaData" in entry)
    assert configuration == {
        "delta.logRetentionDuration": "interval 2557 days",
        "delta.deletedFileRetentionDuration": "interval 2557 days",
        "delta.enableExpiredLogCleanup": "false",
    }


@pytest.mark.parametrize("uri", ["https://host/ledger", "ftp://host/ledger", "hdfs://host/ledger"])
def test_unsupported_places_are_told(uri: str) -> None:
    """A scheme that no ledger can live in is refused by name."""
    with pytest.raises(LedgerError, match="not supported"):
        Ledger.open(uri)


def test_misleading_folder_is_refused(tmp_path: Path) -> None:
    """A folder whose own path reads as a partition would give its rows a wrong source: it is refused."""
    with pytest.raises(LedgerError, match="partition"):
        Ledger.open(tmp_path / "source=x" / "ledger", create=True)
