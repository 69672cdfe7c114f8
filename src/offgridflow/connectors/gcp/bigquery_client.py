"""BigQuery through the official client and our door: one request per call, the SDK's own retries off.

A query is ``jobs.insert`` under an id of our own (so that an answer that got lost does not run, and cost, twice), then
``jobs.get`` until it is done, then ``tabledata.list`` over its result, page by page.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import uuid4

from offgridflow.cloud.door import DEADLINE, Door
from offgridflow.cloud.errors import AuthError, BadRequestError, Failure, NextRunError, TransientError, error_of
from offgridflow.cloud.pages import Page, Walk, by_cursor
from offgridflow.connectors.delivery import missing_extra
from offgridflow.connectors.gcp.bigquery_sql import TableFacts, TableName

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, QueryJob, QueryJobConfig, SchemaField, Table

T = TypeVar("T")
Row = Mapping[str, Any]
Parameter = str | datetime | tuple[str, ...] | None

PROVIDER: Final = "gcp"
DATA_ROLE: Final = "roles/bigquery.dataViewer"
JOB_ROLE: Final = "roles/bigquery.jobUser"

_ENDPOINT: Final = "bigquery"
_FORBIDDEN: Final = 403
_POLLS_SECONDS: Final = (0.2, 0.5, 1.0, 2.0, 5.0)
_RESTARTS: Final = 2
_NO_RETRY: Final[Any] = None
"""Switches the SDK's own retries off; ours is the only layer."""
_DONE: Final = "DONE"
_UNREADABLE: Final = "UNREADABLE_ANSWER"
_COST_CAP: Final = "bytesBilledLimitExceeded"


@dataclass(frozen=True, slots=True)
class Query:
    """A query with its bound parameters: text, instants, lists of text; None is a NULL of type STRING."""

    name: str
    sql: str
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Patience:
    """How to wait for a job: ``wait(seconds)`` sleeps; ``deadline_seconds`` is the most that one job may take."""

    wait: Callable[[float], object] = field(default_factory=lambda: threading.Event().wait)
    deadline_seconds: float = 3600.0


class Warehouse:
    """What is needed of BigQuery.

    Args:
        make_client: makes the client, on first use and inside a call, for looking for credentials may ask a server.
        door: all requests go through it.
        project: pays for the queries.
        max_bytes: no query may be billed for more.
        patience: how to wait.
        job_id: gives a new id for a job.

    """

    def __init__(
        self,
        make_client: Callable[[], "Client"],
        door: Door,
        project: str,
        max_bytes: int,
        *,
        location: str | None = None,
        patience: Patience | None = None,
        job_id: Callable[[], str] = lambda: f"offgridflow-{uuid4().hex}",
    ) -> None:
        self._make_client = make_client
        self._made: Client | None = None
        self._door = door
        self._project = project
        self._max_bytes = max_bytes
        self._location = location
        self._patience = patience or Patience()
        self._job_id = job_id

    @property
    def project(self) -> str:
        """The project that pays for the queries."""
        return self._project

    @property
    def timeout_seconds(self) -> float:
        """How long one request may wait for its answer."""
        return self._door.timeouts.read_seconds

    def table(self, name: TableName) -> TableFacts:
        """Return what ``tables.get`` says; costs nothing. Raises ClassifiedError."""
        text = str(name)
        table = self._call(
            "tables.get", lambda: self._client().get_table(text, retry=_NO_RETRY, timeout=self.timeout_seconds), text
        )
        return _facts(name, table)

    def dry_run(self, query: Query) -> int:
        """Return how many bytes a query would read; costs nothing. Raises ClassifiedError."""
        job = self._insert(query, dry_run=True)
        return int(job.total_bytes_processed or 0)

    def rows(self, query: Query, page_size: int) -> Iterator[Sequence[Row]]:
        """Run a query and yield pages of its result.

        Raises:
            ClassifiedError: BadRequestError where it would read more than ``max_bytes``; FatalError ``PAGE_LOOP``.

        """
        job = self._finished(query)
        destination: Table = self._call(
            "tables.get",
            lambda: self._client().get_table(job.destination, retry=_NO_RETRY, timeout=self.timeout_seconds),
            "the query's result",
        )

        def fetch(token: str | None) -> Page[Row, str]:
            return self._call("tabledata.list", lambda: self._page(destination, token, page_size), "the query's result")

        walk = Walk(PROVIDER, "tabledata.list", listener=self._door.listener)
        return (page.items for page in by_cursor(walk, fetch))

    def _page(self, destination: "Table", token: str | None, page_size: int) -> Page[Row, str]:
        found = self._client().list_rows(
            destination, page_size=page_size, page_token=token, retry=_NO_RETRY, timeout=self.timeout_seconds
        )
        page = next(found.pages, None)
        try:
            rows = [dict(row.items()) for row in page or ()]
        except (ArithmeticError, LookupError, TypeError, ValueError):
            raise TransientError(Failure(PROVIDER, "tabledata.list", code=_UNREADABLE)) from None
        return Page(rows, found.next_page_token)

    def _finished(self, query: Query) -> "QueryJob":
        """Return the job once it is done; a job that failed for a passing reason is run anew, twice at most."""
        running = _Running(self, query)
        job = self._call(f"jobs.insert {query.name}", running.step, "")
        waited = 0.0
        for poll in range(10**6):
            if job.state == _DONE:
                return job
            pause = _POLLS_SECONDS[min(poll, len(_POLLS_SECONDS) - 1)]
            waited += pause
            if waited > self._patience.deadline_seconds:
                break
            self._patience.wait(pause)
            job = self._call(f"jobs.get {query.name}", running.step, "")
        raise NextRunError(Failure(PROVIDER, f"query {query.name}", code=DEADLINE))

    def _insert(self, query: Query, *, dry_run: bool) -> "QueryJob":
        identity = self._job_id()
        return self._call(f"jobs.insert {query.name}", lambda: self.insert_once(query, identity, dry_run=dry_run), "")

    def insert_once(self, query: Query, identity: str, *, dry_run: bool = False) -> "QueryJob":
        """Make one request that starts a job, or find the job of that id where an earlier request did."""
        from google.api_core.exceptions import Conflict  # noqa: PLC0415 - an extra

        try:
            return self._client().query(
                query.sql,
                job_config=self._config(query, dry_run=dry_run),
                job_id=identity,
                project=self._project,
                location=self._location,
                retry=_NO_RETRY,
                job_retry=None,
                timeout=self.timeout_seconds,
            )
        except Conflict:
            found: Any = self._client().get_job(
                identity, project=self._project, location=self._location, retry=_NO_RETRY, timeout=self.timeout_seconds
            )
            job: QueryJob = found
            return job

    def new_job_id(self) -> str:
        """Return an id for a new job."""
        return self._job_id()

    def _config(self, query: Query, *, dry_run: bool) -> "QueryJobConfig":
        from google.cloud.bigquery import ArrayQueryParameter, QueryJobConfig, ScalarQueryParameter  # noqa: PLC0415

        bound: list[ArrayQueryParameter | ScalarQueryParameter] = []
        for name, value in query.parameters.items():
            if isinstance(value, tuple):
                bound.append(ArrayQueryParameter(name, "STRING", list(value)))
            else:
                kind = "TIMESTAMP" if isinstance(value, datetime) else "STRING"
                bound.append(ScalarQueryParameter(name, kind, value))
        config = QueryJobConfig(
            query_parameters=bound,
            dry_run=dry_run,
            use_query_cache=not dry_run,
            labels={"application": "offgridflow"},
        )
        if not dry_run:
            config.maximum_bytes_billed = self._max_bytes
        return config

    def _client(self) -> "Client":
        if self._made is None:
            self._made = self._make_client()
        return self._made

    def _call(self, operation: str, fn: Callable[[], T], what: str) -> T:
        """Ask through the door; a refusal names the role that is missing."""
        try:
            return self._door.call(PROVIDER, self._project, _ENDPOINT, operation, fn)
        except BadRequestError as error:
            raise (_too_costly(error.failure) if error.failure.code == _COST_CAP else error) from None
        except AuthError as error:
            if error.failure.status != _FORBIDDEN:
                raise
            role = f"{JOB_ROLE} on the project {self._project}, and {DATA_ROLE} on the tables that are read"
            if what:
                role = f"{DATA_ROLE} on {what}"
            raise AuthError(error.failure, action=f"Grant {role}.") from None


class _Running:
    """One query on its way: each step is one request."""

    def __init__(self, warehouse: Warehouse, query: Query) -> None:
        self._warehouse = warehouse
        self._query = query
        self._identity = warehouse.new_job_id()
        self._job: QueryJob | None = None
        self._restarts = 0

    def step(self) -> "QueryJob":
        """Start the job, or ask how it is; raise ClassifiedError where it failed."""
        if self._job is None:
            self._job = self._warehouse.insert_once(self._query, self._identity)
        else:
            self._job.reload(retry=_NO_RETRY, timeout=self._warehouse.timeout_seconds)
        if self._job.state == _DONE and self._job.error_result:
            raise self._failed(self._job)
        return self._job

    def _failed(self, job: "QueryJob") -> Exception:
        reason = (job.error_result or {}).get("reason")
        failure = Failure(PROVIDER, f"query {self._query.name}", code=reason)
        if reason == _COST_CAP:
            return _too_costly(failure)
        error = error_of(failure)
        if isinstance(error, TransientError):
            self._job, self._identity = None, self._warehouse.new_job_id()
            self._restarts += 1
            if self._restarts > _RESTARTS:
                return NextRunError(failure)
        return error


def _too_costly(failure: Failure) -> BadRequestError:
    action = "Raise maximum_bytes_billed of the source; 'offgridflow check' shows how much it reads."
    return BadRequestError(failure, action=action)


def _facts(name: TableName, table: "Table") -> TableFacts:
    columns = dict(_columns(table.schema))
    is_table = table.table_type in (None, "TABLE")
    unstable = not is_table or table.streaming_buffer is not None or table.modified is None
    version = None if unstable else f"{table.modified:%Y-%m-%dT%H:%M:%S.%fZ}/{table.num_rows}/{table.num_bytes}"
    return TableFacts(name, columns, _partition(table, columns), is_table, version)


def _columns(fields: Sequence["SchemaField"], prefix: str = "") -> Iterator[tuple[str, str]]:
    for each in fields:
        name = f"{prefix}{each.name}".lower()
        yield name, each.field_type
        yield from _columns(each.fields, f"{name}.")


def _partition(table: "Table", columns: Mapping[str, str]) -> str | None:
    """Return the column that prunes, if it is an instant: ingestion time has no column and a name of its own."""
    if table.time_partitioning is None:
        return None
    column: str | None = table.time_partitioning.field
    if column is None:
        return "_PARTITIONTIME"
    return column if columns.get(column.lower()) == "TIMESTAMP" else None


def client_maker(project: str, location: str | None, endpoint_url: str | None, *, anonymous: bool) -> Callable[[], Any]:
    """Return what makes a client: with Application Default Credentials, or with none (emulators).

    Raises MissingExtraError without google-cloud-bigquery.
    """
    try:
        from google.api_core.client_options import ClientOptions  # noqa: PLC0415 - an extra, and slow to import
        from google.auth.credentials import AnonymousCredentials  # noqa: PLC0415
        from google.cloud import bigquery  # noqa: PLC0415
    except ImportError as error:
        raise missing_extra(package="google-cloud-bigquery", extra="gcp") from error

    def make() -> bigquery.Client:
        nobody: Any = AnonymousCredentials  # google-auth is not typed
        credentials = nobody() if anonymous else None
        options = ClientOptions(api_endpoint=endpoint_url) if endpoint_url else None
        return bigquery.Client(project=project, credentials=credentials, location=location, client_options=options)

    return make
