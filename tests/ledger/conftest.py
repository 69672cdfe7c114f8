"""Ledgers on every kind of place, and processes that commit to them."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from ledger.committing import Committing
from ledger.worker import Delivery
from offgridflow.ledger import Ledger, Snapshot, verify
from offgridflow.ledger.tables import connect
from support.shelves import (
    AZURITE,
    AZURITE_ACCOUNT,
    AZURITE_KEY,
    BUCKET,
    GOOGLE_KEY,
    KINDS,
    Shelf,
    azurite_server,
    gcs_server,
    moto_server,
)

Endpoint = Callable[[str], str]


@pytest.fixture(scope="session")
def _endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """Give a function that returns the address of a kind's server, started when it is first asked for."""
    with ExitStack() as running:
        started: dict[str, str] = {}

        def endpoint(kind: str) -> str:
            if kind == "azure" and not AZURITE.exists():
                pytest.skip("npm install --no-save azurite")
            if kind not in started:
                servers = {
                    "s3": moto_server,
                    "azure": lambda: azurite_server(tmp_path_factory.mktemp("azurite")),
                    "gcs": gcs_server,
                }
                started[kind] = running.enter_context(servers[kind]())
            return started[kind]

        yield endpoint


@pytest.fixture(params=KINDS)
def shelf(
    request: pytest.FixtureRequest, _endpoint: Endpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Shelf:
    """Give a place for ledgers: a folder, S3, Azure, or what is asked for; credentials are in the environment."""
    if request.param == "folder":
        return Shelf("folder", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", AZURITE_KEY)
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", GOOGLE_KEY)
    query = f"?endpoint_url={_endpoint(request.param)}&cache_folder={tmp_path / 'cache'}&cache_mib=64"
    own = f"{BUCKET}/{os.urandom(8).hex()}"
    if request.param == "azure":
        return Shelf("azure", f"az://{own}", f"{query}&account={AZURITE_ACCOUNT}")
    return Shelf(request.param, f"{'gs' if request.param == 'gcs' else 's3'}://{own}", query)


@pytest.fixture
def reopen(shelf: Shelf) -> Callable[..., Ledger]:
    """Give a function that opens the ledger of ``ledger`` or ``filled`` anew, as another process would."""

    def opened(**world: Any) -> Ledger:  # noqa: ANN401  what Ledger.open takes
        return Ledger.open(shelf.uri(), **world)

    return opened


@pytest.fixture(scope="session")
def _contents() -> dict[tuple[str, bool], dict[str, bytes]]:
    """Give what ledgers consist of that were made once, by kind of place and whether they hold a delivery."""
    return {}


@pytest.fixture
def _copied(shelf: Shelf, _contents: dict[tuple[str, bool], dict[str, bytes]], tmp_path: Path) -> Callable[..., Ledger]:
    """Give a function that puts a copy of such a ledger there: creating one anew costs a store 79 requests."""

    def copied(*, is_filled: bool) -> Ledger:
        made = (shelf.kind, is_filled)
        if made not in _contents:
            origin = Ledger.open(shelf.uri("origin"), create=True)
            if is_filled:
                Delivery().commit(origin)
            _contents[made] = shelf.tree(tmp_path / "aside", "origin")
        shelf.fill(tmp_path / "aside", _contents[made])
        return Ledger.open(shelf.uri())

    return copied


@pytest.fixture
def ledger(_copied: Callable[..., Ledger]) -> Ledger:
    """Give a new, empty ledger."""
    return _copied(is_filled=False)


@pytest.fixture
def filled(_copied: Callable[..., Ledger]) -> Ledger:
    """Give a ledger that holds one delivery, as version 1."""
    return _copied(is_filled=True)


@pytest.fixture(scope="session")
def filled_digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Give the digest of ``filled``, whose every law holds."""
    ledger = Ledger.open(tmp_path_factory.mktemp("filled") / "ledger", create=True)
    Delivery().commit(ledger)
    report = verify(ledger.snapshot())
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
def start(tmp_path: Path) -> Iterator[Callable[[str, Sequence[dict[str, object]]], Committing]]:
    """Give a function that starts a process which commits deliveries one after another."""
    begun: list[Committing] = []

    def started(uri: str, jobs: Sequence[dict[str, object]]) -> Committing:
        begun.append(Committing(uri, jobs, tmp_path / f"answer-{len(begun)}.json"))
        return begun[-1]

    yield started
    for process in begun:
        process.kill()
