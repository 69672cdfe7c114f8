"""What a commit does, refuses and leaves alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.worker import RATES, Delivery
from offgridflow.domain.errors import CommitUnknownError, LedgerError, OverlapError, ShrinkError
from offgridflow.ledger import CommitRecord, Ledger, Snapshot
from offgridflow.ledger.tables import connect
from support.shelves import Shelf

Query = Callable[[Snapshot, str], list[tuple[Any, ...]]]
Digest = Callable[[Ledger], str]
Reopen = Callable[..., Ledger]


def test_commit_is_live_with_all_its_rows(ledger: Ledger, query: Query, digest: Digest) -> None:
    """A committed period is live with its rows, rates, quarantined lines and record, and every law holds."""
    result = Delivery().commit(ledger)
    assert result.status == "committed"
    live = ledger.live()["aws/111", "2025-06"]
    assert (live.commit_id, live.line_items, live.replaced_commit_id) == (result.commit_id, 41, None)
    snapshot = ledger.snapshot()
    counts = "SELECT (SELECT count(*) FROM emissions), (SELECT count(*) FROM rates), (SELECT count(*) FROM quarantine)"
    assert query(snapshot, counts) == [(20, 3, 1)]
    assert query(snapshot, "SELECT DISTINCT source, billing_period, commit_id FROM quarantine") == [
        ("aws/111", "2025-06", result.commit_id),
    ]
    assert query(snapshot, "SELECT commit_id, run_id FROM commits") == [(result.commit_id, "run-1")]
    assert len(digest(ledger)) == 64


@pytest.mark.parametrize("source", ["aws/1 ü %2F=x", "2024", "a'b\"c", "*[x]?", "..", "東京/請求", "true"])
def test_any_source_name_reads_back(ledger: Ledger, query: Query, digest: Digest, source: str) -> None:
    """A source's name comes back as text, whatever characters it holds, also when its period is replaced."""
    con = connect()
    for variant in (0, 1):
        staging = ledger.stage(source, "2025-06")
        Delivery(variant=variant).write(con, staging.emissions_file)
        record = Delivery(variant=variant, quarantined=0).record()
        assert ledger.commit(staging, record, rates=RATES).status == "committed"
    con.close()
    assert query(ledger.snapshot(), "SELECT source, count(*) FROM emissions GROUP BY ALL") == [(source, 20)]
    assert digest(ledger)


def test_same_delivery_and_recipe_is_unchanged(ledger: Ledger) -> None:
    """The same fingerprint under the same recipe commits nothing, and another recipe replaces."""
    first = Delivery().commit(ledger)
    again = Delivery().commit(ledger)
    assert (again.status, again.version, again.commit_id) == ("unchanged", first.version, first.commit_id)
    assert len(list(ledger.storage.files("emissions"))) == 1
    record = Delivery().record()
    assert ledger.find_unchanged("aws/111", "2025-06", record.fingerprint, record.recipe) is not None
    assert ledger.find_unchanged("aws/111", "2025-06", record.fingerprint, "recipe-2") is None
    assert ledger.find_unchanged("aws/111", "2025-07", record.fingerprint, record.recipe) is None
    other = Delivery(recipe="recipe-2").commit(ledger)
    assert other.status == "committed"
    assert ledger.live()["aws/111", "2025-06"].replaced_commit_id == first.commit_id


def test_replacement_leaves_the_older_version_readable(ledger: Ledger, query: Query) -> None:
    """A newer delivery replaces its period, and the older one can still be read by version."""
    first = Delivery(variant=0).commit(ledger)
    second = Delivery(variant=1, lines=30).commit(ledger)
    count = "SELECT count(*), count(DISTINCT commit_id) FROM emissions"
    assert query(ledger.snapshot(), count) == [(30, 1)]
    assert query(ledger.snapshot(first.version), count) == [(20, 1)]
    assert query(ledger.snapshot(second.version), count) == [(30, 1)]
    assert query(ledger.snapshot(0), count) == [(0, 0)]


@pytest.mark.parametrize("version", [2, 99, 10**12, 10**30, -1])
def test_no_version_but_those_that_were(ledger: Ledger, version: int) -> None:
    """A version that is not there is refused at once by its number, naming the newest, however far off it is."""
    Delivery().commit(ledger)
    with pytest.raises(LedgerError, match=f"no version {version}") as refused:
        ledger.snapshot(version)
    assert "from 0 to 1;" in refused.value.action


def test_every_look_sees_the_newest_commit(ledger: Ledger, reopen: Reopen) -> None:
    """A ledger that stays open sees what others commit, at once, and its older heads stay as they were."""
    mine, theirs = ledger, reopen()
    heads = [mine.emissions.head()]
    for lines in (20, 30, 40):
        done = Delivery(lines=lines).commit(theirs)
        assert mine.version() == done.version
        assert [live.commit_id for live in mine.live().values()] == [done.commit_id]
        heads.append(mine.emissions.head())
    assert Delivery(lines=50).commit(mine).version == theirs.version() == 4
    assert [mine.emissions.head(version) for version in range(4)] == heads
    assert [len(head.files) for head in heads] == [0, 1, 1, 1]


def test_a_log_put_back_from_a_backup_is_seen(ledger: Ledger, shelf: Shelf) -> None:
    """A ledger that stays open follows its log backwards too: what is live is what the log says now."""
    first = Delivery(lines=20).commit(ledger)
    Delivery(lines=30).commit(ledger)
    assert ledger.version() == 2
    shelf.storage().delete(f"emissions/_delta_log/{2:020d}.json")
    assert ledger.version() == 1
    assert [live.commit_id for live in ledger.live().values()] == [first.commit_id]
    again = Delivery(lines=40).commit(ledger)
    assert (again.status, again.version) == ("committed", 2)
    assert [live.replaced_commit_id for live in ledger.live().values()] == [first.commit_id]


def test_snapshot_by_instant(shelf: Shelf, query: Query) -> None:
    """``as_of`` gives the newest version that was committed by then; before the ledger existed it is an error."""
    now = [datetime(2025, 7, 1, tzinfo=UTC)]
    ledger = Ledger.open(shelf.uri(), create=True, clock=lambda: now[0])
    for day, lines in ((2, 20), (3, 30)):
        now[0] = datetime(2025, 7, day, tzinfo=UTC)
        Delivery(lines=lines).commit(ledger)
    count = "SELECT count(*) FROM emissions"
    found = [query(ledger.snapshot(as_of=datetime(2025, 7, day, 12, tzinfo=UTC)), count) for day in (1, 2, 3)]
    assert found == [[(0,)], [(20,)], [(30,)]]
    with pytest.raises(LedgerError, match="created after"):
        ledger.snapshot(as_of=datetime(2025, 6, 1, tzinfo=UTC))


def test_snapshot_is_not_disturbed_by_later_commits(ledger: Ledger, query: Query) -> None:
    """A snapshot taken before a replacement still shows what it showed."""
    Delivery(lines=20).commit(ledger)
    before = ledger.snapshot()
    Delivery(lines=30).commit(ledger)
    assert query(before, "SELECT count(*), sum(line_items) FROM emissions") == [(20, 40)]
    assert query(before, "SELECT count(*) FROM commits") == [(1,)]


def test_a_snapshot_of_one_period_holds_it_alone(ledger: Ledger, query: Query) -> None:
    """Of chosen periods a snapshot shows exactly the rows, rates, quarantined lines and commits of the whole."""
    for number, period in enumerate(("2025-06", "2025-07", "2025-08")):
        Delivery(period=period, lines=20 + number, files=1 + number).commit(ledger)
    whole = ledger.snapshot()
    one = whole.of_periods([("aws/111", "2025-07"), ("aws/999", "2025-07")])
    assert {file.key for file in one.files("emissions")} == {("aws/111", "2025-07")}
    assert len(one.files("commits")) == len(one.files("quarantine")) == len(one.files("rates")) == 1
    for view in ("emissions", "quarantine", "commits"):
        there = query(whole, f"FROM {view} WHERE billing_period = '2025-07' ORDER BY ALL")
        assert query(one, f"FROM {view} ORDER BY ALL") == there != []
    assert query(one, "SELECT count(*) FROM rates") == [(3,)]
    assert query(whole, "SELECT count(*) FROM emissions") == [(63,)]
    assert query(whole.of_periods([]), "SELECT count(*) FROM emissions") == [(0,)]


def test_july_leaves_june_alone(ledger: Ledger, shelf: Shelf, tmp_path: Path) -> None:
    """A commit of July touches no byte of June's files and leaves its commit live."""
    june = Delivery(period="2025-06").commit(ledger)

    def of_june() -> dict[str, bytes]:
        tree = shelf.tree(tmp_path / "aside", prefix="emissions")
        return {name: content for name, content in tree.items() if "2025-06" in name}

    before = of_june()
    Delivery(period="2025-07").commit(ledger)
    assert of_june() == before
    assert {key[1]: live.commit_id for key, live in ledger.live().items()}["2025-06"] == june.commit_id


def test_empty_period_is_live(ledger: Ledger, query: Query, digest: Digest) -> None:
    """A delivery without rows is committed too, replaces nothing else, and is unchanged the second time."""
    record = CommitRecord(provider="aws", format="focus", fingerprint="f", recipe="r", line_items=0)
    assert ledger.commit(ledger.stage("aws/1", "2025-06"), record).status == "committed"
    assert ledger.commit(ledger.stage("aws/1", "2025-06"), record).status == "unchanged"
    assert list(ledger.live()) == [("aws/1", "2025-06")]
    assert query(ledger.snapshot(), "SELECT count(*) FROM emissions") == [(0,)]
    assert digest(ledger)


def test_empty_ledger_has_typed_views(ledger: Ledger, query: Query, digest: Digest) -> None:
    """A ledger without commits has all four views, empty and with their types."""
    kinds: dict[str, str] = dict(query(ledger.snapshot(), "SELECT column_name, column_type FROM (DESCRIBE emissions)"))
    assert (kinds["billed_cost"], kinds["tags"]) == ("DECIMAL(38,15)", "MAP(VARCHAR, VARCHAR)")
    counts = query(ledger.snapshot(), "SELECT (SELECT count(*) FROM rates), (SELECT count(*) FROM commits)")
    assert counts == [(0, 0)]
    assert ledger.live() == {}
    assert digest(ledger)


def test_view_types_do_not_depend_on_content(ledger: Ledger, query: Query) -> None:
    """The views have the same columns and types with rows as without."""
    describe = "SELECT column_name, column_type FROM (DESCRIBE {0})"
    views = ("emissions", "rates", "quarantine", "commits")
    empty = {name: query(ledger.snapshot(), describe.format(name)) for name in views}
    Delivery().commit(ledger)
    assert {name: query(ledger.snapshot(), describe.format(name)) for name in views} == empty


def test_overlap_is_refused(ledger: Ledger, digest: Digest) -> None:
    """An account's month that is live under one source is refused under another, naming both, unless allowed."""
    Delivery(source="cur").commit(ledger)
    before = digest(ledger)
    with pytest.raises(OverlapError, match=r"'cur'.*'focus'") as refused:
        Delivery(source="focus").commit(ledger)
    assert "aws account 111" in refused.value.sentence
    assert digest(ledger) == before
    assert Delivery(source="focus", account="222").commit(ledger).status == "committed"
    assert Delivery(source="focus", period="2025-07").commit(ledger).status == "committed"
    assert Delivery(source="other", allow_overlap=True).commit(ledger).status == "committed"


def test_shrinking_is_refused(ledger: Ledger, digest: Digest) -> None:
    """A replacement with under half of the lines is refused unless asked for; half is enough."""
    Delivery(lines=20, quarantined=0).commit(ledger)
    before = digest(ledger)
    with pytest.raises(ShrinkError, match="18 lines, under half of the 40"):
        Delivery(lines=9, quarantined=0).commit(ledger)
    assert digest(ledger) == before
    assert Delivery(lines=10, quarantined=0).commit(ledger).status == "committed"
    assert Delivery(lines=1, quarantined=0, replace=True).commit(ledger).status == "committed"


def test_abandoned_staging_leaves_nothing(ledger: Ledger, shelf: Shelf, tmp_path: Path) -> None:
    """A staging that is abandoned leaves the ledger byte for byte as it was."""
    Delivery().commit(ledger)
    before = shelf.tree(tmp_path / "aside")
    con = connect()
    staging = ledger.stage("aws/111", "2025-07")
    Delivery(period="2025-07").write(con, staging.emissions_file)
    con.close()
    staging.abandon()
    assert shelf.tree(tmp_path / "aside") == before
    folder = "emissions/source=aws%2F111"
    assert ledger.storage.names(folder) == [f"{folder}/billing_period=2025-06"]


@pytest.mark.parametrize(
    ("query_text", "match"),
    [
        ("SELECT 1 AS provider", "differs"),
        ("SELECT * EXCLUDE (tags) FROM delivery", "differs from the table emissions in tags"),
        ("SELECT * REPLACE (billed_cost::DOUBLE AS billed_cost) FROM delivery", "in billed_cost"),
        ("SELECT *, 1 AS surprise FROM delivery", "in surprise"),
    ],
)
def test_other_columns_are_refused(ledger: Ledger, query_text: str, match: str, digest: Digest) -> None:
    """A staged file whose columns or types differ is refused by name, and the ledger stays as it was."""
    before = digest(ledger)
    con = connect()
    staging = ledger.stage("aws/111", "2025-06")
    Delivery().write(con, staging.emissions_file)
    con.execute(f"COPY ({query_text}) TO '{staging.emissions_file(0)}' (FORMAT parquet)")
    con.close()
    with pytest.raises(LedgerError, match=match):
        ledger.commit(staging, Delivery().record())
    assert digest(ledger) == before


def test_missing_staged_file_is_refused(ledger: Ledger) -> None:
    """A path that was given out but never written is an error, not an empty period."""
    staging = ledger.stage("aws/111", "2025-06")
    staging.emissions_file(0)
    with pytest.raises(LedgerError, match="missing or is not Parquet"):
        ledger.commit(staging, Delivery().record())
    assert ledger.live() == {}


@pytest.mark.parametrize(
    ("source", "period"), [("", "2025-06"), ("x" * 241, "2025-06"), ("a", "2025-13"), ("a", "june")]
)
def test_unusable_names_are_refused(ledger: Ledger, source: str, period: str) -> None:
    """A source without a usable name, or a period that is no month, is refused before anything is written."""
    with pytest.raises(LedgerError):
        ledger.stage(source, period)


def test_history_tells_every_commit(ledger: Ledger) -> None:
    """The history names action, period, commit and what it replaced, newest first, down to the creation."""
    first = Delivery(lines=20).commit(ledger)
    second = Delivery(lines=30).commit(ledger)
    told = [(entry["version"], entry["action"], entry.get("replaced_commit_id")) for entry in ledger.history()]
    assert told == [(2, "commit", first.commit_id), (1, "commit", None), (0, "create", None)]
    assert ledger.history()[0]["commit_id"] == second.commit_id


def test_lost_answer_is_read_back(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, digest: Digest) -> None:
    """A commit that landed although its answer was lost is reported as committed, and counts once."""
    write = type(ledger.emissions)._write  # noqa: SLF001  the fault sits between the commit and its answer

    def deaf(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  passes on whatever it is given
        write(*args, **kwargs)
        raise OSError(5, "answer lost")

    with monkeypatch.context() as patch:
        patch.setattr(ledger.emissions, "_write", deaf.__get__(ledger.emissions))
        result = Delivery().commit(ledger)
    assert (result.status, result.version) == ("committed", 1)
    assert Delivery().commit(ledger).status == "unchanged"
    assert digest(ledger)


def test_unknown_outcome_is_its_own_error(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the answer is lost and the ledger cannot be read, the outcome is unknown; a later run finds out."""

    def unreadable(since: int = 0) -> list[dict[str, Any]]:
        message = f"cannot read since {since}"
        raise LedgerError(message)

    def deaf(*args: Any, **kwargs: Any) -> None:  # noqa: ANN401  passes on whatever it is given
        raise OSError(5, "answer lost")

    with monkeypatch.context() as patch:
        patch.setattr(ledger.emissions, "_write", deaf)
        patch.setattr(ledger.emissions, "entries", unreadable)
        with pytest.raises(CommitUnknownError):
            Delivery().commit(ledger)
    assert Delivery().commit(ledger).status == "committed"


def test_clock_set_back_does_not_matter(shelf: Shelf, query: Query) -> None:
    """Commits are ordered by version: a clock that goes back does not bring an older delivery back."""
    instants = iter(datetime(2025, 7, 1, tzinfo=UTC) - timedelta(hours=hour) for hour in range(1000))
    ledger = Ledger.open(shelf.uri(), create=True, clock=lambda: next(instants))
    Delivery(lines=20).commit(ledger)
    Delivery(lines=30).commit(ledger)
    assert query(ledger.snapshot(), "SELECT count(*) FROM emissions") == [(30,)]
