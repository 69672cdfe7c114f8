"""Every failure has one shape, and every limit its status: 413, 422, 429, 503, never 500."""

import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from offgridflow.api.access import UNRESTRICTED
from offgridflow.api.editions import UNREADABLE
from offgridflow.api.formats import Form, chosen_form
from offgridflow.api.gate import Deadlines, Gate, GateLimits
from offgridflow.api.problems import TITLES, ApiError, Code
from offgridflow.ledger import Ledger
from offgridflow.pipeline.service import ingest_files
from offgridflow.reports.csv_text import to_csv
from support.server import HEAD, ApiClient, line, make_ledger, server_of, settings

Serve = Callable[..., ApiClient]
ENDLESS = "SELECT sum(hash(a.range + b.range)) FROM range(1000000) a, range(1000000) b"


def check_problem(client: ApiClient, method: str, path: str, status: int, **given: object) -> dict[str, object]:
    """Check that a request fails in the one shape, and return it."""
    answer = client.request(method, path, **given)  # type: ignore[arg-type]
    assert answer.status_code == status, (method, path, answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    shape = answer.json()
    assert {"type", "title", "status", "detail", "code", "action"} <= set(shape)
    assert shape["status"] == status
    assert TITLES[Code(shape["code"])] == (status, shape["title"])
    assert shape["type"] == f"/docs#{shape['code'].lower()}"
    assert "Traceback" not in answer.text
    if status in {429, 503}:
        assert int(answer.headers["retry-after"]) >= 1
    return dict(shape)


def test_every_route_fails_in_one_shape(api: ApiClient) -> None:
    """Unknown parameters, methods and formats at every route are problems with stable codes."""
    for path, operations in server_of(api).fastapi.openapi()["paths"].items():
        filled = path.replace("{run_id}", "abc")
        check_problem(api, "DELETE", filled, 405)
        if "get" in operations and path.startswith("/api/v1/") and "{" not in path:
            check_problem(api, "GET", f"{filled}?bogus=1", 422)
            if not path.endswith(("/export", "/inventory")):
                check_problem(
                    api, "GET", filled, 406, headers={"Accept": "image/png"}
                ) if path != "/api/v1/whatif" else None
    check_problem(api, "GET", "/api/v1/nothing", 404)
    check_problem(api, "GET", "/api/v1/runs/abc", 404)
    check_problem(api, "POST", "/api/v1/runs/abc/cancel", 404)


@pytest.mark.parametrize(
    "question",
    [
        "by=bogus",
        "from=2025-13",
        "from=2025-02-30",
        "from=2025-06&to=2025-05",
        "where=provider",
        "where=bogus=1",
        "provider=%00",
        "limit=0",
        "limit=10001",
        "cursor=AAAA",
        "cursor=%F0%9F%98%80",
        "sort=bogus",
        "compare=true",
        "version=-1",
        "version=1&as_of=2025-01-01T00:00:00Z",
        "as_of=2025-01-01",
        "format=xml",
        "by=" + "a" * 500,
    ],
)
def test_a_question_that_is_not_one_is_422(api: ApiClient, question: str) -> None:
    """Wrong keys, days, filters, limits and cursors are told as 422."""
    check_problem(api, "GET", f"/api/v1/emissions?{question}", 422)


def test_bodies_and_addresses_have_a_largest_size(serve: Serve) -> None:
    """A body past the limit is 413, with a length and in pieces; a long address and a body that is no JSON are 400."""
    client = serve(body_kib=1)
    headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
    check_problem(client, "POST", "/api/v1/runs", 413, content=b" " * 2000, headers=headers)

    def pieces() -> Iterator[bytes]:
        for _ in range(20):
            yield b" " * 100

    check_problem(client, "POST", "/api/v1/runs", 413, content=pieces(), headers=headers)
    check_problem(client, "POST", "/api/v1/runs", 400, content=b"{", headers=headers)
    check_problem(client, "POST", "/api/v1/runs", 422, json={"path": "/etc/passwd"}, headers={"Idempotency-Key": "k"})
    check_problem(client, "POST", "/api/v1/runs", 422, json={})
    check_problem(client, "GET", "/api/v1/emissions?by=" + "a" * 9000, 400)


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/octet-stream", 415),
        (None, 415),
        ("application/json; charset=utf-8", 422),
        ("application/merge-patch+json", 422),
    ],
)
def test_a_body_that_is_not_json_is_415(api: ApiClient, media: str | None, status: int) -> None:
    """A body is read where its Content-Type is JSON, and only there."""
    headers = {"Idempotency-Key": "k", **({} if media is None else {"Content-Type": media})}
    told = check_problem(api, "POST", "/api/v1/runs", status, content=b'{"bogus": 1}', headers=headers)
    assert (told["code"] == "UNSUPPORTED_MEDIA_TYPE") == (status == 415)


def test_a_run_of_months_that_end_before_they_begin_is_422(api: ApiClient) -> None:
    """It is refused when it is asked for, not when it runs."""
    body = {"from": "2026-05", "to": "2026-01"}
    told = check_problem(api, "POST", "/api/v1/runs", 422, json=body, headers={"Idempotency-Key": "backwards"})
    assert told["errors"] == [{"where": "to", "detail": "It lies before from, 2026-05."}]
    assert api.get("/api/v1/runs").json()["runs"] == []


@pytest.mark.parametrize("path", ["emissions", "reconcile", "explain", "coverage"])
def test_answers_do_not_speak_of_options_of_commands(api: ApiClient, path: str) -> None:
    """What to do next is said in the words of the API."""
    told = check_problem(api, "GET", f"/api/v1/{path}?from=2025-06&to=2025-05", 422)
    assert "--" not in f"{told['detail']} {told['action']}"


def test_too_many_groups_are_refused_before_they_are_fetched(serve: Serve) -> None:
    """A question with more groups than the limit is 422 on both paths."""
    client = serve(groups=2)
    for key in ("resource_id,day", "month,region_id"):
        assert check_problem(client, "GET", f"/api/v1/emissions?by={key}", 422)["code"] == "TOO_MANY_GROUPS"
    assert client.get("/api/v1/emissions?by=month").status_code == 200


def test_past_the_queue_is_503(serve: Serve) -> None:
    """With every slot taken and the queue full a heavy question is BUSY at once; a light one is answered."""
    client = serve(queue_length=0)
    gate = server_of(client).parts.service.gate
    with _all_slots(gate):
        check_problem(client, "GET", "/api/v1/coverage", 503)
        assert client.get("/api/v1/emissions?by=month").status_code == 200
    assert gate.running == 0
    assert client.get("/api/v1/coverage").status_code == 200


class _all_slots:  # noqa: N801  reads as a phrase
    """Holds all slots of a gate."""

    def __init__(self, gate: Gate) -> None:
        self.gate, self.taken = gate, 0

    def __enter__(self) -> None:
        while True:
            try:
                self.gate.try_enter()
            except ApiError:
                return
            self.taken += 1

    def __exit__(self, *_: object) -> None:
        for _each in range(self.taken):
            self.gate.leave()


def test_a_gate_lets_the_next_one_in() -> None:
    """Who waits gets the slot that is given back; past the time it is BUSY."""
    gate = Gate(GateLimits(slots=1, queue_length=1, queue_seconds=20))
    entered = threading.Event()

    def wait() -> None:
        with gate.slot():
            entered.set()

    with gate.slot():
        waiter = threading.Thread(target=wait)
        waiter.start()
        while gate.waiting == 0:
            pass
        with pytest.raises(ApiError, match="wait already"), gate.slot():
            pass
        assert not entered.is_set()
    waiter.join(120)
    assert entered.is_set()
    impatient = Gate(GateLimits(slots=1, queue_length=1, queue_seconds=0.01))
    with impatient.slot(), pytest.raises(ApiError), impatient.slot():
        pass


def test_a_query_is_stopped_in_time(api: ApiClient) -> None:
    """A query past its time is interrupted and told as QUERY_TIMEOUT; its connection is not used again."""
    edition = server_of(api).parts.service.store.current()
    with (
        pytest.raises(ApiError, match="stopped after") as caught,
        edition.reading(UNRESTRICTED) as reading,
        Deadlines().within(reading.con, 0.2),
    ):
        reading.con.execute(ENDLESS).fetchall()
    assert caught.value.code == "QUERY_TIMEOUT"
    assert api.get("/api/v1/coverage").status_code == 200


def test_each_query_has_its_own_time() -> None:
    """A query with less time than those before it is stopped first; one that ended in time is never interrupted."""
    deadlines = Deadlines()
    with duckdb.connect() as patient, duckdb.connect() as hasty:
        with deadlines.within(patient, 3600):
            for _ in range(2):
                with pytest.raises(ApiError, match=r"stopped after 0\.1 s"), deadlines.within(hasty, 0.1):
                    hasty.execute(ENDLESS).fetchall()
            assert patient.execute("SELECT 1").fetchall() == [(1,)]
        for _ in range(3):
            with deadlines.within(hasty, 0.5):
                assert hasty.execute("SELECT 1").fetchall() == [(1,)]
            with pytest.raises(ApiError), deadlines.within(patient, 0.6):
                patient.execute(ENDLESS).fetchall()
            assert hasty.execute("SELECT 1").fetchall() == [(1,)]


def test_a_ledger_that_is_gone_is_503_and_not_ready(serve: Serve, tmp_path: Path) -> None:
    """Without a ledger the process is alive, not ready, and answers 503."""
    gone = tmp_path / "gone"
    client = serve(ledger=gone)
    assert client.get("/healthz").status_code == 200
    check_problem(client, "GET", "/readyz", 503)
    check_problem(client, "GET", "/api/v1/emissions", 503)
    Ledger.open(gone, create=True)
    assert client.get("/readyz").json()["ledger_version"] == 0
    assert client.get("/api/v1/emissions").json()["rows"] == []


def test_a_newest_version_that_cannot_be_read_is_told_until_it_can(serve: Serve, tmp_path: Path) -> None:
    """While it lasts the version before is served, readyz is 503, pages and metrics say so; then all is well again."""
    ledger = make_ledger(tmp_path)
    client = serve(ledger=ledger)
    before = client.get("/readyz").json()
    files = set(ledger.rglob("*.parquet"))
    more = tmp_path / "more.csv"
    more.write_text(f"{HEAD}\n{line('2025-07-01', '222', 'us-east-1', '1.00')}\n")
    assert ingest_files([more], str(ledger), settings()).status == "ok"
    whole = {path: path.read_bytes() for path in set(ledger.rglob("*.parquet")) - files}
    for path in whole:
        os.truncate(path, 100)
    store = server_of(client).parts.service.store
    with pytest.raises(UNREADABLE):
        store.refresh()
    told = check_problem(client, "GET", "/readyz", 503)
    assert f"version {before['ledger_version']} is served" in str(told["detail"])
    assert client.get("/api/v1/emissions").json()["ledger_version"] == before["ledger_version"]
    for page in ("/", "/explain", "/whatif"):
        assert "The newest version of the ledger cannot be read since" in client.get(page).text
    assert _unread_seconds(client) > 0
    for path, content in whole.items():
        path.write_bytes(content)
    store.refresh()
    assert client.get("/readyz").json()["ledger_version"] > before["ledger_version"]
    assert "cannot be read" not in client.get("/").text
    assert _unread_seconds(client) == 0


def _unread_seconds(client: ApiClient) -> float:
    found = re.search(r"^offgridflow_ledger_unread_seconds (\S+)$", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return float(found[1])


def test_every_code_is_documented() -> None:
    """docs/api.md has an anchor for every code, and none that is not one."""
    text = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", text, re.MULTILINE)) == {code.value for code in Code}


def test_accept_is_read_as_the_rfc_says() -> None:
    """Quality decides, wildcards give the default, zero refuses, nonsense is not acceptable."""
    assert chosen_form(None, None) is Form.JSON
    assert chosen_form(None, "text/csv;q=0.2, application/x-ndjson;q=0.9") is Form.NDJSON
    assert chosen_form(None, "text/html, */*;q=0.1") is Form.JSON
    assert chosen_form(Form.CSV, "application/json") is Form.CSV
    for wrong in ("text/html", "application/json;q=0", "application/json;q=x", ";;;"):
        with pytest.raises(ApiError):
            chosen_form(None, wrong)


def test_csv_guards_texts_and_leaves_numbers() -> None:
    """Texts that a spreadsheet would run get an apostrophe; numbers and unknown values do not."""
    text = to_csv([{"a": "=1+1", "b": -1.5, "c": None, "d": "-x", "e": [1]}, {"a": "\t@", "b": True}])
    assert text.splitlines()[0] == "a,b,c,d,e"
    assert text.splitlines()[1] == "'=1+1,-1.5,,'-x,[1]"
    assert text.splitlines()[2].startswith("'\t@,true")


def test_no_page_or_answer_lets_other_sites_in(api: ApiClient) -> None:
    """Every answer carries a strict policy: no inline script, no other origin, no frame, no sniffing."""
    for path in ("/", "/api/v1/emissions", "/static/app.js", "/api/v1/nothing"):
        headers = api.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers
