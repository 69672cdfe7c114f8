"""Sources of the providers' own reports in unattended runs: held, tried again, fresh and stale as bills are."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from offgridflow.cloud.door import Door, Rules, Timeouts
from offgridflow.cloud.events import Event, Lagged, SpanKind, Started
from offgridflow.cloud.pace import Limiters
from offgridflow.ledger import Ledger
from offgridflow.pipeline.alerts import stale
from offgridflow.pipeline.freshness import freshness_of
from offgridflow.pipeline.model import IngestOptions
from offgridflow.pipeline.worker import Errand, run_once
from offgridflow.settings import AlertSettings, Settings
from offgridflow.testing import Answer, Blackhole, Dialect, FakeBucket, FakeCloud, SimulatedTime
from offgridflow.testing.bigquery import FakeBigQuery
from support.bigquery_bill import PROJECT
from support.crew import Operator
from support.faulty import HASTY, PATIENT, REPORTS, Row, Site, site_of
from support.reporting import (
    AZURE_CARBON,
    CARBON_API,
    CARBON_EXPORT,
    GCP_CARBON,
    SCHEMA,
    TABLE,
    AwsApi,
    AzureApi,
    CarbonExport,
    connect_in_the_clear,
    line,
)

MONTH = "2025-05"
Denied = Mapping[str, Answer]


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give AWS's default chain something to find."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")


@dataclass
class Stage:
    """One report source, an operator with its history, and a clock by hand."""

    site: Site
    operator: Operator
    at: datetime
    heard: list[Event]

    def run(self, settings: Mapping[str, Any] | None = None, **options: Any) -> list[tuple[str | None, str, str]]:  # noqa: ANN401 - IngestOptions
        """Run once; return (period, status, class of the failure) of the steps that were noted."""
        sources = {"report": {**self.site.table(), **(settings or {})}}
        report = self.operator.run(sources, retry_held=options.get("full", False), **options)
        steps = self.operator.store.get(report.run_id)["steps"]
        return [(step["billing_period"], step["status"], step["retry_class"] or "") for step in steps]


@pytest.fixture
def stage_of(tmp_path: Path) -> Iterator[Callable[..., Stage]]:
    """Give a stage with one month of two rows, of a type of source."""
    with ExitStack() as stack:

        def made(kind: str, timeouts: Timeouts = PATIENT) -> Stage:
            site = site_of(kind, stack)
            site.restate(2)
            time = SimulatedTime()
            heard: list[Event] = []
            rules = Rules(limiters=Limiters(clock=time.clock), timeouts=timeouts, world=time.world())
            operator = Operator(tmp_path, connect_in_the_clear, Door(rules, heard.append), now=lambda: stage.at)
            stage = Stage(site, operator, datetime(2025, 9, 1, tzinfo=UTC), heard)
            return stage

        yield made


_REFUSED = {
    CARBON_API: Answer(403, "AccessDeniedException"),
    CARBON_EXPORT: Answer(403, "AccessDenied"),
    AZURE_CARBON: Answer(403, "AuthorizationFailed"),
    GCP_CARBON: Answer(403, "accessDenied"),
}
REFUSED = {kind: Row(lambda _, kind=kind: _REFUSED[kind], None, "auth", 1) for kind in REPORTS}  # type: ignore[misc] # bound now


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("way", ["settings", "full", "a day"])
def test_a_refused_report_is_held_and_tried_again_when_that_may_help(
    stage_of: Callable[..., Stage], kind: str, way: str
) -> None:
    """After a refusal the figures are not asked for, and the run shows it held, until something may be otherwise."""
    stage = stage_of(kind)
    stage.site.break_it(REFUSED[kind])
    month, status, found = stage.run()[0]
    assert (status, found) == ("failed", "auth")
    stage.site.mend()
    assert stage.run() == [(month, "held", "auth")]
    [hold] = stage.operator.store.holds().values()
    assert hold.failure.code == "PROVIDER_AUTH"
    assert "--full" in stage.operator.store.get("latest")["steps"][0]["action"]
    if way == "a day" and kind == CARBON_EXPORT:
        stage.site.restate(3)  # the export tells of a change by itself: only another content releases it
    stage.at += timedelta(hours=24) if way == "a day" else timedelta(minutes=1)
    settings = {"page_size": 2} if kind != CARBON_EXPORT else {"settle_minutes": 30}
    assert stage.run(settings if way == "settings" else None, full=way == "full") == [(MONTH, "committed", "")]
    assert stage.operator.store.holds() == {}


@pytest.mark.parametrize("kind", REPORTS)
def test_what_fails_in_passing_is_asked_again_by_the_next_run(stage_of: Callable[..., Stage], kind: str) -> None:
    """A server that hears nothing costs three tries within the door's own time-outs, and is no hold."""
    stage = stage_of(kind, HASTY)
    stage.site.break_it(Row(lambda _: Blackhole(), None, "transient", 3))
    [(_, status, found)] = stage.run()
    assert (status, found) == ("failed", "transient")
    assert stage.operator.store.holds() == {}
    stage.site.mend()
    assert stage.run() == [(MONTH, "committed", "")]
    assert stage.run() == [(MONTH, "unchanged", "")]


def test_an_unreadable_month_is_held_until_it_is_written_anew(tmp_path: Path) -> None:
    """An export's month with an unknown unit costs no second read until its ETags change; its neighbour goes on."""
    with FakeBucket(Dialect.S3) as bucket:
        export = CarbonExport(bucket)
        operator = Operator(tmp_path, now=lambda: datetime(2025, 9, 1, tzinfo=UTC))

        def run() -> list[tuple[str, str]]:
            report = operator.run({"report": export.settings()})
            steps = operator.store.get(report.run_id)["steps"]
            return [(step["billing_period"], step["status"]) for step in steps]

        def reads() -> int:
            return bucket.count(bucket.path_of(export.key_of("2025-06")))

        export.publish(MONTH, ["0.1"])
        export.publish("2025-06", ["a lot"])
        assert run() == [(MONTH, "committed"), ("2025-06", "failed")]
        before = reads()
        assert run() == [(MONTH, "unchanged"), ("2025-06", "held")]
        assert reads() == before
        export.publish("2025-06", ["0.2"])
        assert run() == [(MONTH, "unchanged"), ("2025-06", "committed")]


def test_a_denied_subscription_holds_nothing(tmp_path: Path) -> None:
    """One of two subscriptions is denied month after month: the other's figures go on being brought."""
    with FakeCloud(Dialect.AZURE) as cloud:
        api = AzureApi(cloud, denied=("sub-2",))
        operator = Operator(tmp_path, connect_in_the_clear)
        sources = {"report": {**api.settings(), "subscriptions": ["sub-1", "sub-2"]}}
        for lines, expected in ((1, "committed"), (1, "unchanged"), (2, "committed")):
            api.publish(MONTH, lines)
            done, denied = operator.run(sources).result.periods
            assert (done.status, denied.status) == (expected, "failed")
            assert denied.error is not None
            assert (denied.error.code, denied.error.retry_class) == ("REPORT_DENIED", "auth")
        assert operator.store.holds() == {}


def test_a_run_tells_of_a_reports_delivery_as_of_a_bills(stage_of: Callable[..., Stage]) -> None:
    """There is a span of the delivery around the calls of a report."""
    stage = stage_of(CARBON_API)
    stage.run()
    started = [event for event in stage.heard if isinstance(event, Started)]
    assert [event.kind for event in started][:1] == [SpanKind.DELIVERY]
    assert started[0].attributes["source"] == "report"


def test_reports_are_fresh_and_stale_by_a_limit_of_their_own(tmp_path: Path) -> None:
    """The lag of a report is since its last new content, its newest period a month; stale is 40 days, not three."""
    made = datetime(2025, 8, 20, tzinfo=UTC)
    with FakeBigQuery(PROJECT) as server:
        server.create(TABLE, SCHEMA, [line("2025-06", 0), line("2025-07", 1)])
        table = {"type": GCP_CARBON, "table": TABLE, "endpoint_url": server.url, "anonymous": True}
        operator = Operator(tmp_path, now=lambda: made)
        operator.run({"report": table})
        reports = list(Ledger.open(operator.uri).reported.head().reports.values())
    committed = max(report.committed_at for report in reports)

    def after(days: int) -> list[Any]:
        now = committed + timedelta(days=days)
        return freshness_of(["report", "new"], [], operator.store.checks(), now, reports)

    [found, new] = after(39)
    assert (found.newest_period, found.lag_hours, found.checked_at) == ("2025-07", 39 * 24, made)
    assert (found.is_report, new.lag_hours, new.newest_period) == (True, None, None)
    assert list(stale(after(39), AlertSettings())) == []
    [alert] = stale(after(41), AlertSettings())
    assert (alert.source, "960 hours" in alert.sentence) == ("report", True)


def test_a_run_with_yearly_water_ends_well_and_tells_its_lag(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A year of water is no month to compare with the one before: the run ends ok, and the gauge has the source."""
    heard: list[Event] = []
    monkeypatch.chdir(tmp_path)
    water = {
        "TimePeriod": {"Start": "2025-01-01T00:00:00Z", "End": "2026-01-01T00:00:00Z"},
        "DimensionsValues": {"REGION": "us-east-1", "SERVICE": "s0", "USAGE_ACCOUNT_ID": "222"},
        "ModelVersion": "v1.0.0",
        "AllocationValues": {"TOTAL_WATER_WITHDRAWALS": {"Value": 1.5, "Unit": "m3"}},
    }
    with FakeCloud(Dialect.AWS_JSON) as cloud:
        api = AwsApi(cloud, water=(water,))
        api.publish(MONTH, 1)
        settings = Settings(sources={"report": {**api.settings(), "water": True}})
        errand = Errand(str(tmp_path / "L"), settings, IngestOptions(), listener=heard.append)
        report = run_once(errand)
    assert [(period.billing_period, period.status) for period in report.result.periods] == [
        ("2025", "committed"),
        (MONTH, "committed"),
    ]
    assert [event.source for event in heard if isinstance(event, Lagged)] == ["report"]
