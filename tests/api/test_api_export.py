"""Exports hold every row, stream in constant memory, and give their slot back when the client goes away."""

import contextlib
import io
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import duckdb
import httpx
import psutil
import pytest
from arro3.io import read_ipc_stream

from offgridflow.api.access import UNRESTRICTED
from offgridflow.api.export import Export
from offgridflow.api.formats import Form
from offgridflow.api.problems import ApiError
from offgridflow.reports.focus import EXTENSION_COLUMNS, FOCUS_COLUMNS
from offgridflow.reports.scope import scope_of
from support.server import LINES, ApiClient, server_of

Serve = Callable[..., ApiClient]


@pytest.mark.parametrize("form", ["parquet", "csv", "ndjson", "arrow"])
def test_an_export_closes_to_the_ledger(api: ApiClient, tmp_path: Path, form: str) -> None:
    """Rows, money and kilograms of an export are those of the ledger, under FOCUS names and ours with x_."""
    path = tmp_path / f"rows.{form}"
    content = api.get(f"/api/v1/export?format={form}").content
    if form == "arrow":  # DuckDB reads Parquet, CSV and JSON files, and Arrow as an object
        with duckdb.connect() as con:
            con.register("batches", read_ipc_stream(io.BytesIO(content)))
            con.execute("COPY (FROM batches) TO ? (FORMAT parquet)", [str(path)])
    else:
        path.write_bytes(content)
    reader = {"parquet": "read_parquet", "csv": "read_csv", "ndjson": "read_json", "arrow": "read_parquet"}[form]
    with duckdb.connect() as con:
        rows = con.execute(f"SELECT * FROM {reader}('{path}')").description or []
        found = con.execute(
            f"SELECT sum(x_line_items)::BIGINT, sum(BilledCost)::DOUBLE, sum(x_total_kgco2e) FROM {reader}('{path}')"
        ).fetchall()[0]
    total = api.get("/api/v1/emissions").json()
    assert [column[0] for column in rows] == [*FOCUS_COLUMNS, *EXTENSION_COLUMNS]
    assert found[0] == len(LINES)
    assert found[1] == pytest.approx(23.67, rel=1e-12)
    assert found[2] == pytest.approx(total["impact_total"]["total_kgco2e"], rel=1e-12)


def test_an_export_can_be_cut_to_cells(api: ApiClient) -> None:
    """Days and filters cut an export as they cut a report; JSON as a whole is refused."""
    lines = api.get("/api/v1/export?format=ndjson&from=2025-06&where=sub_account_id=333").text.splitlines()
    assert len(lines) == 2
    assert api.get("/api/v1/export?format=json").status_code == 422


@pytest.mark.parametrize(("form", "least_bytes"), [(Form.CSV, 100_000_000), (Form.ARROW, 15_000_000)])
def test_an_export_streams_in_constant_memory(
    api: ApiClient, monkeypatch: pytest.MonkeyPatch, form: Form, least_bytes: int
) -> None:
    """While some 140 MB pass (compressed in Arrow), the process grows by far less: the engine waits for the reader."""
    service = server_of(api).parts.service
    edition = service.store.current()
    export = Export(edition, UNRESTRICTED, scope_of(None, None, {}), form, service)
    monkeypatch.setattr(export, "_sql", f"SELECT rows.* FROM ({export._sql}) rows, range(20000)")  # noqa: SLF001
    process = psutil.Process()
    stream = iter(export)
    size = len(next(stream))
    before, peak = process.memory_info().rss, 0
    for chunk in stream:
        size += len(chunk)
        peak = max(peak, process.memory_info().rss)
    assert size > least_bytes
    assert peak - before < 64 * 2**20


@pytest.mark.parametrize("form", [Form.CSV, Form.ARROW])
def test_an_export_that_fails_in_its_middle_is_cut_and_gives_its_slot_back(api: ApiClient, form: Form) -> None:
    """What the engine cannot go on with ends the stream with an error, so that no half answer looks whole."""
    service = server_of(api).parts.service
    export = Export(service.store.current(), UNRESTRICTED, scope_of(None, None, {}), form, service)
    export._sql, export._values = "SELECT range // (range - 900000) AS x FROM range(1000000)", []  # noqa: SLF001
    with pytest.raises(duckdb.Error, match="Division by zero"):
        list(export)
    assert service.exports.running == 0


ENDLESS = """
import sys
from pathlib import Path
from offgridflow.api import export, serving
from offgridflow.settings import ApiSettings, Settings
written = export.focus_query
def endless(*given, **named):
    sql, values = written(*given, **named)
    return f"SELECT rows.* FROM ({sql}) rows, range(100000000)", values
export.focus_query = endless
serving._GRACE_SECONDS = 1
serving.serve(Settings(api=ApiSettings(port=int(sys.argv[2]), state=Path(sys.argv[3]))), sys.argv[1])
"""


def test_a_server_that_stops_in_an_export_says_so_in_one_line(ledger: Path, tmp_path: Path) -> None:
    """The export is cut after the time of grace, the process ends, and its log has no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    asked = [sys.executable, "-c", ENDLESS, str(ledger), str(port), str(tmp_path / "state.sqlite")]
    with subprocess.Popen(asked, stderr=subprocess.PIPE, text=True) as server:
        try:
            _wait_for(port)
            with httpx.stream("GET", f"http://127.0.0.1:{port}/api/v1/export?format=csv", timeout=60) as answer:
                rows = answer.iter_bytes()  # held: an iterator that nobody has closes its answer
                assert next(rows)
                server.send_signal(signal.SIGTERM)
                _, said = server.communicate(timeout=120)
        finally:
            server.kill()
    assert "Traceback" not in said
    assert [each for each in said.splitlines() if "graceful shutdown exceeded" in each] == said.splitlines()
    assert len(said.splitlines()) == 1


def _wait_for(port: int) -> None:
    until = time.monotonic() + 120
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=10)
            return
        time.sleep(0.1)


def test_a_client_that_leaves_gives_the_slot_back(serve: Serve) -> None:
    """Closing an export in its middle ends the engine's work and frees the slot; past the slots it is 503."""
    client = serve()
    service = server_of(client).parts.service
    held = list(_begun(client))
    assert service.exports.running == len(held) >= 1
    refused = client.get("/api/v1/export")
    assert (refused.status_code, refused.json()["code"]) == (503, "BUSY")
    for stream in held:
        stream.close()
    assert service.exports.running == 0
    assert client.get("/api/v1/export").status_code == 200


def _begun(client: ApiClient) -> Iterator[Generator[bytes, None, None]]:
    """Begin exports that never end by themselves, as many as there are slots."""
    service = server_of(client).parts.service
    while True:
        try:
            export = Export(service.store.current(), UNRESTRICTED, scope_of(None, None, {}), Form.CSV, service)
        except ApiError:
            return
        export._sql = f"SELECT rows.* FROM ({export._sql}) rows, range(100000000)"  # noqa: SLF001  made endless
        stream = iter(export)
        assert next(stream)
        yield stream
