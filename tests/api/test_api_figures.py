"""The API gives the figures of the command line, from a rollup or from rows, in every format, page by page."""

import csv
import io
import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from arro3.core import Table
from arro3.io import read_ipc_stream
from hypothesis import HealthCheck, given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from offgridflow.api.access import LOCAL_USER, UNRESTRICTED, Restriction
from offgridflow.api.app import create_app
from offgridflow.api.kept import Repeated
from offgridflow.api.params import Filtered
from offgridflow.cli.main import run
from offgridflow.domain.errors import InputError
from offgridflow.factors.tables import FactorSetError
from offgridflow.ledger import Ledger
from offgridflow.ledger.maintain import forget
from offgridflow.reports.opened import open_ledger
from offgridflow.reports.rollup import answers
from offgridflow.reports.scope import GroupKey
from offgridflow.reports.totals import report
from offgridflow.settings import MethodologySettings, Settings, WhatIfSettings
from support.server import EC2, FORMULA, HEAD, LINES, ApiClient, client_of, make_ledger, server_of, settings

Serve = Callable[..., ApiClient]
ARROW = "application/vnd.apache.arrow.stream"


def decimals(text: str) -> Any:  # noqa: ANN401  any JSON
    """Read JSON without losing a digit."""
    return json.loads(text, parse_float=Decimal)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--by", "provider,service_name"],
        ["--by", "month,sub_account_id,region_id"],
        ["--by", "resource_id,day"],
        ["--by", "tag:team", "--from", "2025-06", "--where", "sub_account_id=333"],
        ["--by", "status", "--from", "2025-06-02", "--to", "2025-06-03"],
    ],
)
def test_emissions_are_those_of_the_command_line(
    api: ApiClient, ledger: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Every figure of /emissions equals `offgridflow report` to the last digit, whichever path answered."""
    assert run(["report", "--ledger", str(ledger), "--format", "json", *arguments]) == 0
    said = decimals(capsys.readouterr().out)
    names = [name.removeprefix("--") for name in arguments[::2]]
    found = api.get("/api/v1/emissions", params=dict(zip(names, arguments[1::2], strict=True)))
    assert found.status_code == 200
    answer = decimals(found.text)
    assert answer.pop("next") is None
    assert answer == said


_KEYS = ("provider", "month", "sub_account_id", "region_id", "service_name", "tag:team", "status", "coverage_bucket")


@bounded(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    by=st.lists(st.sampled_from(_KEYS), max_size=3, unique=True), month=st.sampled_from([None, "2025-05", "2025-06"])
)
def test_a_rollup_answers_as_the_rows_do(api: ApiClient, by: list[str], month: str | None) -> None:
    """A report over the rollup equals the report over the rows: weights, market and water coverage included."""
    assert answers(by, month, month, {}, ("team",))
    edition = server_of(api).parts.service.store.current()
    with edition.reading(UNRESTRICTED) as rows, edition.reading(UNRESTRICTED, light=True) as light:
        assert (
            report(light.con, by, month, month, view="rollup").to_json() == report(rows.con, by, month, month).to_json()
        )


def test_days_and_resources_are_not_answered_by_the_rollup() -> None:
    """Only whole months and kept keys may be answered by a rollup."""
    assert answers(["month"], "2025-05", "2025-06", {"provider": "aws"})
    assert answers(["month"], "2025-05-01", "2025-06-30", {})
    assert not answers(["day"], None, None, {})
    assert not answers(["month"], "2025-05-02", None, {})
    assert not answers(["provider"], None, "2025-06-29", {})
    assert not answers(["tag:team"], None, None, {})
    assert not answers(["provider"], None, None, {"resource_id": "i-1"})


def test_totals_equal_an_independent_sum_over_the_bill(api: ApiClient) -> None:
    """Money and lines of usage plus what was excluded are those of the raw file."""
    said = decimals(api.get("/api/v1/emissions").text)
    costs = [Decimal(row["BilledCost"]) for row in csv.DictReader(io.StringIO("\n".join([HEAD, *LINES])))]
    excluded = sum((Decimal(each["billed_cost"]) for each in said["excluded"].values()), Decimal(0))
    assert said["total"][0]["billed_cost"] + excluded == sum(costs)
    assert said["total"][0]["line_items"] + sum(each["line_items"] for each in said["excluded"].values()) == len(LINES)
    assert said["impact_total"]["total_kgco2e"] > 0


def test_formats_hold_the_same_figures(api: ApiClient, tmp_path: Path) -> None:
    """JSON, NDJSON, CSV, Parquet and Arrow of one question hold equal rows, by ?format= and by Accept."""
    ask = "/api/v1/emissions?by=region_id"
    rows = decimals(api.get(ask).text)["rows"]
    lines = api.get(ask, headers={"Accept": "application/x-ndjson"})
    assert [decimals(each) for each in lines.text.splitlines()] == rows
    table = list(csv.DictReader(io.StringIO(api.get(f"{ask}&format=csv").text)))
    assert [Decimal(each["total_kgco2e"]) for each in table] == [each["total_kgco2e"] for each in rows]
    parquet = api.get(ask, headers={"Accept": "application/vnd.apache.parquet;q=1, application/json;q=0.5"})
    assert parquet.headers["content-type"] == "application/vnd.apache.parquet"
    (tmp_path / "rows.parquet").write_bytes(parquet.content)
    with duckdb.connect() as con:
        stored = con.execute(f"SELECT region_id, total_kgco2e FROM '{tmp_path}/rows.parquet'").fetchall()
    assert stored == [(each["region_id"], each["total_kgco2e"]) for each in rows]
    for arrow in (api.get(f"{ask}&format=arrow"), api.get(ask, headers={"Accept": ARROW})):
        assert arrow.headers["content-type"] == ARROW
        batches = Table.from_arrow(read_ipc_stream(io.BytesIO(arrow.content)))
        assert batches.column("total_kgco2e").to_pylist() == [each["total_kgco2e"] for each in rows]
        assert batches.column("region_id").to_pylist() == [each["region_id"] for each in rows]


def test_etag_answers_304_until_the_question_changes(api: ApiClient) -> None:
    """The same question about the same version is 304; another format or question is not."""
    first = api.get("/api/v1/emissions?by=provider")
    again = api.get("/api/v1/emissions?by=provider", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    for other in ("/api/v1/emissions?by=month", "/api/v1/emissions?by=provider&format=csv"):
        assert api.get(other, headers={"If-None-Match": first.headers["etag"]}).status_code == 200


def test_pages_end_with_null_and_lose_nothing(api: ApiClient) -> None:
    """Following `next` gives every row once and ends with null; a cursor of another question is refused."""
    whole = api.get("/api/v1/activities?limit=1000").json()
    assert whole["next"] is None
    seen: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/api/v1/activities", params={"limit": 3, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["rows"]) <= 3
        seen += page["rows"]
        cursor = page["next"]
    assert seen == whole["rows"]
    grouped = api.get("/api/v1/emissions?by=day&limit=2").json()
    following = api.get("/api/v1/emissions", params={"by": "day", "limit": 2, "cursor": grouped["next"]}).json()
    assert following["rows"][0] != grouped["rows"][0]
    foreign = api.get("/api/v1/emissions", params={"by": "month", "cursor": grouped["next"]})
    assert (foreign.status_code, foreign.json()["errors"][0]["where"]) == (422, "cursor")


def test_sort_top_and_compare(api: ApiClient) -> None:
    """Rows sort by any column with unknown last; top cuts; compare sets the month before beside each row."""
    rows = api.get("/api/v1/emissions?by=region_id&sort=-billed_cost").json()["rows"]
    costs = [row["billed_cost"] for row in rows]
    assert costs == sorted(costs, reverse=True)
    assert api.get("/api/v1/emissions?by=region_id&sort=-billed_cost&top=1").json()["rows"] == rows[:1]
    compared = decimals(api.get("/api/v1/emissions?by=region_id&from=2025-06&to=2025-06&compare=true").text)
    before = decimals(api.get("/api/v1/emissions?by=region_id&from=2025-05&to=2025-05").text)
    known = {row["region_id"]: row["total_kgco2e"] for row in before["rows"]}
    assert {row["region_id"]: row["previous_total_kgco2e"] for row in compared["rows"]} == {
        row["region_id"]: known.get(row["region_id"]) for row in compared["rows"]
    }
    assert compared["previous"]["impact_total"] == before["impact_total"]


def test_older_versions_stay_readable(api: ApiClient) -> None:
    """version= and as_of= answer from an older version; one that never was is 404."""
    newest = api.get("/readyz").json()["ledger_version"]
    old = api.get("/api/v1/emissions?by=month&version=0").json()
    assert (old["ledger_version"], old["rows"]) == (0, [])
    assert api.get(f"/api/v1/emissions?version={newest}").json()["ledger_version"] == newest
    assert api.get("/api/v1/emissions?as_of=2999-01-01T00:00:00Z").json()["ledger_version"] == newest
    for gone in ("version=9999", "as_of=2001-01-01T00:00:00Z"):
        assert api.get(f"/api/v1/emissions?{gone}").status_code == 404


def test_csv_holds_no_formula(api: ApiClient) -> None:
    """No cell of a CSV begins a formula; numbers, negative ones too, stay as they are."""
    for path in ("/api/v1/export?format=csv", "/api/v1/emissions?by=sku_meter,resource_id&format=csv"):
        text = api.get(path).text
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        risky = [cell for cell in cells if cell[:1] in {"=", "+", "@", "\t", "\r"}]
        assert risky == []
        assert not [cell for cell in cells if cell.startswith("-") and not _is_number(cell)]
    assert f"'{FORMULA}" in api.get("/api/v1/export?format=csv").text
    assert FORMULA in api.get("/api/v1/export?format=ndjson").text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_explain_and_whatif_answer_as_the_command_line(
    api: ApiClient, ledger: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Explanations and what-ifs equal those of the command line."""
    assert run(["explain", "sku-1", "--ledger", str(ledger), "--format", "json"]) == 0
    said = decimals(capsys.readouterr().out)
    answer = decimals(api.get("/api/v1/explain?name=sku-1").text)
    assert {name: answer[name] for name in said} == said
    command = ["whatif", "--region", "us-east-1:eu-north-1", "--by", "region_id", "--ledger", str(ledger)]
    assert run([*command, "--format", "json"]) == 0
    said = decimals(capsys.readouterr().out)
    answer = decimals(api.get("/api/v1/whatif?region=us-east-1:eu-north-1&by=region_id").text)
    assert {name: answer[name] for name in said} == said
    assert answer["impact_total"]["total_kgco2e_difference"] < 0
    told = api.get("/api/v1/whatif?region=us-east-1:eu-north-1&by=region_id&table=moves&format=csv").text
    moves = [(row["sku_meter_before"].lstrip("'"), row["price_basis"]) for row in csv.DictReader(io.StringIO(told))]
    assert moves == [(move["sku_meter_before"], move["price_basis"] or "") for move in said["moves"]]


def test_a_new_version_is_served_and_costs_only_its_own_commits(ledger: Path, api: ApiClient) -> None:
    """Rolling up again adds nothing; a rollup built from nothing equals the one that grew."""
    store = server_of(api).parts.service.store
    edition = store.current()
    assert edition.roll_up_missing(store.tag_keys) == 0
    with open_ledger(str(ledger)) as opened:
        assert edition.version == opened.provenance.ledger_version


def test_a_restriction_cuts_every_view(api: ApiClient) -> None:
    """A restricted reading sees its rows in emissions and rollup, their rates, and no quarantine or commits."""
    edition = server_of(api).parts.service.store.current()
    for restriction, accounts in ((Restriction(("333",)), {"333"}), (Restriction((), (("team", ("ads",)),)), {"333"})):
        with edition.reading(restriction) as seen:
            for view in ("emissions", "rollup"):
                found = seen.con.execute(f"SELECT DISTINCT sub_account_id FROM {view}").fetchall()
                assert {row[0] for row in found} == accounts
            rates = seen.con.execute("SELECT count(*) FROM rates").fetchall()[0][0]
            used = seen.con.execute("SELECT count(DISTINCT rate_id) FROM emissions").fetchall()[0][0]
            assert rates == used
            assert seen.con.execute("SELECT count(*) FROM commits").fetchall() == [(0,)]
    quoted = Restriction(("3' OR true --",))
    with edition.reading(quoted) as seen:
        assert seen.con.execute("SELECT count(*) FROM emissions").fetchall() == [(0,)]


def test_services_filter_by_exact_value(api: ApiClient) -> None:
    """A filter compares values exactly, and an empty value means unknown."""
    rows = api.get("/api/v1/emissions", params={"by": "service_name", "where": f"service_name={EC2}"}).json()["rows"]
    assert [row["service_name"] for row in rows] == [EC2]
    assert api.get("/api/v1/emissions", params={"where": "service_name="}).json()["rows"] == []


def test_several_values_of_a_key_are_alternatives(api: ApiClient) -> None:
    """A key may stand several times, by its name or in where: rows with one of its values count, each once."""
    whole = decimals(api.get("/api/v1/emissions?by=region_id").text)
    wanted = {"us-east-1", "eu-north-1"}
    expected = [row for row in whole["rows"] if row["region_id"] in wanted]
    for question in (
        "region_id=us-east-1&region_id=eu-north-1",
        "where=region_id=us-east-1&where=region_id=eu-north-1",
        "region_id=us-east-1&where=region_id=eu-north-1&where=region_id=us-east-1",
    ):
        found = decimals(api.get(f"/api/v1/emissions?by=region_id&{question}").text)
        assert found["rows"] == expected, question
        lines = api.get(f"/api/v1/export?format=ndjson&{question}").text.splitlines()
        assert {json.loads(line)["RegionId"] for line in lines} == wanted
    both = api.get("/api/v1/emissions?by=region_id&region_id=us-east-1&sub_account_id=333").json()
    assert both["rows"] == []
    rates = api.get("/api/v1/rates?where=region_id=us-east-1&where=region_id=eu-north-1").json()["rates"]
    assert {rate["region_id"] for rate in rates} == wanted
    unknown = api.get("/api/v1/emissions?by=region_id&region_id=us-east-1&region_id=").json()["rows"]
    assert {row["region_id"] for row in unknown} <= {"us-east-1", None}


def test_every_key_of_reports_is_a_parameter() -> None:
    """What a report can group by, a question can be filtered by under the same name."""
    assert {key.value for key in GroupKey} <= set(Filtered.model_fields)


def test_an_answer_in_any_format_is_kept_whatever_the_order_of_its_parameters(api: ApiClient) -> None:
    """The second answer comes from memory with equal headers; the last of two values counts, as it does in a route."""
    bodies = server_of(api).parts.service.bodies
    first = api.get("/api/v1/emissions?by=resource_id,day&format=csv&limit=70")
    hits = bodies.hits
    again = api.get("/api/v1/emissions?limit=70&format=csv&by=resource_id,day")
    assert bodies.hits > hits
    ignored = {"date"}
    assert {k: v for k, v in again.headers.items() if k not in ignored} == {
        k: v for k, v in first.headers.items() if k not in ignored
    }
    assert again.content == first.content
    one, two = (api.get(f"/api/v1/emissions?by=day&limit={a}&limit={b}").json()["rows"] for a, b in ((1, 2), (2, 1)))
    assert (len(one), len(two)) == (2, 1)
    packed, plain = (
        api.get("/api/v1/emissions?by=resource_id,day&format=csv&limit=70", headers={"Accept-Encoding": accepted})
        for accepted in ("br, gzip;q=0.5", "gzip;q=0")
    )
    assert (packed.headers.get("content-encoding"), plain.headers.get("content-encoding")) == ("gzip", None)
    assert packed.content == plain.content


def test_a_new_version_has_answered_what_was_asked_before_it_is_served(api: ApiClient) -> None:
    """A commit makes no question slow that is asked again and again: its answer is there when the version is.

    What was asked once is not asked for anybody, and what fails stops nothing.
    """
    service = server_of(api).parts.service
    edition = service.store.current()
    again, once = (
        "/api/v1/emissions?by=provider,month&from=2025-05&to=2025-06",
        "/api/v1/emissions?by=month&limit=4321",
    )
    first = api.get(again)
    service.slow.clear()  # on a busy machine that may have taken long
    for ask in (again, once):
        assert api.get(ask).status_code == 200
    service.repeated.put("broken", Repeated(LOCAL_USER, "/api/v1/emissions", b"by=nothing", ""), 1)
    service.repeated.put("gone", Repeated(LOCAL_USER, "/api/v1/elsewhere", b"", ""), 1)
    service.bodies.clear()
    service.store.before_serving(edition)
    kept = service.bodies.keys()
    assert any("by=provider,month" in key for key in kept)
    assert not any("limit=4321" in key for key in kept)
    hits = service.bodies.hits
    repeated = api.get(again)
    assert service.bodies.hits > hits
    assert (repeated.content, repeated.headers["etag"]) == (first.content, first.headers["etag"])
    service.repeated.clear()


def test_what_is_slow_is_not_made_again_before_a_version_is_served(api: ApiClient) -> None:
    """A question whose answer took long is no longer among those that a new version waits for."""
    service = server_of(api).parts.service
    ask = "/api/v1/emissions?by=region_id&limit=1111"
    first = api.get(ask)
    service.repeated.clear()
    kept = list(service.bodies.keys())
    name = next(key for key in kept if "limit=1111" in key and not key.endswith("gzip"))
    service.slow.put(name.partition("|")[2], None, 1)
    assert api.get(ask).content == first.content
    assert service.repeated.values() == []


def test_a_coming_version_is_answered_for_itself(serve: Serve, tmp_path: Path) -> None:
    """What is answered before a version is served is that version's answer, kept under it, and not the newest one's."""
    ledger = str(make_ledger(tmp_path))
    own = serve(ledger=Path(ledger))
    service = server_of(own).parts.service
    ask = "/api/v1/emissions?by=month"
    own.get(ask)
    service.slow.clear()  # on a busy machine that may have taken long
    old = own.get(ask).json()
    source = service.store.current().commits[0].key[0]
    forget(Ledger.open(ledger), source, "2025-05")
    edition = service.store.refresh()
    assert edition.version > old["ledger_version"]
    kept = list(service.bodies.keys())
    assert any(key.startswith(service.state_of(edition)) and "by=month" in key for key in kept)
    new = own.get(ask).json()
    assert new["ledger_version"] == edition.version
    assert [row["month"] for row in old["rows"]] == ["2025-05", "2025-06"]
    assert [row["month"] for row in new["rows"]] == ["2025-06"]


def test_an_answer_from_memory_is_the_answer(api: ApiClient) -> None:
    """The second time a question is asked its bytes, ETag, 304 and compression are those of the first."""
    ask = "/api/v1/emissions?by=sub_account_id,region_id"
    first = api.get(ask)
    again = api.get(ask)
    assert (again.content, again.headers["etag"]) == (first.content, first.headers["etag"])
    assert again.headers["content-encoding"] == first.headers["content-encoding"] == "gzip"
    assert again.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert api.get(ask, headers={"Accept-Encoding": "identity"}).content == first.content
    assert api.get(ask, headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert api.get(ask, headers={"Accept": "text/csv"}).headers["content-type"].startswith("text/csv")


@pytest.mark.parametrize("accepted", ["gzip;q=0", "br, gzip; q=0.0", "identity"])
@pytest.mark.parametrize("path", ["/api/v1/emissions?by=day,resource_id&sort=day", "/api/v1/export?format=csv", "/"])
def test_who_refuses_gzip_gets_none(serve: Callable[..., ApiClient], path: str, accepted: str) -> None:
    """First and second answer, rows that stream, pages: plain for who refuses gzip, packed for who takes it."""
    client = serve()
    answers = [client.get(path, headers={"Accept-Encoding": accepted}) for _ in range(2)]
    assert [answer.headers.get("content-encoding") for answer in answers] == [None, None]
    packed = client.get(path, headers={"Accept-Encoding": "br;q=0, gzip;q=0.1"})
    assert (packed.headers.get("content-encoding"), len(packed.text) > 1024) == ("gzip", True)


def test_a_what_if_takes_the_price_list_of_the_settings(
    ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The API prices by the list as the command line does by its option; the page names file and line; ETags differ."""
    prices = tmp_path / "prices.csv"
    head, row = "provider,sku,region_id,unit,price,currency", f"aws,{FORMULA},eu-north-1,Requests,0.0005,USD"
    prices.write_text(f"{head}\n{row}\n")
    question = ["whatif", "--region", "us-east-1:eu-north-1", "--by", "region_id", "--ledger", str(ledger)]
    assert run([*question, "--prices", str(prices), "--format", "json"]) == 0
    said = decimals(capsys.readouterr().out)
    (listed,) = [move for move in said["moves"] if move["price_basis"] == "price_list"]
    assert (listed["cost_after"], listed["price_source"]) == (Decimal("0.5"), "prices.csv, line 2")
    assert run([*question, "--prices", str(prices)]) == 0
    assert "prices.csv, line 2" in " ".join(capsys.readouterr().out.split())
    tags = set()
    for chosen in (settings(state=tmp_path / "state.sqlite"), with_prices(tmp_path, prices)):
        with client_of(create_app(chosen, str(ledger))) as client:
            found = client.get("/api/v1/whatif?region=us-east-1:eu-north-1&by=region_id")
            page = client.get("/whatif?region=us-east-1&new_region=eu-north-1&by=region_id").text
        tags.add(found.headers["etag"])
        answer = decimals(found.text)
        assert ("prices.csv, line 2" in page) is (chosen.whatif.prices is not None)
        assert ({name: answer[name] for name in said} == said) is (chosen.whatif.prices is not None)
    assert len(tags) == 2
    prices.write_text(f"{head}\n{row.replace('0.0005', 'cheap')}\n")
    assert run([*question, "--prices", str(prices)]) == 1
    assert "prices.csv, line 2, column price: 'cheap' is not accepted." in " ".join(capsys.readouterr().err.split())
    with pytest.raises(InputError, match="line 2, column price"):
        create_app(with_prices(tmp_path, prices), str(ledger))


def test_another_grid_file_makes_another_answer(ledger: Path, tmp_path: Path) -> None:
    """Grid factors that were edited change the ETag of what is made with them; a broken file lets no server start."""
    grid = tmp_path / "grid.csv"
    head, row = "provider,place,period,g_per_kwh,boundary,source", "country,SWE,2025,{},direct,mine"
    plain = settings(state=tmp_path / "state.sqlite")
    chosen = plain.model_copy(update={"methodology": MethodologySettings(grid_file=grid)})
    tags = set()
    for value in ("20", "30"):
        grid.write_text(f"{head}\n{row.format(value)}\n")
        with client_of(create_app(chosen, str(ledger))) as client:
            tags.add(client.get("/api/v1/whatif?region=us-east-1:eu-north-1&by=region_id").headers["etag"])
    assert len(tags) == 2
    grid.write_text(f"{head}\n{row.format('dirty')}\n")
    with pytest.raises(FactorSetError, match=r"grid\.csv, line 2"):
        create_app(chosen, str(ledger))


def with_prices(folder: Path, prices: Path) -> Settings:
    """Return settings with a price list."""
    chosen = settings(state=folder / "state.sqlite")
    return chosen.model_copy(update={"whatif": WhatIfSettings(prices=prices)})
