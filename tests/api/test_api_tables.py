"""A table has the columns and types of its address, whatever rows it has: months can be joined, empty ones too."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from arro3.core import Table
from arro3.io import read_ipc_stream

from offgridflow.domain.reported import Breakdown, ReportedEmission
from offgridflow.ledger import Ledger
from offgridflow.ledger.reported import MonthOfReport
from offgridflow.pipeline.service import ingest_files
from support.server import HEAD, LINES, ApiClient, client_of, line, server_on, settings

NOBODY = "provider=zzz"
TABLES = [
    ("emissions?by=month,tag:team&from=2025-05&to=2025-06", NOBODY),
    ("emissions?by=service_name&compare=true&from=2025-06&to=2025-06", NOBODY),
    ("activities?limit=1000", NOBODY),
    ("coverage?from=2025-05", NOBODY),
    ("sensitivity?from=2025-05", NOBODY),
    ("rates?limit=1000", "where=provider=zzz"),
    ("explain?most=50", NOBODY),
    ("whatif?region=us-east-1:eu-north-1&by=region_id,month", NOBODY),
    ("whatif?region=us-east-1:eu-north-1&table=moves", NOBODY),
    ("reconcile?by=provider,month,service_name", "from=2031-01&to=2031-02"),
    ("reported?limit=1000", NOBODY),
    ("inventory?year=2025", ""),
    ("sources?limit=1000", "version=0"),
    ("quarantine?limit=1000", "version=0"),
    ("history?limit=1000", "version=0"),
    ("factor-sets?limit=1000", "version=0"),
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """A server whose ledger has lines, unreadable lines and a provider's own report."""
    folder = tmp_path_factory.mktemp("tables")
    bill = folder / "bill.csv"
    bad = line("2025-06-07", "222", "us-east-1", "not money")
    bill.write_text("\n".join([HEAD, *LINES, bad]) + "\n")
    ingest_files([bill], str(folder / "L"), settings())
    row = ReportedEmission("aws", "2025-06", Breakdown.CELL, {"scope_1_kgco2e": Decimal(1)}, sub_account_id="222")
    Ledger.open(folder / "L").reported.commit(MonthOfReport("footprint", "2025-06", [row]))
    with client_of(server_on(folder / "L", state=folder / "state.sqlite")) as found:
        yield found


def _types(content: bytes, folder: Path) -> list[tuple[str, str]]:
    path = folder / "rows.parquet"
    path.write_bytes(content)
    with duckdb.connect() as con:
        return [(name, kind) for name, kind, *_ in con.execute(f"DESCRIBE FROM '{path}'").fetchall()]


@pytest.mark.parametrize(("path", "nothing"), TABLES, ids=[path for path, _ in TABLES])
def test_a_table_without_rows_has_the_columns_of_one_with_rows(
    client: ApiClient, tmp_path: Path, path: str, nothing: str
) -> None:
    """Names, order and types are equal in CSV, Parquet and Arrow, and no row has a column beside them."""
    full, empty = f"/api/v1/{path}", f"/api/v1/{path}&{nothing}"
    found = [_types(client.get(f"{each}&format=parquet").content, tmp_path) for each in (full, empty)]
    assert found[0] == found[1]
    names = [name for name, _ in found[0]]
    headers = [next(csv.reader(io.StringIO(client.get(f"{each}&format=csv").text))) for each in (full, empty)]
    assert headers == [names, names]
    schemas = [
        Table.from_arrow(read_ipc_stream(client.get(f"{each}&format=arrow").content)).schema for each in (full, empty)
    ]
    assert schemas[0] == schemas[1]
    rows = [json.loads(each) for each in client.get(f"{full}&format=ndjson").text.splitlines()]
    assert rows
    for row in rows:
        assert set(row) <= set(names)
        assert list(row) == [name for name in names if name in row] or path.startswith("explain")
    every = {name for row in rows for name in row}
    assert every == set(names)


def test_a_column_of_unknown_values_is_of_its_type(client: ApiClient, tmp_path: Path) -> None:
    """What is null in every row is a figure all the same."""
    answer = client.get("/api/v1/emissions?by=month&format=parquet")
    types = dict(_types(answer.content, tmp_path))
    rows = client.get("/api/v1/emissions?by=month").json()["rows"]
    unknown = [name for name in rows[0] if all(row[name] is None for row in rows)]
    assert "operational_market_kgco2e" in unknown
    assert {types[name] for name in unknown if name.endswith("kgco2e")} == {"DECIMAL(38,15)"}


def test_runs_have_their_columns_before_there_is_one(client: ApiClient) -> None:
    """The list of runs, which has no version, has a header too."""
    text = client.get("/api/v1/runs", headers={"Accept": "text/csv"}).text
    assert text.startswith("run_id,state,asked_by,created_at,started_at,finished_at,stage,cancel_asked,parameters")


def test_a_column_to_sort_by_is_checked_without_rows_too(client: ApiClient) -> None:
    """A name that no row would have is 422 where there are no rows."""
    ask = f"/api/v1/emissions?by=month&{NOBODY}&sort="
    assert client.get(f"{ask}bogus").status_code == 422
    assert client.get(f"{ask}-total_kgco2e").json()["rows"] == []
