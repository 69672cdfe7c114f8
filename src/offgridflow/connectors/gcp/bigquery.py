"""The connector of billing exports in BigQuery: the grouping runs there, and only its result comes here.

``discover`` asks for the table's version (free) and, only if that is another, for the raw totals of every billing
period: their fingerprints show new and restated months. ``fetch`` asks for the totals of one period again, then for
its grouped rows as of the very same instant, and refuses rows that do not add up to the totals.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from pydantic import Field

from offgridflow.cloud.errors import Failure, NextRunError
from offgridflow.connectors.buckets import Span, Surroundings, tried
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import (
    CheckReport,
    CheckStep,
    Declaration,
    Delivery,
    Found,
    Permission,
    RefusedDelivery,
    RemoteKind,
    RemotePart,
    is_final,
)
from offgridflow.connectors.gcp.bigquery_client import (
    DATA_ROLE,
    JOB_ROLE,
    PROVIDER,
    Parameter,
    Query,
    Row,
    Warehouse,
    client_maker,
)
from offgridflow.connectors.gcp.bigquery_part import Sum, write_part
from offgridflow.connectors.gcp.bigquery_sql import (
    GrainPeriod,
    Shape,
    TableFacts,
    TableName,
    rows_sql,
    template_texts,
    totals_sql,
)
from offgridflow.connectors.gcp.bigquery_totals import Memory, PeriodTotal, totals_of
from offgridflow.connectors.model import Compression, FileKind, FilePart
from offgridflow.connectors.registry import Kind
from offgridflow.domain.errors import ConservationError, InputError
from offgridflow.domain.identity import digest_of
from offgridflow.domain.periods import Month
from offgridflow.settings import Strict

FORMAT: Final = "gcp_billing_activities"
_FOLDER: Final = "bigquery"
_GIB: Final = 2**30
_CHANGED: Final = "CHANGED_UNDER_WAY"

PERMISSIONS: Final = (
    Permission(DATA_ROLE, "on the table or its dataset: reads the schema and the lines"),
    Permission(JOB_ROLE, "on the project that pays for the queries: starts them"),
)


class BigQuerySettings(Strict):
    """Where the export lies, who pays, how much one query may read, and how finely rows are kept apart.

    ``project`` pays for the queries (default: the table's). Without ``anonymous``: Application Default Credentials.
    ``grain``, ``resources`` and ``labels`` must be at least as fine as the pipeline's grain.
    """

    type: str
    table: str
    project: str | None = None
    location: str | None = None
    maximum_bytes_billed: int = Field(default=200 * _GIB, ge=10 * 2**20)
    page_size: int = Field(default=10_000, ge=1, le=100_000)
    grain: GrainPeriod = "day"
    resources: bool = True
    labels: tuple[str, ...] = ()
    endpoint_url: str | None = None
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class BigQueryConnector:
    """One export table. See Connector."""

    declaration: Declaration
    source: str
    name: TableName
    settings: BigQuerySettings
    warehouse: Warehouse
    cache: Cache

    def discover(self, since: Month | None = None, until: Month | None = None) -> Iterator[Found]:
        """See Connector. A table that did not change since the last time is asked for its version only."""
        facts = self.warehouse.table(self.name)
        span = Span(since, until)
        for total in self._totals(facts):
            if span.holds(total.period):
                yield self._found(total)

    def fetch(self, delivery: Delivery, cache: Cache) -> tuple[FilePart, ...]:
        """See Connector. Raises ConservationError where the rows do not add up to the raw totals."""
        path = cache.path_of(self.source, delivery.parts[0])
        if path.exists():
            os.utime(path)  # sweep goes by the time of last use
        else:
            self._bring(delivery, path)
        name = f"bigquery://{delivery.parts[0].key}"
        return (FilePart(path, name, FileKind.CSV, Compression.GZIP),)

    def check(self) -> CheckReport:
        """Try to read the table's schema, to start a query, and to read the table; nothing is read or billed."""
        facts: list[TableFacts] = []
        steps: list[CheckStep] = []
        attempts: tuple[Callable[[], CheckStep], ...] = (
            lambda: self._check_table(facts),
            self._check_jobs,
            lambda: self._check_read(facts[0]),
        )
        for attempt in attempts:
            steps.append(attempt())
            if not steps[-1].ok:
                break
        return CheckReport(self.source, tuple(steps))

    def _totals(self, facts: TableFacts) -> tuple[PeriodTotal, ...]:
        texts = [str(self.name), *template_texts()]
        memory = Memory(self.cache.folder / _FOLDER / f"{digest_of(texts)}.json")
        known = memory.recall(facts.version)
        if known is not None:
            return known
        rows = self._ask(totals_query(facts, None))
        totals = _read_totals(rows, self.name)
        memory.keep(facts.version, rows)
        return totals

    def _ask(self, query: Query) -> list[Row]:
        return [row for page in self.warehouse.rows(query, self.settings.page_size) for row in page]

    def _found(self, total: PeriodTotal) -> Found:
        key = f"{self.name}/{total.period}"
        if total.unreadable:
            sentence = f"{key}: {total.unreadable} lines have no currency, or a cost that is no number."
            error = InputError(sentence, action="Ask Google for a corrected export of the month.", code="UNREADABLE")
            return RefusedDelivery(self.source, total.period, key, error)
        submitted = total.last_export or total.taken_at
        return Delivery(
            source=self.source,
            provider=PROVIDER,
            billing_period=total.period,
            fingerprint=total.fingerprint,
            parts=(RemotePart(key, 0, self._revision(total.fingerprint), kind=RemoteKind.CSV),),
            format_hint=FORMAT,
            final=is_final(total.period, submitted),
            manifest_key=None,
            submitted_at=submitted,
        )

    def _shape(self) -> Shape:
        return Shape(self.settings.grain, self.settings.resources)

    def _revision(self, fingerprint: str) -> str:
        """Return what a part is kept by: lines that changed, another shape or another query make another part."""
        settings = self.settings
        shape = [settings.grain, settings.resources, sorted(settings.labels)]
        return digest_of([fingerprint, shape, *template_texts()])

    def _bring(self, delivery: Delivery, path: Path) -> None:
        facts = self.warehouse.table(self.name)
        month = delivery.billing_period
        totals = _read_totals(self._ask(totals_query(facts, month)), self.name)
        if not totals or totals[0].fingerprint != delivery.fingerprint:
            raise _changed()
        query = rows_query(facts, totals[0], self._shape(), self.settings.labels)
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(f".{uuid4().hex}")
        try:
            sums = write_part(fresh, month, self.warehouse.rows(query, self.settings.page_size))
            _compare(delivery.parts[0].key, totals[0], sums, is_table=facts.is_table)
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)

    def _check_table(self, facts: list[TableFacts]) -> CheckStep:
        def look() -> str:
            facts.append(self.warehouse.table(self.name))
            return f"{self.name} holds {facts[0].kind} lines"

        return tried("table", f"{DATA_ROLE} on {self.name}", look)

    def _check_jobs(self) -> CheckStep:
        def start() -> str:
            self.warehouse.dry_run(Query("nothing", "SELECT 1"))
            return f"queries can be started in {self.warehouse.project}"

        return tried("jobs", f"{JOB_ROLE} on the project {self.warehouse.project}", start)

    def _check_read(self, facts: TableFacts) -> CheckStep:
        """Say what the queries would read: of a period at most, for pruning by partition only makes it less."""
        sizes: list[int] = []

        def plan() -> str:
            some = PeriodTotal(Month(2000, 1), (), None, None, Month(2000, 1).start)
            queries = totals_query(facts, None), rows_query(facts, some, self._shape(), self.settings.labels)
            sizes.extend(self.warehouse.dry_run(query) for query in queries)
            return (
                f"reads {_gib(sizes[0])} when the table changed, and at most {_gib(sizes[1])} more for each changed "
                f"billing period; {_gib(self.settings.maximum_bytes_billed)} are allowed per query"
            )

        step = tried("read", f"{DATA_ROLE} on {self.name}", plan)
        if step.ok and max(sizes) > self.settings.maximum_bytes_billed:
            return CheckStep("read", ok=False, detail=f"{step.detail}. Raise maximum_bytes_billed.")
        return step


def totals_query(facts: TableFacts, month: Month | None) -> Query:
    """Return the raw totals of one billing period, or of all."""
    return Query("totals", totals_sql(facts), {"invoice_month": None if month is None else _plain(month)})


def rows_query(facts: TableFacts, total: PeriodTotal, shape: Shape, labels: Sequence[str]) -> Query:
    """Return the grouped rows of a period as of the instant of its totals."""
    pruned = total.partitions is not None and facts.partition is not None
    parameters: dict[str, Parameter] = {"invoice_month": _plain(total.period)}
    parameters["label_keys"] = tuple(sorted(labels))
    if pruned and total.partitions is not None:
        parameters["partition_first"], parameters["partition_last"] = total.partitions
    return Query("rows", rows_sql(facts, shape, total.taken_at, pruned=pruned), parameters)


def _plain(month: Month) -> str:
    return f"{month.year:04d}{month.month:02d}"


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / _GIB:.2f} GiB"


def _read_totals(rows: Sequence[Row], name: TableName) -> tuple[PeriodTotal, ...]:
    try:
        return totals_of(rows)
    except (TypeError, ValueError) as error:
        sentence = f"{name} holds lines without a billing period."
        raise InputError(sentence, action="Ask Google for a corrected export.", code="NO_PERIOD") from error


def _changed() -> NextRunError:
    return NextRunError(Failure(PROVIDER, "bigquery rows", code=_CHANGED))


def _compare(key: str, total: PeriodTotal, sums: Mapping[str | None, Sum], *, is_table: bool) -> None:
    """Raise unless lines and money of the rows are those of the totals; a view may have changed between the two."""
    wanted = {each.currency: Sum(each.line_items, each.money) for each in total.currencies}
    if wanted == dict(sums):
        return
    if not is_table:
        raise _changed()
    differing = next(currency for currency in {**wanted, **sums} if wanted.get(currency) != sums.get(currency))
    raw, got = wanted.get(differing, Sum()), sums.get(differing, Sum())
    sentence = (
        f"{key} {differing or 'no currency'}: the table holds {raw.line_items} lines and {raw.money} in money, its "
        f"grouped rows hold {got.line_items} lines and {got.money}."
    )
    raise ConservationError(sentence, action="Nothing was kept; report it with the table's schema.")


def _connector(settings: BigQuerySettings, around: Surroundings) -> BigQueryConnector:
    name = TableName.parse(settings.table)
    project = settings.project or name.project
    maker = client_maker(project, settings.location, settings.endpoint_url, anonymous=settings.anonymous)
    return BigQueryConnector(
        declaration=_DECLARATION,
        source=around.source,
        name=name,
        settings=settings,
        warehouse=Warehouse(maker, around.door, project, settings.maximum_bytes_billed, location=settings.location),
        cache=around.cache,
    )


_DECLARATION: Final = Declaration(
    "bigquery_export",
    "Google Cloud billing export or FOCUS in BigQuery",
    PROVIDER,
    BigQuerySettings,
    ("bigquery",),
    PERMISSIONS,
)

BIGQUERY_EXPORT: Final = Kind(_DECLARATION, _connector)
