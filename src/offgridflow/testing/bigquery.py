"""A small BigQuery on the loopback: jobs, queries, datasets, tables and pages of rows, over a FakeCloud.

It runs the SQL that it is given, in DuckDB after a translation (``to_duckdb``) that knows the constructs OffGridFlow's
own queries use, and no more. It keeps every version of a table, so ``FOR SYSTEM_TIME AS OF`` reads the past. It checks
no grants and bills nothing; faults, refusals and expired tokens are those of ``FakeCloud.inject``. What it cannot prove
about the real service is said in docs/bigquery.md.
"""

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import TracebackType
from typing import Any, Final, Self

import duckdb

from offgridflow.testing.cloud import FakeCloud
from offgridflow.testing.faults import Answer
from offgridflow.testing.messages import Dialect, Reply, Seen, error_reply

Field = Mapping[str, Any]

RESULTS: Final = "_results"
"""The dataset of query results; its tables are r1, r2, ... in the order of the queries."""

_BASE: Final = "/bigquery/v2/projects"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES: Final = {
    "STRING": "VARCHAR", "FLOAT": "DOUBLE", "FLOAT64": "DOUBLE", "INTEGER": "BIGINT", "INT64": "BIGINT",
    "NUMERIC": "DECIMAL(38,9)", "BIGNUMERIC": "DECIMAL(38,15)", "TIMESTAMP": "TIMESTAMPTZ", "DATETIME": "TIMESTAMP",
    "DATE": "DATE", "BOOLEAN": "BOOLEAN",
}  # fmt: skip
_RESULT_TYPES: Final = {
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP", "INTEGER": "INTEGER", "BIGINT": "INTEGER", "HUGEINT": "INTEGER",
    "DOUBLE": "FLOAT",
}  # fmt: skip
_MACROS: Final = (
    "CREATE MACRO FORMAT_TIMESTAMP(style, t, zone := 'UTC') AS strftime(timezone(zone, t), style)",
    "CREATE MACRO FORMAT_DATETIME(style, t) AS strftime(t, style)",
    "CREATE MACRO FORMAT_DATE(style, t) AS strftime(t, style)",
    "CREATE MACRO TO_JSON_STRING(v) AS CAST(to_json(v) AS VARCHAR)",
    "CREATE MACRO UNIX_MICROS(t) AS epoch_us(t)",
    "CREATE MACRO COUNTIF(c) AS count_if(c)",
)
_FROM: Final = re.compile(
    r"`(?P<name>[^`]+)`(?:\s+FOR SYSTEM_TIME AS OF (?:CURRENT_TIMESTAMP\(\)|TIMESTAMP '(?P<instant>[^']+)'))?"
)
_REWRITES: Final = (
    (re.compile(r"([\w.]+) IN UNNEST\((@\w+)\)"), r"list_contains(\2, \1)"),
    (re.compile(r"UNNEST\(([\w.]+)\) AS (\w+)"), r"(SELECT unnest(\1, max_depth := 2)) AS \2"),
    (re.compile(r"TIMESTAMP_TRUNC\((.+?), (HOUR|DAY|MONTH)\)"), r"date_trunc('\2', \1)"),
    (re.compile(r"\bTIMESTAMP\((\w+)\)"), r"(CAST(\1 AS TIMESTAMP) AT TIME ZONE 'UTC')"),
    (re.compile(r"\bSAFE_CAST\b"), "TRY_CAST"),
    (re.compile(r"\bAS STRING\)"), "AS VARCHAR)"),
    (re.compile(r"\bAS BIGNUMERIC\)"), "AS DECIMAL(38,15))"),
    (re.compile(r"\bAS TIMESTAMP\)(?! AT)"), "AS TIMESTAMPTZ)"),
    (re.compile(r"@(\w+)"), r"$\1"),
)


def to_duckdb(sql: str) -> str:
    """Translate GoogleSQL to DuckDB's: casts, truncation, UNNEST of a struct list, parameters. Tables stay as they are.

    >>> to_duckdb("SAFE_CAST(TIMESTAMP_TRUNC(t, DAY) AS STRING) = @day")
    "TRY_CAST(date_trunc('DAY', t) AS VARCHAR) = $day"
    """
    for pattern, replacement in _REWRITES:
        sql = pattern.sub(replacement, sql)
    return sql


@dataclass(slots=True)
class _Table:
    schema: Sequence[Field]
    partition: str | None
    is_view: bool
    size_bytes: int
    versions: list[tuple[datetime, str, int]] = field(default_factory=list)

    def at(self, instant: datetime) -> str:
        """Return the DuckDB table of the newest version that is not younger than ``instant``."""
        return next(name for made, name, _ in reversed(self.versions) if made <= instant)


@dataclass(slots=True)
class _Job:
    resource: dict[str, Any]
    polls_left: int


class FakeBigQuery:
    """BigQuery with tables of yours. Use it as a context manager and point the client's ``api_endpoint`` at ``url``.

    ::

        with FakeBigQuery("acme-billing") as warehouse:
            warehouse.create("acme-billing.billing.export", schema, rows)
            ...  # queries through google-cloud-bigquery
            warehouse.restate("acme-billing.billing.export", other_rows)
            warehouse.cloud.inject(Answer(503, "backendError"))

    ``polls`` is how often a new job says RUNNING before it is done; ``job_errors`` are the reasons with which the next
    jobs fail; ``stuck`` makes every page name the same next token; ``when_read`` and ``lose`` take the number of a
    query (1, 2, ...): what to do when its rows are first read, and how many of its last rows to leave out.
    """

    def __init__(self, project: str) -> None:
        self.project = project
        self.cloud = FakeCloud(Dialect.GOOGLE)
        self.polls = 0
        self.job_errors: list[str] = []
        self.stuck = False
        self.when_read: dict[int, Callable[[], object]] = {}
        self.lose: dict[int, int] = {}
        self.queries: list[str] = []
        self._con = duckdb.connect()
        self._con.execute("SET GLOBAL TimeZone = 'UTC'")
        self._con.execute("SET enable_progress_bar = false")
        for macro in _MACROS:
            self._con.execute(macro)
        self._lock = threading.RLock()
        self._tables: dict[str, _Table] = {}
        self._jobs: dict[str, _Job] = {}
        self._results = 0
        self._stored = 0

    def __enter__(self) -> Self:
        self.cloud.__enter__()
        self.cloud.route("POST", f"{_BASE}/{self.project}/jobs", self._insert)
        self.cloud.route("POST", f"{_BASE}/{self.project}/queries", self._query)
        self.cloud.route("GET", f"{_BASE}/{self.project}/datasets", self._list_datasets)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cloud.__exit__(kind, error, trace)
        self._con.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.cloud.url

    def create(
        self,
        name: str,
        schema: Sequence[Field],
        rows: Sequence[Mapping[str, Any]],
        *,
        partition: str | None = None,
        is_view: bool = False,
        size_bytes: int = 2**20,
    ) -> None:
        """Create ``project.dataset.table`` with fields as in the REST API (name, type, mode, fields) and JSON rows.

        ``partition`` is a TIMESTAMP column, or ``_PARTITIONTIME``, which the rows then hold as well.
        """
        with self._lock:
            self._tables[name] = _Table(schema, partition, is_view, size_bytes)
            self._store(name, rows)
        project, dataset, table = name.split(".")
        root = f"{_BASE}/{project}/datasets/{dataset}"
        self.cloud.route("GET", root, lambda _: Reply.of_json(_dataset(project, dataset)))
        self.cloud.route("GET", f"{root}/tables", lambda _: self._list_tables(project, dataset))
        self.cloud.route("GET", f"{root}/tables/{table}", lambda _: self._get_table(name))

    def restate(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace all rows of a table; queries as of an earlier instant still see those of before."""
        with self._lock:
            self._store(name, rows)

    def data_path(self, result: int) -> str:
        """Return the path of the pages of the result of the n-th query (1, 2, ...), for ``cloud.inject``."""
        return f"{_BASE}/{self.project}/datasets/{RESULTS}/tables/r{result}/data"

    def _store(self, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        table = self._tables[name]
        made = max([datetime.now(tz=UTC), *(at + timedelta(microseconds=1) for at, _, _ in table.versions)])
        columns = list(table.schema)
        if table.partition == "_PARTITIONTIME":
            columns.append({"name": "_PARTITIONTIME", "type": "TIMESTAMP"})
        self._stored += 1
        stored = f"t{self._stored}"
        kind = _struct(columns)
        self._con.execute(
            f"CREATE TABLE {stored} AS SELECT unnest(CAST(CAST(? AS JSON) AS {kind}[]), max_depth := 2)",
            [json.dumps([_whole(columns, row) for row in rows])],
        )
        table.versions.append((made, stored, len(rows)))

    def _get_table(self, name: str) -> Reply:
        table = self._tables[name]
        made, _, count = table.versions[-1]
        project, dataset, plain = name.split(".")
        resource: dict[str, Any] = {
            "kind": "bigquery#table",
            "id": name,
            "tableReference": {"projectId": project, "datasetId": dataset, "tableId": plain},
            "type": "VIEW" if table.is_view else "TABLE",
            "schema": {"fields": list(table.schema)},
            "numRows": str(count),
            "numBytes": str(table.size_bytes),
            "creationTime": _millis(table.versions[0][0]),
            "lastModifiedTime": _millis(made + timedelta(milliseconds=len(table.versions))),
        }
        if table.partition is not None:
            pseudo = table.partition == "_PARTITIONTIME"
            resource["timePartitioning"] = {"type": "DAY"} | ({} if pseudo else {"field": table.partition})
        return Reply.of_json(resource)

    def _list_datasets(self, _: Seen) -> Reply:
        names = sorted({name.split(".")[1] for name in self._tables})
        return Reply.of_json({"datasets": [_dataset(self.project, name) for name in names]})

    def _list_tables(self, project: str, dataset: str) -> Reply:
        found = [name.split(".") for name in sorted(self._tables)]
        references = [
            {"tableReference": {"projectId": project, "datasetId": dataset, "tableId": parts[2]}, "type": "TABLE"}
            for parts in found
            if parts[:2] == [project, dataset]
        ]
        return Reply.of_json({"tables": references, "totalItems": len(references)})

    def _insert(self, seen: Seen) -> Reply:
        body = json.loads(seen.body)
        with self._lock:
            identity = body["jobReference"]["jobId"]
            if identity in self._jobs:
                return error_reply(Dialect.GOOGLE, Answer(409, "duplicate"))
            configuration = body["configuration"]
            resource = self._run(body["jobReference"], configuration)
            if not configuration.get("dryRun"):
                self._jobs[identity] = _Job(resource, self.polls)
                root = f"{_BASE}/{self.project}"
                self.cloud.route("GET", f"{root}/jobs/{identity}", lambda _: self._get_job(identity))
                self.cloud.route("GET", f"{root}/queries/{identity}", lambda asked: self._results_of(identity, asked))
            return Reply.of_json(self._shown(resource, self.polls if not configuration.get("dryRun") else 0))

    def _query(self, seen: Seen) -> Reply:
        """Answer jobs.query: run it, and give the first page at once."""
        body = json.loads(seen.body)
        reference = {"projectId": self.project, "jobId": f"short-{len(self.queries)}", "location": "US"}
        query = {key: body[key] for key in ("query", "queryParameters", "maximumBytesBilled") if key in body}
        asked = {"jobReference": reference, "configuration": {"query": query, "dryRun": body.get("dryRun", False)}}
        self._insert(Seen("POST", seen.path, {}, {}, json.dumps(asked).encode()))
        return self._results_of(
            reference["jobId"], Seen("GET", "", {"maxResults": str(body.get("maxResults", 10**6))}, {})
        )

    def _run(self, reference: Mapping[str, str], configuration: dict[str, Any]) -> dict[str, Any]:
        query = configuration["query"]
        names = [found["name"] for found in _FROM.finditer(query["query"])]
        size = sum(self._tables[name].size_bytes for name in names if name in self._tables)
        error = self._error_of(names, size, int(query.get("maximumBytesBilled") or 2**62))
        if error is None and not configuration.get("dryRun"):
            self.queries.append(query["query"])
            query["destinationTable"] = self._execute(query)
        status: dict[str, Any] = {"state": "DONE"}
        if error is not None:
            status["errorResult"] = {"reason": error, "message": "as told"}
        return {
            "kind": "bigquery#job",
            "jobReference": {"location": "US", **reference},
            "configuration": {"jobType": "QUERY", **configuration},
            "status": status,
            "statistics": {"totalBytesProcessed": str(size), "query": {"totalBytesProcessed": str(size)}},
        }

    def _error_of(self, names: Sequence[str], size: int, cap: int) -> str | None:
        if self.job_errors:
            return self.job_errors.pop(0)
        if any(name not in self._tables for name in names):
            return "notFound"
        return "bytesBilledLimitExceeded" if size > cap else None

    def _execute(self, query: Mapping[str, Any]) -> dict[str, str]:
        now = datetime.now(tz=UTC)
        values = {item["name"]: _parameter(item) for item in query.get("queryParameters", ())}

        def place(found: re.Match[str]) -> str:
            instant = found["instant"]
            return self._tables[found["name"]].at(datetime.fromisoformat(instant) if instant else now)

        sql = to_duckdb(_FROM.sub(place, query["query"])).replace("CURRENT_TIMESTAMP()", f"TIMESTAMPTZ '{now}'")
        bound = {name: value for name, value in values.items() if re.search(rf"\${name}\b", sql)}
        cursor = self._con.execute(sql, bound)
        columns = [{"name": item[0], "type": _type_of(str(item[1]))} for item in cursor.description or ()]
        self._results += 1
        plain = f"r{self._results}"
        rows = cursor.fetchall()
        self._serve_result(columns, rows[: len(rows) - self.lose.get(self._results, 0)])
        return {"projectId": self.project, "datasetId": RESULTS, "tableId": plain}

    def _serve_result(self, columns: Sequence[Field], rows: Sequence[tuple[Any, ...]]) -> None:
        number, plain = self._results, f"r{self._results}"
        root = f"{_BASE}/{self.project}/datasets/{RESULTS}/tables/{plain}"
        reference = {"projectId": self.project, "datasetId": RESULTS, "tableId": plain}
        table = {"tableReference": reference, "type": "TABLE", "schema": {"fields": columns}, "numRows": str(len(rows))}
        self.cloud.route("GET", root, lambda _: Reply.of_json(table))

        def page(seen: Seen) -> Reply:
            self.when_read.pop(number, lambda: None)()
            return Reply.of_json(self._page(rows, seen))

        self.cloud.route("GET", f"{root}/data", page)

    def _page(self, rows: Sequence[tuple[Any, ...]], seen: Seen) -> dict[str, Any]:
        size = int(seen.query.get("maxResults") or 10_000)
        token = seen.query.get("pageToken")
        start = int(token.removeprefix("at-")) if token else int(seen.query.get("startIndex") or 0)
        page = rows[start : start + size]
        answer: dict[str, Any] = {
            "totalRows": str(len(rows)),
            "rows": [{"f": [{"v": _cell(value)} for value in row]} for row in page],
        }
        if start + size < len(rows):
            answer["pageToken"] = f"at-{size}" if self.stuck else f"at-{start + size}"
        return answer

    def _get_job(self, identity: str) -> Reply:
        with self._lock:
            job = self._jobs[identity]
            job.polls_left -= 1
            return Reply.of_json(self._shown(job.resource, job.polls_left))

    def _shown(self, resource: dict[str, Any], polls_left: int) -> dict[str, Any]:
        return {**resource, "status": {"state": "RUNNING"}} if polls_left > 0 else resource

    def _results_of(self, identity: str, seen: Seen) -> Reply:
        """Answer getQueryResults."""
        with self._lock:
            job = self._jobs[identity]
            job.polls_left -= 1
            base = {"kind": "bigquery#getQueryResultsResponse", "jobReference": job.resource["jobReference"]}
            if job.polls_left > 0:
                return Reply.of_json({**base, "jobComplete": False})
            if "errorResult" in job.resource["status"]:
                return error_reply(Dialect.GOOGLE, Answer(400, job.resource["status"]["errorResult"]["reason"]))
        root = f"{_BASE}/{self.project}/datasets/{RESULTS}/tables"
        plain = job.resource["configuration"]["query"]["destinationTable"]["tableId"]
        schema = json.loads(self.cloud.reply(Seen("GET", f"{root}/{plain}", {}, {})).body)["schema"]
        page = json.loads(self.cloud.reply(Seen("GET", f"{root}/{plain}/data", seen.query, {})).body)
        return Reply.of_json({**base, "jobComplete": True, "schema": schema, **page})


def _dataset(project: str, dataset: str) -> dict[str, Any]:
    reference = {"projectId": project, "datasetId": dataset}
    return {"id": f"{project}:{dataset}", "datasetReference": reference, "location": "US"}


def _struct(columns: Sequence[Field]) -> str:
    return "STRUCT(" + ", ".join(f'"{column["name"]}" {_duckdb_type(column)}' for column in columns) + ")"


def _whole(columns: Sequence[Field], row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with every field of its schema; those that it lacks are null."""
    return {column["name"]: _whole_value(column, row.get(column["name"])) for column in columns}


def _whole_value(column: Field, value: Any) -> Any:  # noqa: ANN401 - JSON
    if column.get("mode") == "REPEATED":
        return [_whole_value({**column, "mode": "NULLABLE"}, item) for item in value or ()]
    if column["type"] in {"RECORD", "STRUCT"} and value is not None:
        return _whole(column["fields"], value)
    return value


def _duckdb_type(column: Field) -> str:
    kind = _struct(column["fields"]) if column["type"] in {"RECORD", "STRUCT"} else _TYPES[column["type"]]
    return f"{kind}[]" if column.get("mode") == "REPEATED" else kind


def _type_of(kind: str) -> str:
    if kind.startswith("DECIMAL"):
        return "BIGNUMERIC"
    return {
        "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
        "BIGINT": "INTEGER",
        "HUGEINT": "INTEGER",
        "INTEGER": "INTEGER",
        "DOUBLE": "FLOAT",
    }.get(kind, "STRING")


def _parameter(item: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of the parameter's own type
    value = item["parameterValue"]
    if "arrayValues" in value or item["parameterType"]["type"] == "ARRAY":
        return [each.get("value") for each in value.get("arrayValues", ())]
    text = value.get("value")
    if text is not None and item["parameterType"]["type"] == "TIMESTAMP":
        return datetime.fromisoformat(text)
    return text


def _cell(value: object) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return str((value - _EPOCH) // timedelta(microseconds=1))
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _millis(instant: datetime) -> str:
    return str((instant - _EPOCH) // timedelta(milliseconds=1))
