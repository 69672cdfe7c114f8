"""The digest says whether two ledgers hold the same, and every check finds what it is there for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.worker import Delivery
from offgridflow.ledger import CommitRecord, Ledger, Snapshot, verify
from offgridflow.ledger.tables import connect
from support.shelves import Shelf

Digest = Callable[[Ledger], str]


@pytest.mark.parametrize(
    "other",
    [
        Delivery(descending=True),
        Delivery(files=3),
        Delivery(files=3, descending=True),
        Delivery(recipe="recipe-2"),
    ],
)
def test_digest_does_not_depend_on_packing_or_order(tmp_path: Path, digest: Digest, other: Delivery) -> None:
    """Row order, the number of files, commit ids and times do not enter the digest."""
    one, two = (Ledger.open(tmp_path / name, create=True) for name in ("one", "two"))
    Delivery().commit(one)
    other.commit(two)
    assert digest(one) == digest(two)


@pytest.mark.parametrize(
    "other",
    [
        Delivery(variant=1),
        Delivery(lines=21),
        Delivery(quarantined=2),
        Delivery(source="aws/222"),
        Delivery(period="2025-07"),
        Delivery(account="222"),
    ],
)
def test_digest_depends_on_content(tmp_path: Path, digest: Digest, other: Delivery) -> None:
    """Any other figure, row, quarantined line, source, period or account gives another digest."""
    one, two = (Ledger.open(tmp_path / name, create=True) for name in ("one", "two"))
    Delivery().commit(one)
    other.commit(two)
    assert digest(one) != digest(two)


def test_digest_counts_equal_rows(tmp_path: Path) -> None:
    """Two equal rows are two rows: a digest that cancelled or merged them would hide a doubled file."""
    digests = set()
    for times in (1, 2, 3):
        ledger = Ledger.open(tmp_path / str(times), create=True)
        staging = ledger.stage("aws/111", "2025-06")
        con = connect()
        for number in range(times):
            path = staging.emissions_file(number)
            Delivery().write(con, dict.fromkeys(range(1), path).__getitem__)
        con.close()
        ledger.commit(staging, Delivery().record())
        digests.add(verify(ledger.snapshot()).digest)
    assert len(digests) == 3


def test_order_of_commits_does_not_matter(tmp_path: Path, digest: Digest) -> None:
    """The same periods committed in another order, or over an older delivery, give the same digest."""
    one, two = (Ledger.open(tmp_path / name, create=True) for name in ("one", "two"))
    june, july = Delivery(period="2025-06"), Delivery(period="2025-07")
    june.commit(one)
    july.commit(one)
    july.commit(two)
    Delivery(period="2025-06", variant=9).commit(two)
    june.commit(two)
    assert digest(one) == digest(two)


def _failing(ledger: Ledger) -> set[str]:
    return {check.name for check in verify(ledger.snapshot()).checks if not check.ok}


def _file(ledger: Ledger, table: str) -> str:
    return f"{table}/{next(iter(ledger.storage.files(table))).path}"


def _edit(ledger: Ledger, table: str, replaced: str, folder: Path) -> None:
    """Edit a file where it lies, so that copies elsewhere do not know of it."""
    name, aside = _file(ledger, table), folder / "aside.parquet"
    ledger.storage.download(name, aside)
    con = connect()
    con.execute(f"CREATE TEMP TABLE rows AS FROM read_parquet('{aside}', hive_partitioning=false)")
    con.execute(f"COPY (SELECT * REPLACE ({replaced}) FROM rows) TO '{aside}' (FORMAT parquet)")
    con.close()
    ledger.storage.upload(name, aside)


@pytest.mark.parametrize(
    ("replaced", "check"),
    [
        ("CASE resource_id WHEN 'i-0' THEN 'i-x' ELSE resource_id END AS resource_id", "files_unaltered"),
        ("total_kgco2e * 1.001 AS total_kgco2e", "impacts_recomputed_from_rates"),
        ("total_kgco2e * 1.001 AS total_kgco2e", "totals_add_up"),
        ("water_l + 1 AS water_l", "impacts_recomputed_from_rates"),
        ("NULL::DOUBLE AS energy_kwh", "impacts_recomputed_from_rates"),
        ("total_kgco2e * 9 AS total_low_kgco2e", "range_ordered"),
        ("-total_kgco2e AS total_kgco2e", "impacts_finite_and_not_negative"),
        ("'nan'::DOUBLE AS embodied_kgco2e", "impacts_finite_and_not_negative"),
        ("'inf'::DOUBLE AS water_l", "impacts_finite_and_not_negative"),
        ("(billed_cost + 0.000000000000001)::DECIMAL(38,15) AS billed_cost", "money_conserved"),
        ("line_items + 1 AS line_items", "lines_conserved"),
        ("'EUR' AS billing_currency", "money_conserved"),
        ("'rate-x' AS rate_id", "rates_exist"),
        ("'rate-b' AS rate_id", "impacts_recomputed_from_rates"),
        ("NULL::VARCHAR AS rate_id", "usage_has_rate_or_reason"),
        ("CASE WHEN status = 'not_estimated' THEN NULL ELSE reason END AS reason", "usage_has_rate_or_reason"),
        ("coalesce(total_kgco2e, 0) AS total_kgco2e", "usage_has_rate_or_reason"),
        ("coalesce(water_l, 0) AS water_l", "excluded_has_no_impacts"),
        ("CASE WHEN reason = 'tax' THEN 'fee' ELSE reason END AS reason", "excluded_has_no_impacts"),
        ("'family' AS method", "words_known"),
        ("['made_up'] AS assumptions", "words_known"),
        ("'B' AS coverage_bucket", "rows_agree_with_rates"),
        ("NULL::VARCHAR AS coverage_bucket", "coverage_complete"),
    ],
)
@pytest.mark.parametrize("shelf", ["folder"], indirect=True)
def test_edited_emissions_are_found(
    filled: Ledger, filled_digest: str, replaced: str, check: str, tmp_path: Path
) -> None:
    """An edited file of emissions fails the check that is there for it, beside that of the file's digest."""
    _edit(filled, "emissions", replaced, tmp_path)
    after = verify(filled.snapshot())
    assert {check, "files_unaltered"} <= {each.name for each in after.checks if not each.ok}
    assert (after.digest == filled_digest) == ("rate_id" in replaced)


@pytest.mark.parametrize("is_read_before", [True, False])
def test_edited_emissions_are_found_wherever_they_lie(
    filled: Ledger, filled_digest: str, tmp_path: Path, *, is_read_before: bool
) -> None:
    """An edit in an object store is found, also where an older copy of the file is at hand."""
    if is_read_before:
        assert verify(filled.snapshot()).digest == filled_digest
    _edit(filled, "emissions", "total_kgco2e * 1.001 AS total_kgco2e", tmp_path)
    after = verify(filled.snapshot())
    assert {"files_unaltered", "totals_add_up"} <= {each.name for each in after.checks if not each.ok}
    assert after.digest != filled_digest


def test_edited_rate_is_found(filled: Ledger, tmp_path: Path) -> None:
    """A rate that was edited no longer gives the figures of the rows."""
    _edit(filled, "rates", "total_kgco2e_central * 2 AS total_kgco2e_central", tmp_path)
    assert "impacts_recomputed_from_rates" in _failing(filled)


def test_insane_rate_is_found(filled: Ledger, tmp_path: Path) -> None:
    """A rate whose range is out of order fails, even where no row uses it."""
    _edit(filled, "rates", "total_kgco2e_central * 2 AS total_kgco2e_low", tmp_path)
    assert "rates_sane" in _failing(filled)


def test_edited_quarantine_is_found(filled: Ledger, tmp_path: Path) -> None:
    """Quarantined money counts in the conservation of money."""
    _edit(filled, "quarantine", "0.4::DECIMAL(38,15) AS billed_cost", tmp_path)
    assert "money_conserved" in _failing(filled)


@pytest.mark.parametrize(
    ("table", "check"),
    [("emissions", "files_present"), ("rates", "files_present"), ("quarantine", "files_present")],
)
def test_deleted_file_is_found(filled: Ledger, table: str, check: str) -> None:
    """A deleted file is reported, and there is no digest of what cannot be read."""
    filled.storage.delete(_file(filled, table))
    report = verify(filled.snapshot())
    assert {check, "rows_readable"} <= {each.name for each in report.checks if not each.ok}
    assert report.digest == ""


def test_deleted_commit_row_is_found(filled: Ledger, tmp_path: Path) -> None:
    """A live commit of which nothing is recorded fails."""
    _edit(filled, "commits", "'other' AS commit_id", tmp_path)
    assert "commits_recorded" in _failing(filled)


@pytest.mark.parametrize("damage", ["cut", "text"])
def test_broken_file_is_found(filled: Ledger, tmp_path: Path, damage: str) -> None:
    """A file that is no Parquet any more makes the rows unreadable; verify says so and does not fail itself."""
    name, aside = _file(filled, "emissions"), tmp_path / "broken.parquet"
    filled.storage.download(name, aside)
    aside.write_bytes(aside.read_bytes()[:-100] if damage == "cut" else b"x" * 200)
    filled.storage.upload(name, aside)
    assert {"files_unaltered", "rows_readable"} <= _failing(filled)


def test_period_held_twice_is_found(filled: Ledger, shelf: Shelf, tmp_path: Path) -> None:
    """Two live commits of one period, which no commit can bring about, fail the check, and nothing reads them."""
    twin = Delivery(period="2025-07").commit(filled)
    entry = f"emissions/_delta_log/{twin.version:020d}.json"
    told = (filled.storage.read(entry) or b"").replace(b'"billing_period":"2025-07"', b'"billing_period":"2025-06"')
    shelf.write(tmp_path / "aside", entry, told)
    snapshot: Snapshot = Ledger.open(shelf.uri()).snapshot()
    assert "periods_once" in {check.name for check in verify(snapshot).checks if not check.ok}
    con = connect()
    with pytest.raises(Exception, match="twice"):
        snapshot.attach(con)
    con.close()


def test_allowed_overlap_is_told(ledger: Ledger) -> None:
    """An account under two sources is named by verify, and does not fail it: settings allowed it."""
    Delivery(source="cur").commit(ledger)
    Delivery(source="focus", allow_overlap=True).commit(ledger)
    found = {check.name: check for check in verify(ledger.snapshot()).checks}
    assert found["accounts_once"].ok
    assert "aws 111 2025-06" in found["accounts_once"].detail


def test_orphans_are_told(filled: Ledger) -> None:
    """A file that no log names is named by verify, and does not fail it: nobody reads it."""
    staging = filled.stage("aws/111", "2025-07")
    left = staging.emissions_file(0)
    left.write_bytes(b"half a file")
    filled.storage.publish("emissions", next(iter(staging.paths)))
    report = verify(filled.snapshot())
    assert report.ok
    assert left.name in next(check.detail for check in report.checks if check.name == "orphans")


def test_raw_totals_must_be_told(ledger: Ledger) -> None:
    """A commit that told no raw totals cannot prove conservation, and fails it."""
    staging = ledger.stage("aws/111", "2025-06")
    con = connect()
    Delivery().write(con, staging.emissions_file)
    con.close()
    ledger.commit(staging, CommitRecord("aws", "focus", "f", "r", 40))
    assert {"lines_conserved", "money_conserved"} <= _failing(ledger)


def test_report_is_plain_data(filled: Ledger) -> None:
    """The report has the shape that the command line promises."""
    told = verify(filled.snapshot()).to_json()
    assert set(told) == {"ledger_version", "digest", "checks"}
    assert told["ledger_version"] == 1
    assert all(set(check) == {"name", "ok", "detail"} for check in told["checks"])
