"""Every command on a ledger in an object store, beside the same on a folder; and what is peculiar to such a ledger."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import offgridflow
from ledger.worker import Delivery
from offgridflow.api.app import create_app
from offgridflow.cli.main import run
from offgridflow.domain.errors import LedgerError, UsageError
from offgridflow.ledger import Ledger, orphans, verify
from offgridflow.testing import Dialect, FakeBucket
from support.exports import AWS, Upstream
from support.server import HEAD, LINES, listening, settings
from support.shelves import Shelf

Captured = pytest.CaptureFixture[str]
Digest = Callable[[Ledger], str]
REMOTE = pytest.mark.parametrize("shelf", ["s3", "azure", "gcs"], indirect=True)


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    """A bill of two months."""
    path = tmp_path / "bill.csv"
    path.write_text("\n".join([HEAD, *LINES]) + "\n")
    return path


def _json(capsys: Captured, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - JSON is what it is
    capsys.readouterr()
    assert run([*arguments, "--format", "json"]) == code, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.parquet")}


def _told(capsys: Captured, bill: Path, uri: str) -> list[Any]:
    """Do what can be done to a ledger, and return all answers but ids and times."""
    ingested = [_json(capsys, "ingest", str(bill), "--ledger", uri) for _ in range(2)]
    answers: list[Any] = [(answer["status"], answer["periods"]) for answer in ingested]
    answers.append(_json(capsys, "report", "--by", "service_name,region_id", "--ledger", uri))
    answers.append(_json(capsys, "coverage", "--ledger", uri))
    answers.append(_json(capsys, "explain", "--where", "region_id=eu-north-1", "--ledger", uri))
    answers.append(_json(capsys, "inventory", "--year", "2025", "--ledger", uri))
    answers.append(_json(capsys, "rerate", "--ledger", uri)["status"])
    source = ingested[0]["periods"][0]["source"]
    assert _json(capsys, "forget", source, "2025-05", "--yes", "--ledger", uri)
    answers.append(_json(capsys, "report", "--by", "billing_period", "--ledger", uri))
    _json(capsys, "maintain", "--ledger", uri)
    proven = _json(capsys, "verify", "--ledger", uri)
    assert all(check["ok"] for check in proven["checks"])
    answers.append((proven["ledger_version"], proven["digest"]))
    return answers


@REMOTE
def test_every_command_answers_as_on_a_folder(shelf: Shelf, bill: Path, tmp_path: Path, capsys: Captured) -> None:
    """Ingest, report, coverage, explain, inventory, rerate, forget, maintain and verify: equal answers and digests."""
    assert _told(capsys, bill, shelf.uri()) == _told(capsys, bill, str(tmp_path / "L"))
    with offgridflow.open(shelf.uri()) as opened:
        assert opened.report().to_json()["ledger_version"] == Ledger.open(shelf.uri()).version()


@pytest.mark.parametrize("shelf", ["s3"], indirect=True)
def test_a_worker_keeps_its_history_beside_a_ledger_in_a_store(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """Configured sources are run into a store; history and locks lie where run.state says, without which it is told."""
    monkeypatch.chdir(tmp_path)
    with FakeBucket(Dialect.S3) as bucket:
        upstream = Upstream(AWS, bucket, "000000000001")
        upstream.publish("2025-01", ["0.1"] * 3)
        lines = [f"{key} = {json.dumps(value)}" for key, value in upstream.settings().items()]
        (tmp_path / "offgridflow.toml").write_text("\n".join(["[sources.a]", *lines]))
        assert run(["run", "--ledger", shelf.uri()]) == 2
        assert "run.state" in capsys.readouterr().err
        monkeypatch.setenv("OFFGRIDFLOW_RUN__STATE", str(tmp_path / "state"))
        told = [_json(capsys, "run", "--ledger", shelf.uri()) for _ in range(2)]
    statuses = [[(each["source"], each["status"]) for each in answer["periods"]] for answer in told]
    assert statuses == [[("a", "committed")], [("a", "unchanged")]]
    assert (tmp_path / "state" / "runs.sqlite").is_file()
    assert len(_json(capsys, "runs", "list", "--ledger", shelf.uri())["runs"]) == 2


@REMOTE
def test_there_and_back_is_the_same_ledger(shelf: Shelf, tmp_path: Path, capsys: Captured) -> None:
    """A folder imported into a store and exported again has digest, history and older versions of the original."""
    first = Ledger.open(tmp_path / "L", create=True)
    for lines in (20, 30):
        Delivery(lines=lines).commit(first)
    told = _json(capsys, "import", str(tmp_path / "L"), "--ledger", shelf.uri())
    assert told["digest"] == verify(first.snapshot()).digest
    _json(capsys, "export", str(tmp_path / "back"), "--ledger", shelf.uri())
    there, back = Ledger.open(shelf.uri()), Ledger.open(tmp_path / "back")
    assert first.history() == there.history() == back.history()
    assert verify(first.snapshot(1)).digest == verify(there.snapshot(1)).digest == verify(back.snapshot(1)).digest
    assert run(["import", str(tmp_path / "L"), "--ledger", shelf.uri()]) == 2
    assert "not empty" in capsys.readouterr().err


@REMOTE
def test_a_copy_that_is_not_equal_leaves_nothing(shelf: Shelf, tmp_path: Path, capsys: Captured) -> None:
    """If a file of the original is gone, import fails, and the store is as empty as it was."""
    first = Ledger.open(tmp_path / "L", create=True)
    Delivery().commit(first)
    next((tmp_path / "L" / "emissions").rglob("*.parquet")).unlink()
    assert run(["import", str(tmp_path / "L"), "--ledger", shelf.uri()]) == 1
    assert "verify" in capsys.readouterr().err
    assert list(shelf.storage().objects("")) == []


@REMOTE
def test_a_server_answers_from_a_ledger_in_a_store(shelf: Shelf, bill: Path, tmp_path: Path) -> None:
    """The API answers from a ledger in a store; its tokens and runs lie in the file that the settings name."""
    assert run(["ingest", str(bill), "--ledger", shelf.uri()]) == 0
    with pytest.raises(UsageError, match="needs a file of its own"):
        create_app(settings(), shelf.uri())
    server = create_app(settings(state=tmp_path / "state.sqlite"), shelf.uri())
    with listening(server) as url, httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
        assert [row["month"] for row in client.get("/emissions?by=month").json()["rows"]] == ["2025-05", "2025-06"]
        assert client.get("/emissions?version=0").json()["rows"] == []
        exported = [json.loads(line) for line in client.get("/export?format=ndjson").text.splitlines()]
    assert sum(row["x_line_items"] for row in exported) == len(LINES)


@REMOTE
def test_only_one_writer_creates_an_object(shelf: Shelf) -> None:
    """Of eight writers that create one object at once, one succeeds and its content stays: a commit rests on that."""
    rounds, writers = 25, 8
    together = threading.Barrier(writers)
    won: list[tuple[int, bytes]] = []

    def write(number: int) -> None:
        storage = shelf.storage()
        for each in range(rounds):
            together.wait()
            content = str(number).encode() * 1000
            if storage.write_new(f"race/{each}", content):
                won.append((each, content))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each for each, _ in won) == list(range(rounds))
    assert all(shelf.storage().read(f"race/{each}") == content for each, content in won)


@REMOTE
def test_a_file_is_fetched_once_and_never_read_half(shelf: Shelf, tmp_path: Path, digest: Digest) -> None:
    """A reader elsewhere fetches what it reads; a copy that was cut is fetched again; the writer has copies already."""
    Delivery().commit(Ledger.open(shelf.uri(), create=True))
    own = digest(Ledger.open(shelf.uri()))
    elsewhere = shelf.uri().replace(f"{tmp_path / 'cache'}", f"{tmp_path / 'other'}")
    assert digest(Ledger.open(elsewhere)) == own
    copies = _contents(tmp_path / "other" / "copies")
    assert len(copies) == 4
    assert copies == _contents(tmp_path / "cache" / "copies")
    for path, content in copies.items():
        (tmp_path / "other" / "copies" / path).write_bytes(content[:-1])
    with offgridflow.open(elsewhere) as opened:
        assert opened.arrow().num_rows == 20
    assert _contents(tmp_path / "other" / "copies") == copies


@REMOTE
def test_an_upload_that_no_log_names_is_an_orphan(shelf: Shelf) -> None:
    """A crash between upload and commit leaves files that readers never see and that ``orphans`` names."""
    ledger = Ledger.open(shelf.uri(), create=True)
    Delivery().commit(ledger)

    def crash(step: str) -> None:
        if step == "published":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Delivery(lines=30, files=2).commit(Ledger.open(shelf.uri(), checkpoint=crash))
    assert [table for table, _ in orphans(ledger)] == ["emissions", "emissions"]
    with offgridflow.open(shelf.uri()) as opened:
        assert opened.arrow().num_rows == 20


@pytest.mark.parametrize("kind", ["s3", "azure"])
def test_a_store_that_does_not_answer_is_told(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    """An address that nobody serves is an error of one sentence without a credential, and no ledger."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "Y2FuYXJ5LXNlY3JldC1rZXk=")
    uri = {"s3": "s3://bucket/ledger?", "azure": "az://container/ledger?account=acct&"}[kind]
    address = f"{uri}endpoint_url=http://127.0.0.1:9&cache_folder={tmp_path}"
    with pytest.raises(LedgerError, match="Cannot read the ledger") as refused:
        Ledger.open(address)
    assert "127.0.0.1:9" in str(refused.value)
    assert run(["report", "--ledger", address]) != 0
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert not [each for each in ("canary", "Y2FuYXJ5") if each in told.out + told.err + str(refused.value)]
