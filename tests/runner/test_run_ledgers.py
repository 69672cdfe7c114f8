"""Ledgers in hard places: written by an older version, of two recipes, on a disk that is full or may not be written."""

import errno
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from offgridflow.cli.main import run
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.model import FilePart
from offgridflow.domain.errors import LedgerError
from offgridflow.ledger import Ledger
from offgridflow.ledger.tables import connect
from offgridflow.pipeline.model import IngestResult
from offgridflow.pipeline.service import ingest_files, rerate_ledger
from offgridflow.settings import MethodologySettings, Settings
from support.bench import Bench
from support.crew import Operator
from support.twins import Twin, connect_twins

SOAK = bool(os.environ.get("OFFGRIDFLOW_SOAK"))
FIXTURES = Path(__file__).parent / "fixtures"
OLDER = sorted(FIXTURES.glob("ledger-*.tar.gz"))
TWINS = {"a": {"type": "aws_twin", "account": "1"}}
HALF_BUSY = Settings(methodology=MethodologySettings(utilisation=0.25))
PAGE = 4096

Command = Callable[..., Any]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Give a function that runs the command line, expects an exit code, and returns its JSON."""

    def called(*arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - whatever the command says
        assert run([*arguments, "--format", "json"]) == code, capsys.readouterr().err
        out = capsys.readouterr().out
        return json.loads(out, parse_float=Decimal) if out else None

    return called


@pytest.fixture(params=OLDER, ids=lambda path: path.name)
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A folder with a ledger that an older version wrote, its bills, and what that version said of it."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def told(folder: Path, name: str) -> Any:  # noqa: ANN401 - whatever the command said
    """Return what the older version said."""
    return json.loads((folder / name).read_text(), parse_float=Decimal)


def test_the_ledger_of_an_older_version_is_read_as_it_was(older: Path, command: Command) -> None:
    """Every check of verify holds, the digest is the old one, and so is every figure that the old version reported."""
    uri = str(older / "ledger")
    verified = command("verify", "--ledger", uri)
    assert verified["digest"] == told(older, "verify.json")["digest"]
    assert all(check["ok"] for check in verified["checks"])
    then, now = told(older, "report.json"), command("report", "--by", "region_id,billing_period", "--ledger", uri)
    assert len(now["rows"]) == len(then["rows"]) == 4
    for old, new in zip((*then["rows"], *then["total"]), (*now["rows"], *now["total"]), strict=True):
        assert old.items() <= new.items()
    assert now["ledger_version"] == then["ledger_version"]


def test_the_ledger_of_an_older_version_goes_on(older: Path) -> None:
    """It takes new and restated months, finds its own bills again, is rated anew, and its old state stays readable."""
    bench = Bench(older / "ledger")
    before = Ledger.open(bench.uri).version()
    bills = {month: older / "bills" / f"bill-{month}.csv" for month in ("2025-05", "2025-06")}
    new, restated = older / "bill-2025-07.csv", older / "restated-2025-06.csv"
    new.write_text(bills["2025-06"].read_text().replace("2025-06", "2025-07"))
    text = bills["2025-06"].read_text()
    restated.write_text(text + text.splitlines(keepends=True)[1])
    result = bench.ingest(bills["2025-05"], restated, new)
    assert [(each.billing_period, each.line_items) for each in result.periods] == [
        ("2025-05", 4),
        ("2025-06", 5),
        ("2025-07", 4),
    ]
    assert result.status == "ok"
    assert {each.status for each in bench.ingest(bills["2025-05"], restated, new).periods} == {"unchanged"}
    fresh = Bench(older / "fresh")
    fresh.ingest(bills["2025-05"], restated, new)
    assert bench.digest() == fresh.digest()
    assert rerate_ledger(str(bench.uri), HALF_BUSY).status == "ok"
    assert bench.digest() != fresh.digest()
    con = connect()
    Ledger.open(bench.uri).snapshot(before).attach(con)
    (then,) = told(older, "report.json")["total"]
    total = "SELECT sum(total_kgco2e::DECIMAL(38,15)), sum(billed_cost) FROM emissions WHERE charge_class = 'usage'"
    assert con.execute(total).fetchall() == [(then["total_kgco2e"], then["billed_cost"])]
    con.close()


def test_two_recipes_stand_side_by_side(tmp_path: Path) -> None:
    """Months of different recipes are each whole under its own; totals are their sum; each recipe finds its own again.

    Another recipe redoes a month that is ingested under it, and no other.
    """
    months = ("2025-05", "2025-06")
    bills = {month: tmp_path / f"{month}.csv" for month in months}
    with tarfile.open(OLDER[-1]) as archive:
        archive.extractall(tmp_path / "old", filter="data")
    for month, path in bills.items():
        shutil.copy(tmp_path / "old" / "bills" / f"bill-{month}.csv", path)
    mixed, uri = Bench(tmp_path / "mixed"), str(tmp_path / "mixed")

    def ingest(month: str, settings: Settings) -> IngestResult:
        return ingest_files([bills[month]], uri, settings)

    one, two = ingest("2025-05", Settings()).periods[0], ingest("2025-06", HALF_BUSY).periods[0]
    assert one.total_kgco2e is not None
    assert two.total_kgco2e is not None
    assert one.total_kgco2e > two.total_kgco2e > 0
    recipes = {key[1]: live.recipe for key, live in Ledger.open(uri).live().items()}
    assert recipes["2025-05"] != recipes["2025-06"]
    total = mixed.query("SELECT sum(total_kgco2e::DECIMAL(38,15)) FROM emissions")
    assert total == [(one.total_kgco2e + two.total_kgco2e,)]
    before = mixed.digest()
    assert ingest("2025-05", Settings()).periods[0].status == "unchanged"
    assert ingest("2025-06", HALF_BUSY).periods[0].status == "unchanged"
    assert mixed.digest() == before
    assert ingest("2025-06", Settings()).periods[0].total_kgco2e == one.total_kgco2e
    assert {live.recipe for live in Ledger.open(uri).live().values()} == {recipes["2025-05"]}
    plain = Bench(tmp_path / "plain")
    plain.ingest(*bills.values())
    assert mixed.digest() == plain.digest()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 4 MiB, in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "offgridflow-test", str(place)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def twin_operator(folder: Path) -> tuple[Twin, Operator]:
    """Return an account with one month, and an operator who works in a folder."""
    twin = Twin("a", "1", Random(1))  # noqa: S311 - never rolled
    twin.publish("2025-01", [["0.1"]])
    return twin, Operator(folder, connect_twins({"a": twin}))


def leave(disk: Path, pages: int) -> None:
    """Fill a disk but for some pages."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_bsize // PAGE
    (disk / "filler").write_bytes(bytes(max(0, free - pages) * PAGE))


def test_a_full_disk_fails_clearly_at_every_size(disk: Path, tmp_path: Path) -> None:
    """Whatever little is left on the disk, the run commits or says that it could not, and the ledger stays whole.

    What was committed before reads as before while the disk is full; with room again, the next run commits the rest.
    """
    twin, operator = twin_operator(disk)
    operator.run(TWINS)
    before = Bench(operator.uri).digest()
    kept = tmp_path / "kept"
    shutil.copytree(operator.uri, kept)
    twin.publish("2025-02", [["0.2", "0.3"]])
    _, undisturbed = twin_operator(tmp_path / "undisturbed")
    undisturbed.make = connect_twins({"a": twin})
    undisturbed.run(TWINS)
    after = Bench(undisturbed.uri).digest()
    statuses: list[str] = []
    for pages in range(0, 400, 1 if SOAK else 3):
        leave(disk, pages)
        statuses.append(outcome(operator))
        if statuses[-1] == "ok":
            break
        assert Bench(operator.uri).digest() in {before, after}, pages
        (disk / "filler").unlink()
        shutil.rmtree(operator.uri)
        shutil.copytree(kept, operator.uri)
    assert statuses[-1] == "ok"
    assert "refused" in statuses, statuses
    leave(disk, 0)
    assert Bench(operator.uri).digest() == after != before


def outcome(operator: Operator) -> str:
    """Run once and return the run's status, ``refused`` where it ended as an error that says what to do."""
    try:
        return operator.run(TWINS).result.status
    except LedgerError as error:
        return "refused" if error.action else "refused without a way out"


def test_no_room_for_a_part_fails_that_period_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the cache cannot take a part, its period fails with what to do and is next, the others are committed."""
    twins = {name: Twin(name, name, Random(1)) for name in ("a", "b")}  # noqa: S311 - never rolled
    for twin in twins.values():
        for month in ("2025-01", "2025-02"):
            twin.publish(month, [["0.1"]])
    operator = Operator(tmp_path, connect_twins(twins))
    sources = {name: {"type": "aws_twin", "account": name} for name in twins}
    honest, is_full = Cache.readable, [False] * 9 + [True]

    def full(self: Cache, path: Path, name: str) -> tuple[FilePart, ...]:
        if is_full.pop():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return honest(self, path, name)

    monkeypatch.setattr(Cache, "readable", full)
    told = [(each.status, each.error.code if each.error else "") for each in operator.run(sources).result.periods]
    assert told == [("failed", "LOCAL_DISK"), *[("committed", "")] * 3]
    assert sorted(each.status for each in operator.run(sources).result.periods) == ["committed", *["unchanged"] * 3]


def test_room_again_is_all_that_a_full_disk_needs(disk: Path) -> None:
    """After a run that failed on a full disk the next one succeeds without anybody's help, in the same ledger."""
    twin, operator = twin_operator(disk)
    operator.run(TWINS)
    twin.publish("2025-02", [["0.2", "0.3"]])
    for pages in (0, 2, 5):
        leave(disk, pages)
        assert outcome(operator) != "ok"
        (disk / "filler").unlink()
    assert [period.status for period in operator.run(TWINS).result.periods] == ["unchanged", "committed"]
    assert operator.store.holds() == {}
    Bench(operator.uri).digest()


def test_a_ledger_on_a_read_only_disk_is_read_and_not_written(disk: Path, command: Command) -> None:
    """Root too may not write there: report, verify and the history of runs work, a run is refused in one sentence."""
    twin, operator = twin_operator(disk)
    operator.run(TWINS)
    before = Bench(operator.uri).digest()
    twin.publish("2025-02", [["0.2"]])
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(LedgerError) as refused:
        operator.run(TWINS)
    assert refused.value.action
    assert command("verify", "--ledger", str(operator.uri))["digest"] == before
    assert len(command("report", "--ledger", str(operator.uri))["rows"]) == 1
    assert [each["status"] for each in command("runs", "list", "--ledger", str(operator.uri))["runs"]] == ["ok"]
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert [period.status for period in operator.run(TWINS).result.periods] == ["unchanged", "committed"]
