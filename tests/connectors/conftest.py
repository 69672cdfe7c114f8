"""Sources over fake clouds: what the conformance suite and the tests of layouts put exports and reports into."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.credentials import Credentials

from offgridflow.cloud.door import Door, Rules
from offgridflow.cloud.events import Event
from offgridflow.cloud.pace import Limiters
from offgridflow.connectors.buckets import BucketConnector, Span, Surroundings
from offgridflow.connectors.buckets import Seen as LayoutSeen
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import Connector, Delivery, RefusedDelivery, StoredObject
from offgridflow.connectors.gcp.connectors import GcsExportSettings
from offgridflow.connectors.gcp.connectors import connector as gcs_connector
from offgridflow.connectors.registry import connect
from offgridflow.connectors.reports import ReportConnector, ReportDelivery
from offgridflow.domain.periods import Month
from offgridflow.testing import Dialect, FakeBucket, Fault, SimulatedTime
from support.faulty import KINDS, Row, Site, site_of
from support.reporting import connect_in_the_clear

BUCKET: Final = "exports"
CANARY: Final = "canary-secret"
LATER: Final = datetime(2030, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime(2025, 3, 1, tzinfo=UTC)


@dataclass(slots=True)
class Source:
    """One kind of source over its fake cloud.

    ``folder_of`` is where the parts of a month lie; ``deliver`` writes parts and, where the kind has one, the manifest.
    """

    kind: str
    bucket: FakeBucket
    time: SimulatedTime
    folder: Path
    heard: list[Event] = field(default_factory=list)

    @property
    def has_manifest(self) -> bool:
        """Whether deliveries of this kind have a manifest."""
        return self.kind != "gcs_export"

    def folder_of(self, month: int) -> str:
        """Return the folder of a month's parts, with a doubled slash and a colon in it."""
        following = f"2025{month + 1:02d}01"
        return {
            "aws_cur": f"cost//acme/2025{month:02d}01-{following}/a:1/",
            "aws_data_export": f"cost//acme/data/BILLING_PERIOD=2025-{month:02d}/2025-{month:02d}-18T20:16:37.306Z-id/",
            "azure_export": f"cost//acme/2025{month:02d}01-2025{month:02d}{_DAYS[month]}/guid:1/",
            "gcs_export": f"cost//acme/at:1/invoice_month=2025-{month:02d}/",
        }[self.kind]

    def keys_of(self, month: int, count: int) -> list[str]:
        """Return the keys of a month's parts."""
        return [f"{self.folder_of(month)}part-{number:05d}.csv.gz" for number in range(1, count + 1)]

    def deliver(self, month: int, contents: Sequence[bytes], *, records: int | None = None) -> list[str]:
        """Write a month over the one before."""
        keys = self.keys_of(month, len(contents))
        for key, content in zip(keys, contents, strict=True):
            self.bucket.write(key, content)
        if self.has_manifest:
            self.bucket.write(
                self.manifest_of(month), json.dumps(self._manifest(month, keys, contents, records)).encode()
            )
        return keys

    def manifest_of(self, month: int) -> str:
        """Return the key of a month's manifest."""
        folder = self.folder_of(month)
        if self.kind == "azure_export":
            return f"{folder}manifest.json"
        if self.kind == "aws_cur":
            return f"{folder.removesuffix('a:1/')}acme-Manifest.json"
        return f"cost//acme/metadata/BILLING_PERIOD=2025-{month:02d}/acme-Manifest.json"

    def _manifest(
        self, month: int, keys: Sequence[str], contents: Sequence[bytes], records: int | None
    ) -> dict[str, object]:
        if self.kind == "azure_export":
            blobs = [
                {"blobName": key, "byteCount": len(content), "dataRowCount": records}
                for key, content in zip(keys, contents, strict=True)
            ]
            run = {"submittedTime": f"2025-{month:02d}-20T06:00:00.1234567Z", "runId": "guid:1"}
            config = {"exportName": "acme", "type": "ActualCost"}
            return {"manifestVersion": "2024-04-01", "blobCount": len(blobs), "blobs": blobs} | {
                "runInfo": run,
                "exportConfig": config,
                "byteCount": sum(map(len, contents)),
            }
        if self.kind == "aws_cur":
            period = {"start": f"2025{month:02d}01T000000.000Z", "end": f"2025{month + 1:02d}01T000000.000Z"}
            return {"assemblyId": "a:1", "billingPeriod": period, "reportKeys": list(keys)}
        return {"executionId": "id", "dataFiles": [f"s3://{BUCKET}/{key}" for key in keys]}

    def connect(self, **settings: object) -> Connector:
        """Return the connector under test."""
        rules = Rules(limiters=Limiters(clock=self.time.clock), world=self.time.world())
        door = Door(rules, self.heard.append)
        around = Surroundings("acme", door, Cache(self.folder / "manifests"), now=lambda: LATER)
        if self.kind == "gcs_export":
            table = GcsExportSettings.model_validate(
                {"type": self.kind, "bucket": BUCKET, "prefix": "cost/", "endpoint_url": self.bucket.url, **settings}
            )
            return gcs_connector(table, around, lambda: AuthorizedSession(Credentials(CANARY)))  # type: ignore[no-untyped-call]
        where: dict[str, object] = {"type": self.kind, "prefix": "cost/"}
        if self.kind == "azure_export":
            where |= {"account_url": f"{self.bucket.url}/acct", "container": BUCKET, "sas_token": f"sig={CANARY}"}
        else:
            where |= {"bucket": BUCKET, "endpoint_url": self.bucket.url, "sts_endpoint_url": self.bucket.url}
        made = connect({**where, **settings}, around)
        assert isinstance(made, BucketConnector)
        return made

    def cache(self) -> Cache:
        """Return the cache that parts are fetched into."""
        return Cache(self.folder / "cache", threads=2)


_DAYS: Final = {1: 31, 2: 28, 3: 31, 4: 30}
_DIALECTS: Final = {
    "aws_cur": Dialect.S3,
    "aws_data_export": Dialect.S3,
    "azure_export": Dialect.AZURE_BLOB,
    "gcs_export": Dialect.GOOGLE,
}


@pytest.fixture(params=sorted(_DIALECTS))
def source(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    """Return each kind of source in turn, over an empty bucket."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with FakeBucket(_DIALECTS[request.param]) as bucket:
        yield Source(request.param, bucket, SimulatedTime(), tmp_path)


@dataclass(slots=True)
class Shelf:
    """Objects for a layout, without a network: keys, contents, and when they were written (minutes after a start)."""

    things: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)

    def put(self, key: str, content: object = b"x", minute: int = 0) -> None:
        """Put an object; what is not bytes is written as JSON."""
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.things[key] = (data, minute)

    def seen(self, since: Month | None = None, until: Month | None = None) -> LayoutSeen:
        """Return what a layout is given."""
        objects = {
            key: StoredObject(key, len(content), f"e{hash(content)}", _FIRST + timedelta(minutes=minute))
            for key, (content, minute) in self.things.items()
        }

        def read(stored: StoredObject) -> bytes:
            self.read.append(stored.key)
            return self.things[stored.key][0]

        return LayoutSeen("acme", BUCKET, objects, read, Span(since, until))


@pytest.fixture
def shelf() -> Shelf:
    """Return an empty shelf."""
    return Shelf()


@dataclass(slots=True)
class Anyone:
    """A source of any type, of bills or of a provider's own report, over its fake cloud with one month of two rows."""

    kind: str
    site: Site
    folder: Path
    time: SimulatedTime = field(default_factory=SimulatedTime)
    heard: list[Event] = field(default_factory=list)
    reads: int = 0

    def connect(self) -> Connector | ReportConnector:
        """Return a connector with a cache of its own."""
        self.reads += 1
        rules = Rules(limiters=Limiters(clock=self.time.clock), world=self.time.world())
        cache = Cache(self.folder / str(self.reads))
        around = Surroundings("acme", Door(rules, self.heard.append), cache, now=lambda: LATER)
        return connect_in_the_clear(self.site.table(), around)

    def months(self, since: Month | None = None, until: Month | None = None) -> list[str]:
        """Return the months that are read between two months."""
        return sorted({month for month, _ in self.read(since, until)})

    def read(self, since: Month | None = None, until: Month | None = None) -> list[tuple[str, object]]:
        """Discover and fetch all there is: (month, content), in a fixed order."""
        connector = self.connect()
        found: list[tuple[str, object]] = []
        for each in connector.discover(since, until):
            if isinstance(each, RefusedDelivery):
                raise each.error
            if isinstance(connector, ReportConnector):
                assert isinstance(each, ReportDelivery)
                found += [(row.month, row.values()) for row in connector.fetch_rows(each).rows]
            else:
                assert isinstance(each, Delivery)
                parts = connector.fetch(each, Cache(self.folder / f"parts-{self.reads}"))
                found += [(str(each.billing_period), part.path.read_bytes()) for part in parts]
        return sorted(found, key=str)

    def goes_wrong(
        self, make: Callable[[Dialect], Fault], times: int | None = 1, where: str = "part", calls: int = 1
    ) -> None:
        """Let a fault happen to the request for rows or a part, or to the second page."""
        self.site.break_it(Row(make, times, "", calls, where))

    @property
    def waits(self) -> list[float]:
        """The pauses of a second and more."""
        return [wait for wait in self.time.waits if wait >= 1]


@pytest.fixture(params=KINDS)
def anyone(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Anyone]:
    """Return a source of each type in turn: bills from buckets and BigQuery, and the providers' own reports."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with ExitStack() as stack:
        site = site_of(request.param, stack)
        site.restate(2)
        yield Anyone(request.param, site, tmp_path)
