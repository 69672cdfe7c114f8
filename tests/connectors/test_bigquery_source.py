"""BigQuery as the small server serves it, through the official client: found, fetched, restated, refused."""

import csv
import gzip
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import Credentials
from google.auth.exceptions import RefreshError
from google.cloud import bigquery

from offgridflow.cloud.door import Door, Rules
from offgridflow.cloud.errors import (
    AuthError,
    BadRequestError,
    ClassifiedError,
    FatalError,
    NextRunError,
    NotFoundError,
    TransientError,
)
from offgridflow.cloud.events import Called, Event, Retried
from offgridflow.cloud.pace import Limiters
from offgridflow.cloud.pages import PAGE_LOOP
from offgridflow.connectors.buckets import Surroundings
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import Connector, Delivery, RefusedDelivery
from offgridflow.connectors.gcp.bigquery import BIGQUERY_EXPORT, BigQuerySettings
from offgridflow.connectors.gcp.bigquery_client import DATA_ROLE, JOB_ROLE, Patience, Query, Warehouse
from offgridflow.domain.errors import ConservationError, InputError
from offgridflow.domain.periods import Month
from offgridflow.testing import Answer, Corrupt, Cut, Dialect, Reset, Seen, SimulatedTime, throttled
from offgridflow.testing.bigquery import FakeBigQuery
from support.bigquery_bill import PROJECT, SCHEMA, TABLE, credit, line

JANUARY, FEBRUARY = Month(2025, 1), Month(2025, 2)
BILL = [
    line(),
    line(usage_start_time="2025-01-05T11:00:00Z", credits=[credit(-0.02), credit(-0.01, "PROMOTION")]),
    line(cost=0.1),
    line(cost=20.0, cost_type="tax", usage=None, resource=None),
    line(cost=-0.01, cost_type="rounding_error", usage=None, resource=None, currency="EUR"),
    line(usage_start_time="2025-02-03T00:00:00Z", export_time="2025-02-03T09:00:00Z", invoice={"month": "202502"}),
]


@dataclass
class Site:
    """The server, a door whose waits take no time, and where things are kept."""

    server: FakeBigQuery
    folder: Path
    heard: list[Event] = field(default_factory=list)
    time: SimulatedTime = field(default_factory=SimulatedTime)

    def connect(self, **settings: Any) -> Connector:  # noqa: ANN401 - settings of any type
        """Return a new connector, as a new run has it."""
        table = {"type": "bigquery_export", "table": TABLE, "endpoint_url": self.server.url, "anonymous": True}
        parsed = BigQuerySettings.model_validate({**table, **settings})
        return BIGQUERY_EXPORT.make(parsed, Surroundings("acme", self.door(), self.cache()))

    def door(self) -> Door:
        """Return a door with quotas of its own."""
        limiters = Limiters(clock=self.time.clock)
        return Door(Rules(limiters, world=self.time.world()), listener=self.heard.append)

    def cache(self) -> Cache:
        """Return the cache, which all runs share."""
        return Cache(self.folder / "cache")

    def calls(self) -> list[str]:
        """Return what was asked, and what became of it."""
        return [f"{event.operation} {event.outcome}" for event in self.heard if isinstance(event, Called)]

    def retries(self) -> int:
        """Return how often something was tried again."""
        return sum(isinstance(event, Retried) for event in self.heard)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Return a server with the bill."""
    with FakeBigQuery(PROJECT) as server:
        server.create(TABLE, SCHEMA, BILL)
        yield Site(server, tmp_path)


def deliveries(source: Connector, *span: Month) -> list[Delivery]:
    found = list(source.discover(*span))
    assert all(isinstance(each, Delivery) for each in found), found
    return [each for each in found if isinstance(each, Delivery)]


def rows_of(site: Site, source: Connector, delivery: Delivery) -> list[dict[str, str]]:
    (part,) = source.fetch(delivery, site.cache())
    return list(csv.DictReader(io.StringIO(gzip.decompress(part.path.read_bytes()).decode())))


def kept(site: Site) -> list[Path]:
    """Return the parts in the cache, whole or half."""
    return [path for path in site.folder.rglob("*") if path.is_file() and path.suffix != ".json"]


def test_months_are_found_with_what_is_known_of_them(site: Site) -> None:
    """Every invoice month is one delivery, oldest first, dated by its newest line; a span leaves others out."""
    january, february = deliveries(site.connect())
    assert [january.billing_period, february.billing_period] == [JANUARY, FEBRUARY]
    assert january.submitted_at == datetime(2025, 1, 5, 14, tzinfo=UTC)
    assert (january.provider, january.format_hint, january.final) == ("gcp", "gcp_billing_activities", False)
    assert [each.billing_period for each in deliveries(site.connect(), FEBRUARY)] == [FEBRUARY]


def test_rows_are_grouped_and_add_up_to_the_raw_lines(site: Site) -> None:
    """Lines, money and currencies of the part are those of the table; credits stand apart and hold no line."""
    source = site.connect()
    rows = rows_of(site, source, deliveries(source)[0])
    assert sum(int(row["line_items"]) for row in rows) == 5
    by_class = {row["charge_class"]: row for row in rows}
    assert set(by_class) == {"usage", "credit", "tax", "rounding"}
    usage = by_class["usage"]
    assert (usage["line_items"], Decimal(usage["billed_cost"])) == ("3", Decimal("0.352888"))
    assert Decimal(usage["effective_cost"]) == Decimal("0.322888")
    assert Decimal(usage["consumed_quantity"]) == 3 * 14400
    assert (by_class["credit"]["line_items"], Decimal(by_class["credit"]["billed_cost"])) == ("0", Decimal("-0.03"))
    assert Decimal(by_class["tax"]["billed_cost"]) == 20
    assert (by_class["rounding"]["currency"], by_class["tax"]["consumed_quantity"]) == ("EUR", "")


def test_a_second_identical_run_sends_no_query(site: Site) -> None:
    """The table's version alone is asked for, and the part comes from the cache."""
    first = site.connect()
    before = [(each, rows_of(site, first, each)) for each in deliveries(first)]
    site.heard.clear()
    queries = len(site.server.queries)
    second = site.connect()
    assert [(each, rows_of(site, second, each)) for each in deliveries(second)] == before
    assert site.calls() == ["tables.get ok"]
    assert len(site.server.queries) == queries


def test_a_restated_month_is_found_and_the_other_is_as_it_was(site: Site) -> None:
    """New lines, another cost, or lines that were exported anew change the fingerprint of their own month only."""
    january, february = deliveries(site.connect())
    changes = (
        [*BILL, line()],
        [line(cost=0.2), *BILL[1:]],
        [line(export_time="2025-01-05T13:00:00Z"), *BILL[1:]],
        BILL[1:],
    )
    seen = {january.fingerprint}
    for rows in changes:
        site.server.restate(TABLE, rows)
        source = site.connect()
        again, other = deliveries(source)
        assert again.fingerprint not in seen
        assert other.fingerprint == february.fingerprint
        assert sum(int(row["line_items"]) for row in rows_of(site, source, again)) == len(rows) - 1
        seen.add(again.fingerprint)


def test_equal_lines_in_another_order_are_no_restatement(site: Site) -> None:
    """A table that was written anew with the same lines has another version and the same fingerprints."""
    before = [each.fingerprint for each in deliveries(site.connect())]
    site.server.restate(TABLE, BILL[::-1])
    queries = len(site.server.queries)
    assert [each.fingerprint for each in deliveries(site.connect())] == before
    assert len(site.server.queries) == queries + 1


def test_rows_are_read_as_of_the_instant_of_the_totals(site: Site) -> None:
    """A table that is restated between totals and rows gives the rows that the totals are of."""
    source = site.connect()
    january = deliveries(source)[0]
    # the second query is the totals of the month; when its result is read, the table changes
    site.server.when_read[2] = lambda: site.server.restate(TABLE, [line(cost=999.0)])
    rows = rows_of(site, source, january)
    assert sum(int(row["line_items"]) for row in rows) == 5
    assert "FOR SYSTEM_TIME AS OF TIMESTAMP '" in site.server.queries[-1]


def test_a_month_that_changed_since_it_was_found_is_left_to_the_next_run(site: Site) -> None:
    """Another fingerprint than the delivery's ends the fetch before the rows are paid for, and nothing is kept."""
    source = site.connect()
    january = deliveries(source)[0]
    site.server.restate(TABLE, [*BILL, line()])
    queries = len(site.server.queries)
    with pytest.raises(NextRunError) as caught:
        source.fetch(january, site.cache())
    assert caught.value.code == "CHANGED_UNDER_WAY"
    assert len(site.server.queries) == queries + 1
    assert kept(site) == []


def test_rows_that_do_not_add_up_are_refused(site: Site) -> None:
    """A result that lost a page's rows differs from the independent totals: nothing is kept."""
    source = site.connect(page_size=2)
    january = deliveries(source)[0]
    site.server.lose[3] = 1
    with pytest.raises(ConservationError, match=r"2025-01"):
        source.fetch(january, site.cache())
    assert kept(site) == []


def test_pages_give_what_one_page_gives(site: Site) -> None:
    """The size of pages changes nothing; every page is one request."""
    whole = site.connect()
    expected = rows_of(site, whole, deliveries(whole)[0])
    paged = site.connect(page_size=1)
    other = Site(site.server, site.folder / "other", heard=site.heard)
    site.heard.clear()
    (part,) = paged.fetch(deliveries(paged)[0], other.cache())
    rows = list(csv.DictReader(io.StringIO(gzip.decompress(part.path.read_bytes()).decode())))
    assert sorted(map(str, rows)) == sorted(map(str, expected))
    assert site.calls().count("tabledata.list ok") == 2 + 3  # two currencies of totals, three groups


def test_a_repeated_page_token_is_a_loop(site: Site) -> None:
    """A token that was seen before ends the walk as fatal after finitely many calls."""
    source = site.connect(page_size=1)
    january = deliveries(source)[0]
    site.server.stuck = True
    site.heard.clear()
    with pytest.raises(FatalError) as caught:
        source.fetch(january, site.cache())
    assert caught.value.failure.code == PAGE_LOOP
    assert site.calls().count("tabledata.list ok") == 2 + 2  # two pages of totals, then the loop
    assert kept(site) == []


PASSING = [
    throttled(Dialect.GOOGLE),
    throttled(Dialect.GOOGLE, "7"),
    Answer(429, "rateLimitExceeded"),
    Answer(500, "backendError"),
    Answer(502, "badGateway"),
    Answer(503, "backendError"),
    Reset(),
    Cut(after_bytes=20),
]


@pytest.mark.parametrize("skip", range(5))
@pytest.mark.parametrize("fault", PASSING, ids=repr)
def test_what_passes_is_tried_again_and_the_figures_are_right(site: Site, fault: Any, skip: int) -> None:  # noqa: ANN401
    """Throttling, 5xx that Google calls retryable, resets and cut answers at any request cost one more request."""
    site.server.cloud.inject(fault, skip=skip)
    source = site.connect()
    rows = rows_of(site, source, deliveries(source)[0])
    assert sum(int(row["line_items"]) for row in rows) == 5
    assert site.retries() == 1


@pytest.mark.parametrize("at_byte", [0, 30, 300, 900])
def test_a_corrupt_page_is_never_kept_with_other_money(site: Site, at_byte: int) -> None:
    """A flipped byte ends as a provider's error or is tried again; lines and money that came through are whole."""
    source = site.connect()
    january = deliveries(source)[0]
    site.server.cloud.inject(Corrupt(at_byte), path=site.server.data_path(3))
    try:
        rows = rows_of(site, source, january)
    except (ClassifiedError, ConservationError):
        assert kept(site) == []
    else:
        assert sum(int(row["line_items"]) for row in rows) == 5
        assert sum(Decimal(row["billed_cost"]) for row in rows) == Decimal("20.312888")
    again = rows_of(site, site.connect(), january)
    assert sum(int(row["line_items"]) for row in again) == 5


def test_a_cell_that_cannot_be_read_is_asked_for_again(site: Site) -> None:
    """An amount with a broken digit is no amount: the page is fetched once more, and nothing is lost."""
    source = site.connect()
    january = deliveries(source)[0]
    rows_of(site, source, january)
    body = site.server.cloud.reply(Seen("GET", site.server.data_path(3), {}, {})).body
    other = Cache(site.folder / "other")
    site.server.cloud.inject(Corrupt(body.index(b"0.352888")), path=site.server.data_path(5))
    (part,) = source.fetch(january, other)
    assert part.path.stat().st_size > 0
    assert site.retries() == 1


def test_the_wish_to_wait_is_granted(site: Site) -> None:
    """``Retry-After`` of seven seconds is waited for before the next attempt."""
    site.server.cloud.inject(throttled(Dialect.GOOGLE, "7"))
    deliveries(site.connect())
    assert max(site.time.waits) == 7


def test_a_lost_answer_does_not_start_the_query_twice(site: Site) -> None:
    """A job whose answer was cut is found again by its id; it ran, and is paid for, once."""
    site.server.cloud.inject(Cut(after_bytes=10), path=f"/bigquery/v2/projects/{PROJECT}/jobs")
    assert len(deliveries(site.connect())) == 2
    assert len(site.server.queries) == 1


def test_an_outage_ends_with_the_third_attempt(site: Site) -> None:
    """A request that never succeeds is sent three times."""
    site.server.cloud.inject(Answer(503, "backendError"), times=None)
    with pytest.raises(TransientError):
        list(site.connect().discover())
    assert site.server.cloud.count() == 3


def test_a_quota_over_hours_waits_for_the_next_run(site: Site) -> None:
    """``quotaExceeded`` is not retried within the run."""
    site.server.cloud.inject(Answer(403, "quotaExceeded"), times=None)
    with pytest.raises(NextRunError):
        list(site.connect().discover())
    assert site.server.cloud.count() == 1


@pytest.mark.parametrize(("skip", "role"), [(0, DATA_ROLE), (1, JOB_ROLE), (3, DATA_ROLE)])
def test_a_refusal_names_the_missing_role(site: Site, skip: int, role: str) -> None:
    """403 accessDenied at the table, the job or the rows says which role to grant, after one call."""
    site.server.cloud.inject(Answer(403, "accessDenied"), times=None, skip=skip)
    with pytest.raises(AuthError, match=role):
        list(site.connect().discover())
    assert site.server.cloud.count() == skip + 1


def test_a_missing_table_is_not_found(site: Site) -> None:
    """404 is its own class, after one call."""
    with pytest.raises(NotFoundError):
        list(site.connect(table=f"{PROJECT}.billing.nothing").discover())
    assert site.server.cloud.count() == 1


@pytest.mark.parametrize("reason", ["backendError", "jobInternalError"])
def test_a_job_that_failed_in_passing_runs_anew(site: Site, reason: str) -> None:
    """A job that ends with a passing reason is replaced by another one, under another id."""
    site.server.job_errors = [reason]
    assert len(deliveries(site.connect())) == 2
    assert site.server.job_errors == []


def test_a_job_that_goes_on_failing_is_given_up(site: Site) -> None:
    """Three jobs that fail are enough for one run."""
    site.server.job_errors = ["backendError"] * 9
    with pytest.raises(TransientError):
        list(site.connect().discover())
    assert len(site.server.job_errors) == 6


def test_no_query_costs_more_than_allowed(site: Site) -> None:
    """A query over ``maximum_bytes_billed`` is refused by BigQuery and says which setting to raise."""
    site.server.create(TABLE, SCHEMA, BILL, size_bytes=2**34)
    with pytest.raises(BadRequestError, match="maximum_bytes_billed") as caught:
        list(site.connect(maximum_bytes_billed=2**30).discover())
    assert caught.value.failure.code == "bytesBilledLimitExceeded"
    assert site.server.queries == []


def test_waiting_for_a_job_is_paced(site: Site, tmp_path: Path) -> None:
    """A job that runs is asked after at growing intervals, not in a busy loop; its rows come in the end."""
    site.server.polls = 8
    pauses: list[float] = []
    client = anonymous_client(site)
    warehouse = Warehouse(lambda: client, site.door(), PROJECT, 2**30, patience=Patience(pauses.append))
    pages = list(warehouse.rows(Query("one", "SELECT 1 AS one"), 10))
    assert [row["one"] for page in pages for row in page] == [1]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 5.0
    assert len(pauses) == 8
    impatient = Warehouse(lambda: client, site.door(), PROJECT, 2**30, patience=Patience(pauses.append, 1.0))
    with pytest.raises(NextRunError) as caught:
        list(impatient.rows(Query("one", "SELECT 1 AS one"), 10))
    assert caught.value.code == "DEADLINE"


def anonymous_client(site: Site, credentials: Any = None) -> bigquery.Client:  # noqa: ANN401 - google-auth is not typed
    options: Any = ClientOptions
    return bigquery.Client(
        project=PROJECT, credentials=credentials or Token(), client_options=options(api_endpoint=site.server.url)
    )


class Token(Credentials):
    """A token that can be refreshed so many times."""

    def __init__(self, refreshes: int = 0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.token = f"refreshable-{refreshes}"
        self.left = refreshes

    def refresh(self, request: object) -> None:  # noqa: ARG002 - google-auth calls it so
        """Take a new token, or fail as a revoked grant does."""
        if self.left == 0:
            message = "revoked"
            raise RefreshError(message)  # type: ignore[no-untyped-call]
        self.left -= 1
        self.token = f"refreshed-{self.left}"


def page_rows(site: Site, credentials: Token) -> int:
    client = anonymous_client(site, credentials)
    warehouse = Warehouse(lambda: client, site.door(), PROJECT, 2**30)
    query = Query("many", f"SELECT cost FROM `{TABLE}` FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()")
    return sum(len(page) for page in warehouse.rows(query, 2))


def test_a_token_that_expires_between_pages_is_refreshed(site: Site) -> None:
    """401 in mid-page lets the SDK fetch a new token; no row is lost or read twice."""
    site.server.cloud.inject(Answer(401, "authError"), path=site.server.data_path(1), skip=1)
    assert page_rows(site, Token(refreshes=1)) == len(BILL)
    tokens = {seen.headers["authorization"] for seen in site.server.cloud.requests if seen.path.endswith("/data")}
    assert len(tokens) == 2


def test_a_token_that_cannot_be_refreshed_is_a_matter_of_credentials(site: Site) -> None:
    """A revoked grant in mid-page is AuthError, and is not retried."""
    site.server.cloud.inject(Answer(401, "authError"), path=site.server.data_path(1), skip=1, times=None)
    with pytest.raises(AuthError):
        page_rows(site, Token())
    assert site.retries() == 0


def test_lines_without_a_readable_cost_refuse_their_month_alone(site: Site) -> None:
    """A cost that is no number cannot be added: the month is refused with the count, the other one is found."""
    site.server.restate(TABLE, [*BILL, line(cost=None)])
    refused, found = site.connect().discover()
    assert isinstance(refused, RefusedDelivery)
    assert (refused.billing_period, refused.error.code) == (JANUARY, "UNREADABLE")
    assert "1 lines" in refused.error.sentence
    assert isinstance(found, Delivery)


def test_check_tells_size_and_cap_without_a_query(site: Site) -> None:
    """All steps pass; what would be read is said, and nothing is read."""
    site.server.create(TABLE, SCHEMA, BILL, size_bytes=3 * 2**30)
    report = site.connect().check()
    assert [step.name for step in report.steps if step.ok] == ["table", "jobs", "read"]
    assert "3.00 GiB" in report.steps[-1].detail
    assert site.server.queries == []
    capped = site.connect(maximum_bytes_billed=2**30).check()
    assert not capped.ok
    assert "maximum_bytes_billed" in capped.steps[-1].detail


@pytest.mark.parametrize(
    ("skip", "step", "role"), [(0, "table", DATA_ROLE), (1, "jobs", JOB_ROLE), (2, "read", DATA_ROLE)]
)
def test_check_names_the_role_for_each_step(site: Site, skip: int, step: str, role: str) -> None:
    """The first refused step ends the check and names one role."""
    site.server.cloud.inject(Answer(403, "accessDenied"), times=None, skip=skip)
    report = site.connect().check()
    assert [each.name for each in report.steps if not each.ok] == [step]
    assert (report.steps[-1].missing or "").startswith(role)


def test_a_foreign_table_is_refused(site: Site) -> None:
    """A table that is no export is refused before a query is paid for."""
    name = f"{PROJECT}.billing.other"
    site.server.create(name, [{"name": "a", "type": "STRING"}], [{"a": "x"}])
    with pytest.raises(InputError) as caught:
        list(site.connect(table=name).discover())
    assert caught.value.code == "UNKNOWN_FORMAT"
    assert site.server.queries == []
