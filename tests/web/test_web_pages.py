"""Laws of the pages without a browser: what the banner names, what a what-if says of money, what links keep."""

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request

from offgridflow.api.access import LOCAL_USER
from offgridflow.api.context import Context
from offgridflow.domain.errors import LedgerError
from offgridflow.domain.reported import Breakdown, ReportedEmission
from offgridflow.ledger import Ledger
from offgridflow.ledger.reported import MonthOfReport
from offgridflow.pipeline.model import Failure, PeriodResult, PeriodStatus
from offgridflow.pipeline.runs import STATE_FOLDER, RunStore
from offgridflow.pipeline.service import ingest_files
from offgridflow.pipeline.troubles import history_at, troubles_of
from offgridflow.web import charts, words
from offgridflow.web.links import View
from offgridflow.web.overview import overview
from support.server import HEAD, ApiClient, client_of, line, make_ledger, server_of, server_on, settings

NOW = datetime(2026, 1, 2, 5, 17, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A small ledger."""
    return make_ledger(tmp_path)


@pytest.fixture
def site(ledger: Path, tmp_path: Path) -> Iterator[ApiClient]:
    """A server on it."""
    with client_of(server_on(ledger, state=tmp_path / "state.sqlite")) as client:
        yield client


def result(source: str, status: PeriodStatus, period: str | None = "2025-06") -> PeriodResult:
    """Return what a run made of a source's month."""
    error = (
        Failure("PROVIDER_AUTH", f"{source} may not be listed.", "Grant it.", "auth") if status == "failed" else None
    )
    return PeriodResult(
        source=source,
        billing_period=period,
        billing_currency=None,
        provider="aws",
        format=None,
        status=status,
        error=error,
    )


def run(store: RunStore, run_id: str, *results: PeriodResult, ended: bool = True) -> None:
    """Write a run into the history."""
    with store.living(run_id):
        store.begin(run_id, "run", NOW, {})
        for each in results:
            store.note(run_id, NOW, [each], frozenset())
        if ended:
            store.finish(run_id, "partial", NOW)


def test_the_banner_names_each_source_that_failed_last(site: ApiClient, ledger: Path) -> None:
    """A source that failed in the newest run that tried it stands in the banner with its reason and what to do."""
    assert "may not be listed" not in site.get("/").text
    store = history_at(str(ledger))
    assert store is not None
    assert store.folder == ledger / STATE_FOLDER
    run(store, "r1", result("acme", "failed"), result("other", "failed"))
    run(store, "r2", result("other", "committed"))
    page = site.get("/").text
    assert "<strong>acme 2025-06</strong> failed (2026-01-02 05:17 UTC): acme may not be listed. Grant it." in page
    assert "other may not be listed" not in page


def test_the_banner_tells_what_stopped_coming(site: ApiClient, ledger: Path) -> None:
    """Late is a bill 40 days after the end of its month, a provider's report 61 days; what is fresh is not named."""
    reported = Ledger.open(ledger).reported
    for source in ("footprint", "elsewhere"):
        row = ReportedEmission("aws", "2025-06", Breakdown.CELL, {"scope_1_kgco2e": Decimal(1)}, sub_account_id="222")
        reported.commit(MonthOfReport(source, "2025-06", [row]))
    row = ReportedEmission("aws", "2025-07", Breakdown.CELL, {"scope_1_kgco2e": Decimal(1)}, sub_account_id="222")
    reported.commit(MonthOfReport("elsewhere", "2025-07", [row]))
    edition = server_of(site).parts.service.store.refresh()

    def told(now: datetime) -> tuple[list[str], list[str], int]:
        context = Context(server_of(site).parts, LOCAL_USER, Request({"type": "http"}))
        banner = overview(context, edition, View(), now)["banner"]
        return banner["stale"], banner["stale_reports"], banner["sources"]

    assert told(datetime(2025, 8, 10, tzinfo=UTC)) == ([], [], 3)
    assert told(datetime(2025, 8, 11, tzinfo=UTC)) == (["aws/111"], [], 3)
    assert told(datetime(2025, 8, 31, tzinfo=UTC)) == (["aws/111"], [], 3)
    assert told(datetime(2025, 9, 1, tzinfo=UTC)) == (["aws/111"], ["footprint"], 3)
    assert "is missing: elsewhere, footprint." in site.get("/").text


def test_a_source_that_succeeds_is_no_trouble_any_more(tmp_path: Path) -> None:
    """Of each source the newest run that tried it counts, whatever failed before."""
    store = RunStore(tmp_path)
    run(store, "r1", result("acme", "failed", None))
    assert [(each.source, each.billing_period) for each in troubles_of(store)] == [("acme", None)]
    run(store, "r2", result("acme", "unchanged"))
    assert troubles_of(store) == []


def test_a_killed_run_is_a_trouble_until_the_next_one(tmp_path: Path) -> None:
    """A run that was killed is told; what it had committed is no failure."""
    store = RunStore(tmp_path)
    run(store, "r1", result("acme", "committed"), ended=False)
    (killed,) = troubles_of(store)
    assert (killed.source, killed.at) == (None, NOW.isoformat())
    run(store, "r2")
    assert troubles_of(store) == []


def test_where_nothing_ever_ran_nothing_is_written(tmp_path: Path) -> None:
    """Looking for troubles makes no history, and a broken one is an error that says so."""
    store = RunStore(tmp_path / "none")
    assert troubles_of(store) == []
    assert not store.folder.exists()
    (tmp_path / "runs.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(LedgerError, match="history"):
        troubles_of(RunStore(tmp_path))


def test_the_history_can_lie_elsewhere(tmp_path: Path) -> None:
    """The folder of the settings goes before the ledger's own."""
    chosen = history_at(str(tmp_path / "ledger"), tmp_path / "elsewhere")
    assert chosen is not None
    assert chosen.folder == tmp_path / "elsewhere"


def test_a_what_if_shows_cost_as_it_shows_carbon(site: ApiClient) -> None:
    """Cost after a change stands beside the cost before where this ledger has a price, else the reason stands there."""
    moved = site.get("/whatif?region=us-east-1&new_region=eu-north-1&by=region_id&from=2025-06&to=2025-06").text
    assert "Cost after the change" in moved
    assert "Not in ledger" in moved
    assert "this ledger paid for no such thing" in moved
    api = site.get("/api/v1/whatif?region=us-east-1:eu-north-1&by=region_id&from=2025-06&to=2025-06").json()
    priced = [move for move in api["moves"] if move["unit_price"] is not None]
    assert [move["price_basis"] for move in priced] == ["paid"]
    assert f"{priced[0]['cost_after']:.2f}" in moved
    lost = site.get("/whatif?region=us-east-1&new_region=mars-1&by=region_id&from=2025-06&to=2025-06").text
    assert "has no rate after the change: unknown region" in lost
    assert "the difference is unknown" in lost
    nothing = site.get("/whatif?region=nowhere&new_region=eu-north-1").text
    assert "No SKU of this view fits the change." in nothing


def chart_of(page: str, name: str) -> dict[str, Any]:
    """Return the data of a chart of a page."""
    found = re.search(rf"id=\"{name}\"[^>]*data-chart='([^']*)'", page)
    assert found is not None, name
    chart: dict[str, Any] = json.loads(found[1])
    return chart


def test_the_images_of_the_overview_show_the_figures_of_the_api(site: ApiClient) -> None:
    """Bars and their ranges are the API's totals in the unit of the title; period, filters, versions stand beside."""
    question = "from=2025-05&to=2025-06&by=sub_account_id&where=provider%3Daws"
    page = site.get(f"/?{question}").text
    answer = site.get(f"/api/v1/emissions?{question}").json()
    picture = chart_of(page, "picture")
    assert (picture["title"], picture["unit"]) == ("Carbon by account, g CO\u2082e", "g CO\u2082e")
    assert picture["about"] == "May 2025 \u2013 Jun 2025; Provider AWS"
    assert answer["factor_set"] in picture["source"]
    assert f"ledger version {answer['ledger_version']}" in picture["source"]
    rows = answer["rows"]
    assert picture["labels"] == [row["sub_account_id"] for row in rows]
    assert picture["series"][0]["values"] == pytest.approx([row["total_kgco2e"] * 1000 for row in rows])
    assert picture["ranges"] == [
        pytest.approx([row["total_low_kgco2e"] * 1000, row["total_high_kgco2e"] * 1000]) for row in rows
    ]
    months = chart_of(page, "chart")
    trend = site.get(months["csv"].replace("format=csv", "format=json")).json()
    shown = {row["month"]: 0.0 for row in trend["rows"]}
    for row in trend["rows"]:
        shown[row["month"]] += row["total_kgco2e"] * 1000
    assert months["months"] == list(shown)
    columns = [sum(filter(None, column)) for column in zip(*(each["values"] for each in months["series"]), strict=True)]
    assert columns == pytest.approx(list(shown.values()))


def test_the_image_of_an_explanation_shows_quantity_times_rate(site: ApiClient) -> None:
    """Each bar is the SKU's total, its whiskers quantity x low and x high of the very rate that is explained."""
    picture = chart_of(site.get("/explain?from=2025-06&to=2025-06").text, "picture")
    skus = site.get("/api/v1/explain?from=2025-06&to=2025-06").json()["skus"]
    known = [each for each in skus if each["usage"]["total_kgco2e"] is not None]
    assert picture["series"][0]["values"] == pytest.approx([each["usage"]["total_kgco2e"] * 1000 for each in known])
    for drawn, each in zip(picture["ranges"], known, strict=True):
        ends = [
            each["usage"]["consumed_quantity"] * each["rate"]["total_kgco2e"][end] * 1000 for end in ("low", "high")
        ]
        assert drawn == pytest.approx(ends)
    nothing = site.get("/explain?name=nobody").text
    assert "data-picture" not in nothing


def test_the_image_of_a_comparison_shows_both_sides(site: ApiClient) -> None:
    """Now and then of every group that changes, as the API tells them, and what is changed in words."""
    page = site.get("/whatif?region=us-east-1&new_region=eu-north-1&by=region_id&from=2025-06&to=2025-06").text
    picture = chart_of(page, "picture")
    rows = site.get("/api/v1/whatif?region=us-east-1:eu-north-1&by=region_id&from=2025-06&to=2025-06").json()["rows"]
    changed = [row for row in rows if row["total_kgco2e_difference"]]
    assert picture["labels"] == [row["region_id"] for row in changed] == ["us-east-1"]
    assert picture["about"] == "Jun 2025; us-east-1 to eu-north-1"
    for series, side in zip(picture["series"], ("before", "after"), strict=True):
        assert series["values"] == pytest.approx([row[f"total_kgco2e_{side}"] * 1000 for row in changed])


def test_an_image_of_many_bars_says_how_many_it_leaves_out() -> None:
    """At most MOST_BARS of the bars with a figure are shown, and the image says of how many; none makes no image."""
    caption = charts.captions("x", "Carbon", View("2025-06", "2025-06"), "ledger version 1")
    rows = [charts.Bar(str(each), (Decimal(each),)) for each in range(40, 0, -1)]
    shown = charts.bars(caption, ["Total"], [charts.Bar("unknown", (None,)), *rows])
    assert shown is not None
    assert shown["labels"] == [str(each) for each in range(40, 40 - charts.MOST_BARS, -1)]
    assert shown["about"] == f"Jun 2025; the largest {charts.MOST_BARS} of 40"
    assert shown["ranges"] == []
    assert charts.bars(caption, ["Total"], [charts.Bar("unknown", (None,))]) is None


def test_links_between_pages_keep_what_is_shown(site: ApiClient) -> None:
    """Period and filters go along from page to page, and the what-if exports what it shows."""
    page = site.get("/?from=2025-06&to=2025-06&where=region_id%3Dus-east-1").text
    state = "from=2025-06&amp;to=2025-06&amp;where=region_id%3Dus-east-1"
    assert f'href="/whatif?{state}"' in page
    assert f'href="/explain?{state}"' in page
    asked = "/whatif?from=2025-06&to=2025-06&family=m5&new_family=m7g&by=region_id"
    shown = site.get(asked).text
    export = "/api/v1/whatif?by=region_id&amp;family=m5%3Am7g&amp;from=2025-06&amp;to=2025-06&amp;format=csv"
    assert f'href="{export}"' in shown
    assert site.get(export.replace("&amp;", "&")).text.startswith("region_id,billing_currency,")
    assert 'name="from" value="2025-06"' in shown


@pytest.mark.parametrize(("length", "status"), [(513, 200), (6000, 200), (9000, 400)])
def test_a_name_of_any_length_leads_on_or_has_no_link(tmp_path: Path, length: int, status: int) -> None:
    """Links of a row with a long name work, and so do those of their pages; what no address can hold has none."""
    name = ("resource-" * length)[:length]
    bill = tmp_path / "bill.csv"
    bill.write_text(f"{HEAD}\n{line('2025-06-01', '222', 'us-east-1', '1.00', resource=name)}\n")
    assert ingest_files([bill], str(tmp_path / "N"), settings()).status == "ok"
    with client_of(server_on(tmp_path / "N", state=tmp_path / "other.sqlite")) as client:
        page = client.get("/?by=resource_id").text
        assert name in page
        links = {html.unescape(each) for each in re.findall(r'href="([^"]*)"', page) if "resource-" in each}
        assert bool(links) == (status == 200)
        for link in links:
            shown = client.get(link)
            assert shown.status_code == 200
            onward = {html.unescape(each) for each in re.findall(r'href="(/[^"]*)"', shown.text)}
            assert {client.get(each).status_code for each in onward if "resource-" in each} == {200}
        asked = client.get("/explain", params={"name": name})
        assert asked.status_code == status
        assert client.get("/api/v1/emissions", params={"resource_id": name}).status_code == asked.status_code


@pytest.mark.parametrize("page", ["/", "/explain", "/whatif"])
@pytest.mark.parametrize(
    "question", ["where=x", "where=", "where=bogus%3D1", "metric=zzz", "foo=1", "from=2025-13", "by=bogus"]
)
def test_a_page_shows_nothing_else_than_it_was_asked_for(site: ApiClient, page: str, question: str) -> None:
    """What is no filter, metric or parameter is 422 as in the API, never a page without it; empty fields are absent."""
    answer = site.get(f"{page}?{question}", headers={"Accept": "text/html"})
    assert answer.status_code == 422
    assert answer.headers["content-type"].startswith("text/html")
    assert site.get(f"{page}?metric=&from=&to=", headers={"Accept": "text/html"}).status_code == 200


@pytest.mark.parametrize(("period", "name"), [("2025-06", "Jun 2025"), ("2025-06-03T04", "3 Jun 2025, 04:00 UTC")])
def test_a_period_is_written_for_people(period: str, name: str) -> None:
    """A month by its name; an hour with day, clock and time zone."""
    assert words.period_name(period) == name


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("resource_id", "//compute.googleapis.com/projects/p/instances/web-1", "web-1"),
        ("sub_account_id", "/subscriptions/0aa1/", "0aa1"),
        ("resource_id", "i-1", "i-1"),
        ("resource_id", "/", "/"),
        ("resource_id", None, "(none)"),
        ("service_name", "CI/CD", "CI/CD"),
    ],
)
def test_of_a_path_the_last_part_is_shown(key: str, value: str | None, name: str) -> None:
    """Paths of resources and accounts are long, and differ at their end; no other value is cut."""
    assert words.short_name(key, value) == name
