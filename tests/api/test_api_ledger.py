"""What the API says of the ledger itself, figure by figure: inventory, sources, factor sets, quarantine."""

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from offgridflow import factors
from offgridflow.api.app import create_app
from offgridflow.cli.main import run
from offgridflow.domain.reported import Breakdown, ReportedEmission
from offgridflow.ledger import Ledger
from offgridflow.ledger.reported import MonthOfReport
from offgridflow.pipeline.service import ingest_files
from offgridflow.reports.figures import to_json
from offgridflow.reports.inventory import inventory
from offgridflow.reports.inventory_page import records_of
from offgridflow.reports.opened import open_ledger
from offgridflow.reports.records import records
from support.server import HEAD, LINES, ApiClient, client_of, line, server_of, settings

Captured = pytest.CaptureFixture[str]
BAD = [
    line("2025-06-06", "222", "us-east-1", "not a number", resource="i-7"),
    line("2025-06-07", "222", "us-east-1", "1.10", quantity="many", resource="i-8"),
]
"""Lines of which one has no readable cost and one no readable quantity."""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger with quarantined lines and with two months of a provider's report from a source of its own."""
    folder = tmp_path_factory.mktemp("figures")
    bill = folder / "bill.csv"
    bill.write_text("\n".join([HEAD, *LINES, *BAD]) + "\n")
    assert ingest_files([bill], str(folder / "L"), settings()).status == "ok"
    for month, scope_2 in (("2025-05", "0.31"), ("2025-06", "0.42")):
        figures = {"scope_1_kgco2e": Decimal("0.01"), "scope_2_location_kgco2e": Decimal(scope_2)}
        figures |= {"scope_2_market_kgco2e": Decimal("0.05"), "scope_3_location_kgco2e": Decimal("0.2")}
        row = ReportedEmission(
            "aws", month, Breakdown.CELL, figures, sub_account_id="222", region_id="us-east-1", service_name="AmazonEC2"
        )
        Ledger.open(folder / "L").reported.commit(MonthOfReport("footprint", month, [row]))
    return folder / "L"


@pytest.fixture(scope="module")
def api(ledger: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiClient]:
    """A server on it, of settings that name one source which never brought anything."""
    chosen = settings(state=tmp_path_factory.mktemp("state") / "state.sqlite")
    named = {"idle": {"type": "files", "path": str(ledger.parent / "none")}}
    with client_of(create_app(chosen.model_copy(update={"sources": named}), str(ledger))) as client:
        yield client


def decimals(text: str) -> Any:  # noqa: ANN401  any JSON
    """Read JSON without losing a digit."""
    return json.loads(text, parse_float=Decimal)


def said(capsys: Captured, *arguments: str, form: str = "json") -> str:
    """Return what a command of this process prints."""
    capsys.readouterr()
    assert run([*arguments, "--format", form]) == 0
    return capsys.readouterr().out


def table(text: str) -> list[dict[str, str]]:
    """Read CSV."""
    return list(csv.DictReader(io.StringIO(text)))


def test_the_inventory_is_that_of_the_command_line_and_of_the_report(
    api: ApiClient, ledger: Path, capsys: Captured
) -> None:
    """Every figure of the year, provider scopes, market-based figures and SCI included, to the last digit."""
    answer = api.get("/api/v1/inventory?year=2025&functional_units=250&unit=search")
    command = ["inventory", "--year", "2025", "--functional-units", "250", "--unit", "search", "--ledger", str(ledger)]
    told = said(capsys, *command)
    assert decimals(answer.text) == decimals(told)
    with open_ledger(str(ledger)) as opened:
        found = inventory(opened.con, 2025, Decimal(250), "search", provenance=opened.provenance)
    assert decimals(answer.text) == decimals(to_json(found.to_json()))
    assert found.reported[0]["provider"] == "aws"
    rows = table(api.get("/api/v1/inventory?year=2025&functional_units=250&unit=search&format=csv").text)
    assert rows == table(said(capsys, *command, form="csv"))
    assert len(rows) == len(records_of(found))
    totals = decimals(api.get("/api/v1/emissions?from=2025-01&to=2025-12").text)["impact_total"]
    assert any(value == totals["total_kgco2e"] for value in decimals(answer.text)["scope_3_category_1"].values())


def test_sources_are_those_of_the_command_line(
    api: ApiClient, ledger: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sources of bills, of providers' reports and those that only the settings name, with equal counts and instants."""
    monkeypatch.setenv("OFFGRIDFLOW_SOURCES", json.dumps(dict(settings_of(api))))
    rows = {row["source"]: row for row in json.loads(said(capsys, "sources", "--ledger", str(ledger)))["sources"]}
    answer = api.get("/api/v1/sources").raise_for_status().json()
    found = {each["source"]: each for each in answer["sources"]}
    assert list(found) == list(rows) == ["aws/111", "footprint", "idle"]
    for name, row in rows.items():
        state = found[name]
        assert (state["type"], len(state["periods"]), state["newest_period"], state["line_items"]) == (
            row["type"],
            row["periods"],
            row["newest_period"],
            row["line_items"],
        )
        assert (state["last_committed_at"] or "")[:19] == (row["committed_at"] or "")[:19]
    assert found["aws/111"]["line_items"] == len(LINES) + len(BAD)
    assert sum(each["line_items"] for each in found["aws/111"]["periods"]) == len(LINES) + len(BAD)
    assert (found["footprint"]["type"], found["footprint"]["provider"]) == ("report", "aws")
    months = [(each["kind"], each["billing_period"], each["line_items"]) for each in found["footprint"]["periods"]]
    assert months == [("report", "2025-06", None), ("report", "2025-05", None)]
    live = Ledger.open(ledger).reported.head().reports
    assert [each["fingerprint"] for each in found["footprint"]["periods"]] == [
        live["footprint", month].content_digest for month in ("2025-06", "2025-05")
    ]
    assert found["idle"]["periods"] == []
    flat = table(api.get("/api/v1/sources?format=csv").text)
    assert [(row["source"], row["type"], row["billing_period"]) for row in flat] == [
        (name, each["type"], period["billing_period"]) for name, each in found.items() for period in each["periods"]
    ]


def settings_of(api: ApiClient) -> dict[str, dict[str, str]]:
    """Return the sources that the server was told of, as settings."""
    return {name: {"type": kind, "path": "none"} for name, kind in server_of(api).parts.sources.items()}


def test_factor_sets_are_those_of_the_command_line(api: ApiClient, ledger: Path, capsys: Captured) -> None:
    """Name, version, digest and every publisher with its licence; and the set that made the live figures."""
    answer = api.get("/api/v1/factor-sets").raise_for_status().json()
    (own,) = answer["factor_sets"]
    told = json.loads(said(capsys, "factors", "--sources"))
    assert {name: own[name] for name in ("name", "version", "digest")} == told["factor_set"]
    assert own["sources"] == told["sources"] == [dict(source) for source in factors.load().sources()]
    as_csv = table(said(capsys, "factors", "--sources", form="csv"))
    assert table(api.get("/api/v1/factor-sets?format=csv").text) == as_csv
    made = json.loads(said(capsys, "report", "--ledger", str(ledger)))
    assert (answer["used_by_ledger"], answer["ledger_version"]) == (made["factor_set"], made["ledger_version"])


def test_the_quarantine_is_that_of_the_ledger(api: ApiClient, ledger: Path, capsys: Captured) -> None:
    """Every field of every line that could not be read; counts and money are those that `report` sets aside."""
    rows = decimals(api.get("/api/v1/quarantine").raise_for_status().text)["rows"]
    with open_ledger(str(ledger)) as opened:
        kept = records(opened.con, "SELECT * FROM quarantine ORDER BY file, line_number, column_name")
    assert len(rows) == len(kept) == len(BAD)
    for row, own in zip(sorted(rows, key=lambda each: each["line_number"]), kept, strict=True):
        assert {name: _text(value) for name, value in row.items()} == {
            name: _text(value) for name, value in own.items()
        }
    first = 1 + len(LINES) + 1
    assert sorted(row["line_number"] for row in rows) == [first, first + 1]
    assert {row["value_excerpt"] for row in rows} == {"not a number", "many"}
    set_aside = decimals(said(capsys, "report", "--ledger", str(ledger)))["quarantined"]
    assert {reason: tally["line_items"] for reason, tally in set_aside.items()} == Counter(
        row["reason"] for row in rows
    )
    flat = table(api.get("/api/v1/quarantine?format=csv").text)
    assert [row["value_excerpt"] for row in flat] == [row["value_excerpt"] for row in rows]
    pages = api.get("/api/v1/quarantine?limit=1").json()
    following = api.get("/api/v1/quarantine", params={"limit": 1, "cursor": pages["next"]}).json()
    assert [each["value_excerpt"] for each in (*pages["rows"], *following["rows"])] == [
        row["value_excerpt"] for row in rows
    ]
    assert following["next"] is None


def _text(value: object) -> str | None:
    """Return a value as JSON and Python both write it; instants and decimals differ in form, not in value."""
    if value is None:
        return None
    if isinstance(value, Decimal | int):
        return str(Decimal(value).normalize())
    return str(value).replace("T", " ")
