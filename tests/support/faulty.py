"""Clouds whose one month can be restated and whose requests can go wrong: what the fault matrix runs on.

Bills and the providers' own reports alike: ``site_of`` gives the site of a type of source.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Final, Protocol

from offgridflow.cloud.door import Timeouts
from offgridflow.testing import (
    Answer,
    Blackhole,
    Corrupt,
    Cut,
    Dialect,
    Drip,
    FakeBucket,
    FakeCloud,
    Fault,
    Reset,
    throttled,
)
from offgridflow.testing.bigquery import FakeBigQuery
from support.bigquery_bill import PROJECT, SCHEMA, TABLE, line
from support.exports import AWS, AZURE, GCS, Upstream
from support.reporting import AZURE_CARBON, CARBON_API, CARBON_EXPORT, GCP_CARBON, AwsApi, AzureApi, CarbonExport
from support.reporting import SCHEMA as CARBON_SCHEMA
from support.reporting import TABLE as CARBON_TABLE
from support.reporting import line as carbon_line

BIGQUERY: Final = "bigquery_export"
BILLS: Final = (AWS, AZURE, GCS, BIGQUERY)
REPORTS: Final = (CARBON_API, CARBON_EXPORT, AZURE_CARBON, GCP_CARBON)
KINDS: Final = (*BILLS, *REPORTS)
ASKED: Final = (BIGQUERY, CARBON_API, AZURE_CARBON, GCP_CARBON)
"""Types that ask a service for rows; the others read objects."""

MONTH: Final = "2025-05"
DIALECTS: Final = {AWS: Dialect.S3, AZURE: Dialect.AZURE_BLOB, GCS: Dialect.GOOGLE, CARBON_EXPORT: Dialect.S3}

_EXPIRED: Final = {
    Dialect.S3: Answer(400, "ExpiredToken"),
    Dialect.AWS_JSON: Answer(403, "ExpiredTokenException"),
    Dialect.AZURE: Answer(401, "ExpiredAuthenticationToken"),
    Dialect.AZURE_BLOB: Answer(401, "ExpiredAuthenticationToken"),
    Dialect.GOOGLE: Answer(401, "authError"),
}
DENIED: Final = {
    Dialect.S3: Answer(403, "AccessDenied"),
    Dialect.AWS_JSON: Answer(403, "AccessDeniedException"),
    Dialect.AZURE: Answer(403, "AuthorizationFailed"),
    Dialect.AZURE_BLOB: Answer(403, "AuthorizationPermissionMismatch"),
    Dialect.GOOGLE: Answer(403, "forbidden"),
}
_REPLACED: Final = {
    Dialect.S3: Answer(412, "PreconditionFailed"),
    Dialect.AZURE_BLOB: Answer(412, "ConditionNotMet"),
    Dialect.GOOGLE: Answer(412, "conditionNotMet"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """A fault, how often it happens (None: always), the class of the failure that comes of it, "" for none.

    ``calls`` is the most that is sent for the request that it happens to. ``where``: ``part``, ``page`` (the second one
    of a listing or result), ``token`` (every page names the same next one), ``changed`` (replaced while it is cut).
    """

    make: Callable[[Dialect], Fault]
    times: int | None
    error_class: str
    calls: int
    where: str = "part"


def _plain(fault: Fault) -> Callable[[Dialect], Fault]:
    return lambda _: fault


PATIENT: Final = Timeouts()
HASTY: Final = Timeouts(connect_seconds=10, read_seconds=1)
"""For a server that never answers; one that does is waited for, however busy the machine that the tests run on."""

MATRIX: Final = {
    "throttled": Row(throttled, 1, "", 2),
    "throttled, with a wish to wait": Row(lambda dialect: throttled(dialect, "7"), 1, "", 2),
    "throttled for good": Row(throttled, None, "transient", 3),
    "a bare 500": Row(_plain(Answer(500)), None, "fatal", 1),
    "502": Row(_plain(Answer(502)), 1, "", 2),
    "503 for good": Row(_plain(Answer(503)), None, "transient", 3),
    "connection reset": Row(_plain(Reset()), 1, "", 2),
    "body cut after N bytes": Row(_plain(Cut(20)), 1, "", 2),
    "blackhole": Row(_plain(Blackhole()), 1, "", 2),
    "blackhole for good": Row(_plain(Blackhole()), None, "transient", 3),
    "slow drip": Row(_plain(Drip(60, 0.005)), 1, "", 1),
    "corrupt bytes": Row(_plain(Corrupt(40)), 1, "", 2),
    "corrupt bytes for good": Row(_plain(Corrupt(40)), None, "transient", 3),
    "expired token in mid-page": Row(_EXPIRED.__getitem__, None, "auth", 1, "page"),
    "access denied": Row(DENIED.__getitem__, None, "auth", 1),
    "missing part": Row(_plain(Answer(404, "notFound")), None, "transient", 1),
    "stale part": Row(_REPLACED.__getitem__, None, "transient", 1),
    "changed in mid-read": Row(_plain(Cut(20)), 1, "transient", 2, "changed"),
    "duplicated page token": Row(_plain(Fault()), None, "fatal", 2, "token"),
}

NO_PARTS: Final = "an answer is no object"
NO_CHECKSUM: Final = "answers have no checksum"
NOT_THERE: Final = {
    "missing part": NO_PARTS,
    "stale part": NO_PARTS,
    "changed in mid-read": NO_PARTS,
    "corrupt bytes": NO_CHECKSUM,
    "corrupt bytes for good": NO_CHECKSUM,
}
"""Faults that cannot happen where a service is asked for rows, and why."""


class Site(Protocol):
    """One cloud with one source."""

    @property
    def cloud(self) -> FakeCloud:
        """The server behind it."""
        ...

    def table(self) -> dict[str, Any]:
        """Return the source's table of the settings."""
        ...

    def restate(self, lines: int) -> None:
        """Publish the month anew with so many lines."""
        ...

    def break_it(self, row: Row) -> None:
        """Let a fault happen from now on."""
        ...

    def mend(self) -> None:
        """Let everything go right from now on."""
        ...

    def sent(self) -> int | None:
        """Return how many requests met or could meet the fault; None where nobody can tell them from others."""
        ...


class BucketSite:
    """A bucket with an export of bills or of a carbon report."""

    def __init__(self, upstream: Upstream | CarbonExport) -> None:
        self._upstream = upstream
        self._bucket = upstream.bucket
        self._key = self._upstream.key_of(MONTH)
        self._heads = 1 if self._bucket.dialect is Dialect.S3 else 0  # S3 is asked for the checksum before the data
        self._place, self._before = "", 0

    @property
    def cloud(self) -> FakeCloud:
        """See Site."""
        return self._bucket

    def table(self) -> dict[str, Any]:
        """See Site."""
        return self._upstream.settings()

    def restate(self, lines: int) -> None:
        """See Site. Markers make a second page of the listing."""
        self._upstream.publish(MONTH, ["0.1"] * lines)
        for number in range(4):
            self._bucket.write(f"acme/zz/_{number}", b"x")

    def break_it(self, row: Row) -> None:
        """See Site."""
        is_listing = row.where in {"page", "token"}
        self._place = self._bucket.list_path if is_listing else self._bucket.path_of(self._key)
        skip = {"page": 1, "token": 0}.get(row.where, self._heads)
        self._before = self._count() + skip
        if row.where == "token":
            self._bucket.stuck_at = "1"
            return
        if row.where == "changed":
            self._replace_after(self._heads)
        self._bucket.inject(row.make(self._bucket.dialect), times=row.times, path=self._place, skip=skip)

    def _replace_after(self, reads: int) -> None:
        def replace() -> None:
            if reads:
                self._replace_after(reads - 1)
            else:
                self._bucket.write(self._key, self._upstream.bill(MONTH, ["0.7"]))

        self._bucket.after_read[self._key] = replace

    def _count(self) -> int:
        return sum(seen.path == self._place for seen in self._bucket.requests)

    def mend(self) -> None:
        """See Site."""
        self._bucket.forget_faults()
        self._bucket.after_read.clear()
        self._bucket.stuck_at = None

    def sent(self) -> int:
        """See Site."""
        return self._count() - self._before


class BigQuerySite:
    """A table with an export; the fault meets the fourth request of a run, or the second page of a result."""

    def __init__(self, kind: str, server: FakeBigQuery) -> None:
        self._kind = kind
        self._server = server
        self._table = TABLE if kind == BIGQUERY else CARBON_TABLE
        self._schema: Sequence[Mapping[str, Any]] = SCHEMA if kind == BIGQUERY else CARBON_SCHEMA
        self._is_made = False
        self._before: int | None = None

    @property
    def cloud(self) -> FakeCloud:
        """See Site."""
        return self._server.cloud

    def table(self) -> dict[str, Any]:
        """See Site."""
        where = {"table": self._table, "endpoint_url": self._server.url, "anonymous": True}
        return {"type": self._kind, "page_size": 1, **where}

    def restate(self, lines: int) -> None:
        """See Site."""
        hours = [f"2025-05-{1 + number % 28:02d}T{number // 28:02d}:00:00Z" for number in range(lines)]
        rows = [line(usage_start_time=hour, invoice={"month": "202505"}) for hour in hours]
        if self._kind == GCP_CARBON:
            rows = [carbon_line(MONTH, number) for number in range(lines)]
        if self._is_made:
            self._server.restate(self._table, rows)
        else:
            self._server.create(self._table, self._schema, rows)
        self._is_made = True

    def break_it(self, row: Row) -> None:
        """See Site."""
        self._before = None
        if row.where == "token":
            self._server.stuck = True
            return
        fault = row.make(Dialect.GOOGLE)
        if row.where == "page":
            result = self._queries() + (3 if self._kind == BIGQUERY else 1)
            self._server.cloud.inject(fault, times=row.times, path=self._server.data_path(result), skip=1)
            return
        if row.times is None:
            self._before = self._server.cloud.count() + 3
        self._server.cloud.inject(fault, times=row.times, skip=3)

    def _queries(self) -> int:
        numbers = (re.search(r"/tables/r(\d+)/data$", seen.path) for seen in self._server.cloud.requests)
        return max((int(found[1]) for found in numbers if found), default=0)

    def mend(self) -> None:
        """See Site."""
        self._server.cloud.forget_faults()
        self._server.stuck = False

    def sent(self) -> int | None:
        """See Site."""
        return None if self._before is None else self._server.cloud.count() - self._before


class ApiSite:
    """A carbon API; the fault meets the first page of the figures, or the second."""

    def __init__(self, api: AwsApi | AzureApi) -> None:
        self._api = api
        self._before: int | None = None

    @property
    def cloud(self) -> FakeCloud:
        """See Site."""
        return self._api.cloud

    def table(self) -> dict[str, Any]:
        """See Site."""
        return self._api.settings()

    def restate(self, lines: int) -> None:
        """See Site."""
        self._api.publish(MONTH, lines)

    def break_it(self, row: Row) -> None:
        """See Site."""
        self._before = None
        if row.where == "token":
            self._api.stuck = True
            return
        skip = 1 if row.where == "page" else 0
        if row.times is None:
            self._before = self._api.cloud.count(self._api.path) + skip
        self._api.cloud.inject(row.make(self._api.cloud.dialect), times=row.times, path=self._api.path, skip=skip)

    def mend(self) -> None:
        """See Site."""
        self._api.cloud.forget_faults()
        self._api.stuck = False

    def sent(self) -> int | None:
        """See Site."""
        return None if self._before is None else self._api.cloud.count(self._api.path) - self._before


def site_of(kind: str, stack: ExitStack) -> Site:
    """Return the site of a type of source; its cloud lives as long as ``stack``."""
    if kind in {BIGQUERY, GCP_CARBON}:
        return BigQuerySite(kind, stack.enter_context(FakeBigQuery(PROJECT)))
    if kind == CARBON_API:
        return ApiSite(AwsApi(stack.enter_context(FakeCloud(Dialect.AWS_JSON))))
    if kind == AZURE_CARBON:
        return ApiSite(AzureApi(stack.enter_context(FakeCloud(Dialect.AZURE))))
    bucket = stack.enter_context(FakeBucket(DIALECTS[kind]))
    return BucketSite(CarbonExport(bucket) if kind == CARBON_EXPORT else Upstream(kind, bucket))
