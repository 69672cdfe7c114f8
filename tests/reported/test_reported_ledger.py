"""The ledger's table of published figures: atomic by source and month, safe from crashes and races, cared for."""

import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.domain.errors import InputError, LedgerError
from offgridflow.domain.reported import REPORTED, Breakdown, ReportedEmission, kilograms, litres
from offgridflow.ledger import CommitRecord, Ledger, forget, orphans, pin, vacuum, verify
from offgridflow.ledger.reported import MonthOfReport

Site = Any  # tests/reported/conftest.py: test folders are not packages


def row(kg: object, month: str = "2025-06") -> ReportedEmission:
    return ReportedEmission("aws", month, Breakdown.CELL, {"scope_1_kgco2e": Decimal(str(kg))}, sub_account_id="1")


def month(*kilograms_: object, source: str = "report", period: str = "2025-06") -> MonthOfReport:
    return MonthOfReport(source, period, [row(kg, period) for kg in kilograms_])


def live(ledger: Ledger, **snapshot: Any) -> list[Decimal]:  # noqa: ANN401 - arguments of Ledger.snapshot
    """Return the scope 1 figures of a snapshot."""
    with duckdb.connect() as con:
        ledger.snapshot(**snapshot).attach(con)
        return [found[0] for found in con.execute(f"SELECT scope_1_kgco2e FROM {REPORTED} ORDER BY ALL").fetchall()]


def test_a_ledger_older_than_the_table_gets_it_with_its_first_row(site: Site) -> None:
    """Without the table there are no published figures, and the first commit makes it."""
    assert site.ledger.reported.head().version == 0
    shutil.rmtree(site.folder / "ledger" / REPORTED)
    ledger = Ledger.open(site.folder / "ledger")
    assert ledger.reported.head().version == -1
    assert live(ledger) == []
    assert ledger.reported.history() == []
    assert ledger.reported.forget("report") == ()
    ledger.reported.commit(month(1))
    assert live(ledger) == [1]


def test_equal_content_is_unchanged_whatever_its_order(site: Site) -> None:
    """The digest is of the rows as a set of texts: order does not matter, a figure does."""
    assert site.ledger.reported.commit(month(1, 2)).status == "committed"
    assert site.ledger.reported.commit(month(2, 1)).status == "unchanged"
    assert site.ledger.reported.commit(month(2, 1, 1)).status == "committed"
    assert live(site.ledger) == [1, 1, 2]


def test_what_is_asked_for_again_is_committed_again(site: Site) -> None:
    """Asked to, an equal month replaces itself: another commit, the same figures, and the older one stays readable."""
    first = site.ledger.reported.commit(month(1, 2))
    again = site.ledger.reported.commit(month(2, 1), again=True)
    assert (again.status, again.version) == ("committed", first.version + 1)
    assert site.ledger.reported.history()[0]["replaced_commit_id"] == first.commit_id
    assert live(site.ledger) == [1, 2]
    assert verify(site.ledger.snapshot()).ok


def test_what_went_back_is_a_change_too(site: Site) -> None:
    """A, then B, then A again: three commits, and each of them can be read."""
    versions = [site.ledger.reported.commit(month(kg)).version for kg in (1, 2, 1)]
    read = [site.rows(version=version)[0]["scope_1_kgco2e"] for version in versions]
    assert read == [1, 2, 1]


def test_time_travel_by_instant_and_by_version(site: Site) -> None:
    """As of an instant: what was live then. Of a version of the ledger: what was live when it ended."""
    clock = [datetime(2025, 8, 1, tzinfo=UTC)]

    def tick() -> datetime:
        clock[0] += timedelta(minutes=1)
        return clock[0]

    ledger = Ledger.open(site.folder / "other", create=True, clock=tick)
    ledger.reported.commit(month(1))
    between = tick()
    ledger.commit(ledger.stage("bill", "2025-06"), CommitRecord("aws", "focus", "f", "r", 0))
    ledger.reported.commit(month(2))
    assert live(ledger, as_of=between) == [1]
    assert live(ledger, version=0) == [1]
    assert live(ledger, version=1) == live(ledger) == [2]


def test_racing_commits_never_hold_a_month_twice(site: Site) -> None:
    """Eight writers of four contents to two months: each month holds exactly one of them."""
    uri = site.folder / "ledger"
    Ledger.open(uri, create=True)

    def write(number: int) -> None:
        Ledger.open(uri).reported.commit(month(number % 4, period=f"2025-0{1 + number % 2}"))

    with ThreadPoolExecutor(max_workers=8) as pool:
        list(pool.map(write, range(16)))
    head = Ledger.open(uri).reported.head()
    assert [key[1] for key in head.reports] == ["2025-01", "2025-02"]
    assert len(live(Ledger.open(uri))) == 2
    assert verify(Ledger.open(uri).snapshot()).ok


_KILLED = """
import os, signal, sys
from decimal import Decimal
from offgridflow.domain.reported import Breakdown, ReportedEmission
from offgridflow.ledger import Ledger
from offgridflow.ledger.reported import MonthOfReport

def die(step):
    if step == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

rows = [ReportedEmission("aws", "2025-06", Breakdown.CELL, {"scope_1_kgco2e": Decimal(2)}, sub_account_id="1")]
Ledger.open(sys.argv[1], checkpoint=die).reported.commit(MonthOfReport("report", "2025-06", rows))
"""


@pytest.mark.parametrize(("step", "seen"), [("reported staged", [1]), ("reported", [2])])
def test_a_kill_leaves_the_old_month_or_the_new_one(site: Site, step: str, seen: list[int]) -> None:
    """SIGKILL before the commit point shows the old rows, after it the new ones; run again, the new ones stand."""
    uri = site.folder / "ledger"
    site.ledger.reported.commit(month(1))
    done = subprocess.run([sys.executable, "-c", _KILLED, str(uri), step], check=False)
    assert done.returncode == -9
    assert live(site.ledger) == seen
    site.ledger.reported.commit(month(2))
    assert live(site.ledger) == [2]
    assert len([table for table, _ in orphans(site.ledger) if table == REPORTED]) == (1 if step != "reported" else 0)


def test_forget_takes_a_report_out_and_history_keeps_it(site: Site) -> None:
    """One month or all of a source; another source stays; what is not there is an error."""
    for period in ("2025-05", "2025-06"):
        site.ledger.reported.commit(month(1, period=period))
    site.ledger.reported.commit(month(7, source="other"))
    before = site.ledger.reported.head().version
    assert forget(site.ledger, "report", "2025-05").periods == (("report", "2025-05"),)
    assert forget(site.ledger, "report").periods == (("report", "2025-06"),)
    assert live(site.ledger) == [7]
    assert len(site.rows(version=before)) == 3
    with pytest.raises(LedgerError, match="holds nothing of report"):
        forget(site.ledger, "report")


def test_vacuum_removes_replaced_rows_after_the_retention_and_spares_pins(site: Site) -> None:
    """Within the retention nothing goes; after it what was replaced goes, unless a pinned version shows it."""
    site.ledger.reported.commit(month(1))
    site.ledger.reported.commit(month(2))
    assert vacuum(site.ledger).paths == ()
    swept = vacuum(site.ledger, retention=timedelta(seconds=-60))
    assert [path.partition("/")[0] for path in swept.paths] == [REPORTED]
    assert live(site.ledger) == [2]
    pin(site.ledger, site.ledger.version(), "closed")
    site.ledger.reported.commit(month(3))
    assert len(vacuum(site.ledger, retention=timedelta(seconds=-60), dry_run=True).paths) == 1


def test_verify_finds_a_changed_and_a_missing_file(site: Site) -> None:
    """A file of published figures that was tampered with, or is gone, fails a check by name."""
    site.ledger.reported.commit(month(1))
    (path,) = (site.folder / "ledger" / REPORTED).rglob("*.parquet")
    assert verify(site.ledger.snapshot()).ok
    content = path.read_bytes()
    path.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
    failed = {check.name for check in verify(site.ledger.snapshot()).checks if not check.ok}
    assert "reports_unaltered" in failed
    path.unlink()
    assert not verify(site.ledger.snapshot()).ok


def test_rows_of_another_month_and_names_without_a_letter_are_refused() -> None:
    """A month holds its own rows only, and a source has a name."""
    with pytest.raises(LedgerError, match="2025-07 stands among"):
        MonthOfReport("report", "2025-06", [row(1, "2025-07")])
    with pytest.raises(LedgerError, match="empty or too long"):
        MonthOfReport(" ", "2025-06", [])


tonnes = st.decimals(Decimal(-(10**9)), Decimal(10**9), places=9)


@given(tonnes)
def test_a_tonne_is_a_thousand_kilograms_exactly(value: Decimal) -> None:
    """Conversion never rounds what fits into 15 places; a cubic metre is a thousand litres."""
    assert kilograms(value, "MTCO2e", "here") == value * 1000
    assert kilograms(value, "kgCO2E", "here") == value
    assert litres(value, "m3", "here") == value * 1000
    assert kilograms(None, None, "here") is None


@pytest.mark.parametrize("unit", ["", None, "lb", "tCO2", "MTCO2"])
def test_other_units_are_refused(unit: str | None) -> None:
    """A unit that is not known is no kilogram, whatever it looks like."""
    with pytest.raises(InputError) as caught:
        kilograms(Decimal(1), unit, "here")
    assert caught.value.code == "UNKNOWN_UNIT"
    with pytest.raises(InputError):
        kilograms(Decimal("NaN"), "kgCO2e", "here")
