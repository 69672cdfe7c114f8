"""The Python client: tables, pages, exports, and failures as exceptions; busy answers are asked again."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from offgridflow.api.client import ApiProblem, Cells, Client
from offgridflow.domain.errors import UsageError
from support.server import ApiClient, server_of

Serve = Callable[..., ApiClient]


def test_tables_come_as_arrow_with_exact_figures(api: ApiClient, tmp_path: Path) -> None:
    """Emissions, rates and exports are Arrow or Parquet with decimals equal to the JSON report."""
    client = Client(str(api.base_url))
    table = client.emissions(["sub_account_id"], Cells("2025-06", "2025-06"))
    with duckdb.connect() as con:
        con.register("given", table)
        rows = con.execute("SELECT sub_account_id, billed_cost FROM given ORDER BY 1").fetchall()
        assert rows == [("222", Decimal("7.30")), ("333", Decimal("8.70"))]
        path = client.export(tmp_path / "rows.parquet", Cells(where={"sub_account_id": "333"}))
        assert con.execute(f"SELECT count(*) FROM '{path}'").fetchall() == [(2,)]
    both = client.report(["sub_account_id"], Cells(where={"sub_account_id": ("222", "333"), "provider": "aws"}))
    assert [row["sub_account_id"] for row in both["rows"]] == ["222", "333"]
    report = client.report(["sub_account_id"], Cells("2025-06", "2025-06"))
    assert {row["billed_cost"] for row in report["rows"]} == {Decimal("7.3"), Decimal("8.7")}
    assert client.rates(search="m5").num_rows > 0
    assert client.explain("sku-1")["skus"]
    assert client.coverage()["buckets"]


def test_activities_follow_pages_to_the_end(api: ApiClient) -> None:
    """The iterator yields as many rows as the export has."""
    client = Client(str(api.base_url))
    assert len(list(client.activities())) == len(api.get("/api/v1/export?format=ndjson").text.splitlines())


def test_failures_carry_the_servers_code(api: ApiClient, serve: Serve) -> None:
    """A problem becomes an ApiProblem; a wrong address and a closed port are told too."""
    with pytest.raises(ApiProblem) as caught:
        Client(str(api.base_url)).report(["bogus"])
    assert (caught.value.status, caught.value.code) == (422, "USAGE")
    guarded = serve()
    server_of(guarded).parts.tokens.create("someone")
    with pytest.raises(ApiProblem) as refused:
        Client(str(guarded.base_url), "ogf_wrong_token").report()
    assert refused.value.status == 401
    with pytest.raises(UsageError):
        Client("file:///etc/passwd")
    with pytest.raises(ApiProblem, match="cannot be reached"):
        Client("http://127.0.0.1:1").report()


def test_a_busy_server_is_asked_again_after_the_time_it_names(serve: Serve) -> None:
    """429 is asked again after Retry-After, a bounded number of times."""
    server = serve(burst=1, requests_per_minute=30)
    _, token = server_of(server).parts.tokens.create("fast")
    waits: list[float] = []
    client = Client(str(server.base_url), token, sleep=waits.append)
    client.report()
    with pytest.raises(ApiProblem) as caught:
        client.report()
    assert caught.value.status == 429
    assert waits == [2.0, 2.0, 2.0]
