"""A provider's report that reaches the ledger while the server runs: seen at once, by everyone who asks again."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from offgridflow.api.client import Client
from offgridflow.domain.reported import Breakdown, ReportedEmission
from offgridflow.ledger import Ledger
from offgridflow.ledger.reported import MonthOfReport
from support.server import ApiClient, client_of, make_ledger, server_of, server_on

RECONCILE = "/api/v1/reconcile?by=provider&from=2025-06&to=2025-06"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of this test alone, for it is written to."""
    return make_ledger(tmp_path)


@pytest.fixture
def client(ledger: Path, tmp_path: Path) -> Iterator[ApiClient]:
    """A server that listens on a socket."""
    with client_of(server_on(ledger, state=tmp_path / "state.sqlite")) as client:
        yield client


def publish(ledger: Path, kg: int) -> None:
    """Commit a month of a provider's report with one figure."""
    figures = {"scope_1_kgco2e": Decimal(0), "scope_2_location_kgco2e": Decimal(kg)}
    row = ReportedEmission(
        "aws", "2025-06", Breakdown.CELL, figures, sub_account_id="222", region_id="us-east-1", service_name="AmazonEC2"
    )
    Ledger.open(ledger).reported.commit(MonthOfReport("report", "2025-06", [row]))


def reported(client: ApiClient, question: str = RECONCILE) -> object:
    """Return what the provider says of scope 2 by location, as the server has it."""
    (row,) = client.get(question).raise_for_status().json()["rows"]
    return row["reported_scope_2_location_kgco2e"]


def test_a_new_report_changes_answers_and_their_etags_though_the_ledger_version_stays(
    client: ApiClient, ledger: Path
) -> None:
    """The version of the bills is the same, the provider's figures are not: 304 before, 200 with the figure after."""
    first = client.get(RECONCILE)
    has_it = {"If-None-Match": first.headers["etag"]}
    assert client.get(RECONCILE, headers=has_it).status_code == 304
    assert reported(client) is None
    publish(ledger, 120)
    server_of(client).parts.service.store.refresh()
    after = client.get(RECONCILE, headers=has_it)
    assert (after.status_code, reported(client)) == (200, 120)
    assert after.json()["ledger_version"] == first.json()["ledger_version"]
    publish(ledger, 121)
    server_of(client).parts.service.store.refresh()
    assert reported(client) == 121
    assert client.get(RECONCILE, headers=has_it).headers["etag"] not in {first.headers["etag"], after.headers["etag"]}


def test_the_server_finds_a_new_report_by_itself(client: ApiClient, ledger: Path) -> None:
    """Nobody tells it: it looks at the ledger every moment, and the next question gets the figure."""
    assert reported(client) is None
    publish(ledger, 7)
    until = datetime.now(UTC).timestamp() + 60
    while reported(client) is None and datetime.now(UTC).timestamp() < until:
        pass
    assert reported(client) == 7


def test_an_instant_shows_the_report_as_it_was_and_a_version_as_it_ended(client: ApiClient, ledger: Path) -> None:
    """Time travel goes by both tables: between two reports the first is read, of the newest version the second."""
    now = datetime.now(UTC)
    version = client.get("/readyz").json()["ledger_version"]
    publish(ledger, 1)
    between = datetime.now(UTC)
    publish(ledger, 2)
    server_of(client).parts.service.store.refresh()
    then = between.isoformat().replace("+00:00", "Z")
    assert reported(client, f"{RECONCILE}&as_of={now.isoformat().replace('+00:00', 'Z')}") is None
    assert reported(client, f"{RECONCILE}&as_of={then}") == 1
    assert reported(client, f"{RECONCILE}&version={version}") == reported(client) == 2


def test_the_rollup_stays_right_while_reports_come_and_editions_go(client: ApiClient, ledger: Path) -> None:
    """Ten reports make ten editions of one version, the old ones are dropped: totals and the newest report stand."""
    total = client.get("/api/v1/emissions?by=provider").json()["total"]
    for kg in range(1, 11):
        publish(ledger, kg)
        server_of(client).parts.service.store.refresh()
        assert client.get("/api/v1/emissions?by=provider").json()["total"] == total
    assert reported(client) == 10


def test_published_rows_are_listed_as_they_are(client: ApiClient, ledger: Path) -> None:
    """Every row as published: unknown figures null, nothing added, cut by several values, pages that end with null."""
    publish(ledger, 120)
    server_of(client).parts.service.store.refresh()
    answer = client.get("/api/v1/reported").raise_for_status().json()
    (row,) = answer["rows"]
    assert (row["scope_2_location_kgco2e"], row["scope_2_market_kgco2e"], row["scope_3_location_kgco2e"]) == (
        120,
        None,
        None,
    )
    assert (row["source"], row["month"], row["breakdown"], answer["next"]) == ("report", "2025-06", "cell", None)
    found = client.get("/api/v1/reported?provider=aws&provider=gcp&from=2025-06&to=2025-06&region_id=us-east-1").json()
    assert found["rows"] == [row]
    for nothing in ("provider=gcp", "from=2025-07", "to=2025-05", "sub_account_id="):
        assert client.get(f"/api/v1/reported?{nothing}").json()["rows"] == []
    assert client.get("/api/v1/reported?bogus=1").status_code == 422
    figures = {"scope_1_kgco2e": Decimal(1)}
    rows = [ReportedEmission("aws", "2025-05", Breakdown.CELL, figures, sub_account_id=name) for name in "abc"]
    Ledger.open(ledger).reported.commit(MonthOfReport("report", "2025-05", rows))
    server_of(client).parts.service.store.refresh()
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get("/api/v1/reported", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [each["sub_account_id"] for each in page["rows"]]
        cursor = page["next"]
    assert seen == ["a", "b", "c", "222"]
    table = Client(str(client.base_url)).reported("2025-05", where={"sub_account_id": ("a", "222")})
    assert table.column("sub_account_id").to_pylist() == ["a", "222"]
    assert client.get("/api/v1/reported?format=csv").text.count("\n") == 5
