"""Four sources over three fake clouds: what the conformance suite and the tests of layouts put exports into."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

import google_crc32c
import pytest
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.credentials import Credentials

from offgridflow.cloud.door import Door, Rules
from offgridflow.cloud.events import Event
from offgridflow.cloud.pace import Limiters
from offgridflow.connectors.buckets import BucketConnector, Span, Surroundings
from offgridflow.connectors.buckets import Seen as LayoutSeen
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import Connector, StoredObject
from offgridflow.connectors.gcp.connectors import GcsExportSettings
from offgridflow.connectors.gcp.connectors import connector as gcs_connector
from offgridflow.connectors.registry import connect
from offgridflow.domain.periods import Month
from offgridflow.testing import Answer, Dialect, FakeCloud, Reply, Seen, SimulatedTime
from offgridflow.testing.messages import error_reply

BUCKET: Final = "exports"
CANARY: Final = "canary-secret"
LATER: Final = datetime(2030, 1, 1, tzinfo=UTC)
_FIRST: Final = datetime(2025, 3, 1, tzinfo=UTC)


@dataclass(slots=True)
class Thing:
    """An object of a fake bucket: content and how often objects were written before it."""

    content: bytes
    version: int

    @property
    def modified(self) -> datetime:
        """When it was written."""
        return _FIRST + timedelta(seconds=self.version)

    @property
    def md5(self) -> bytes:
        """Its MD5."""
        return hashlib.md5(self.content, usedforsecurity=False).digest()

    @property
    def etag(self) -> str:
        """Its ETag without quotes: of the content and the version, but for S3, where it is the MD5."""
        return f"0x8D{self.version:05d}"


class FakeBucket(FakeCloud):
    """One bucket of one provider: pages of three, conditional reads by range, and all faults of FakeCloud."""

    page_items = 3

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self.things: dict[str, Thing] = {}
        self.after_read: dict[str, Callable[[], object]] = {}
        self.stuck_at: str | None = None
        self.composed = False
        self._writes = 0

    def forget_faults(self) -> None:
        """Go right from now on."""
        self._rules.clear()

    def write(self, key: str, content: bytes) -> None:
        """Put or replace an object."""
        self._writes += 1
        self.things[key] = Thing(content, self._writes)

    def reads(self) -> list[Seen]:
        """Return the requests that were not listings."""
        return [seen for seen in self.requests if not self.is_list(seen)]

    def is_list(self, seen: Seen) -> bool:
        """Whether a request asks for a listing."""
        return unquote(seen.path).rstrip("/") == self.list_path

    @property
    def list_path(self) -> str:
        """Where listings are asked for."""
        return {Dialect.S3: f"/{BUCKET}", Dialect.AZURE_BLOB: f"/acct/{BUCKET}"}.get(
            self.dialect, f"/storage/v1/b/{BUCKET}/o"
        )

    def path_of(self, key: str) -> str:
        """Return the path of an object as the SDK asks for it."""
        if self.dialect is Dialect.GOOGLE:
            return f"/download/storage/v1/b/{BUCKET}/o/{quote(key, safe='')}"
        return f"{self.list_path}/{quote(key, safe='/~')}"

    def reply(self, seen: Seen) -> Reply:
        """Answer a listing or a read, or who we are."""
        if b"GetCallerIdentity" in seen.body:
            return _xml(_IDENTITY)
        if self.is_list(seen):
            return self._listing(seen)
        if unquote(seen.path) != unquote(self.path_of("")) + (key := self._key(seen)) or key not in self.things:
            code = {Dialect.S3: "NoSuchKey", Dialect.AZURE_BLOB: "BlobNotFound"}.get(self.dialect, "notFound")
            return error_reply(self.dialect, Answer(404, code))
        thing = self.things[key]
        self.after_read.pop(key, lambda: None)()
        return self._read(seen, thing)

    def _key(self, seen: Seen) -> str:
        return unquote(seen.path).removeprefix(unquote(self.path_of("")))

    def _read(self, seen: Seen, thing: Thing) -> Reply:
        etag = self.etag_of(thing)
        wanted = seen.headers.get("if-match", etag).strip('"')
        generation = seen.query.get("ifGenerationMatch", str(thing.version))
        if wanted != etag.strip('"') or generation != str(thing.version):
            return error_reply(self.dialect, Answer(412, "ConditionNotMet"))
        headers = {"ETag": f'"{etag}"', "x-goog-generation": str(thing.version), "Last-Modified": http_date(thing)}
        if "range" not in seen.headers:
            return Reply(200, thing.content, headers)
        first = int(seen.headers["range"].removeprefix("bytes=").partition("-")[0])
        size = len(thing.content)
        return Reply(206, thing.content[first:], {**headers, "Content-Range": f"bytes {first}-{size - 1}/{size}"})

    def etag_of(self, thing: Thing) -> str:
        """Return an ETag without quotes, as the provider makes it."""
        return thing.md5.hex() if self.dialect is Dialect.S3 else thing.etag

    def _listing(self, seen: Seen) -> Reply:
        after, start = seen.query.get("start-after", ""), seen.query.get("startOffset", "")
        keys = [key for key in sorted(self.things) if key.startswith(seen.query.get("prefix", ""))]
        keys = [key for key in keys if key > after and key >= start]
        names = ("continuation-token", "marker", "pageToken")
        first = int(next((seen.query[name] for name in names if seen.query.get(name)), "0"))
        page = keys[first : first + self.page_items]
        following = str(first + self.page_items) if first + self.page_items < len(keys) else None
        items = [(key, self.things[key]) for key in page]
        return _LISTINGS[self.dialect](self, items, self.stuck_at or following)


def http_date(thing: Thing) -> str:
    """Return when a thing was written as HTTP says it."""
    return thing.modified.strftime("%a, %d %b %Y %H:%M:%S GMT")


Items = Sequence[tuple[str, Thing]]


_IDENTITY: Final = (
    "<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/reader</Arn>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


def _xml(text: str) -> Reply:
    return Reply(200, f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode(), {"Content-Type": "application/xml"})


def _s3_listing(bucket: FakeBucket, items: Items, following: str | None) -> Reply:
    entries = "".join(
        f"<Contents><Key>{quote(key)}</Key><LastModified>{thing.modified.isoformat()}</LastModified>"
        f"<ETag>&quot;{bucket.etag_of(thing)}&quot;</ETag><Size>{len(thing.content)}</Size></Contents>"
        for key, thing in items
    )
    more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    return _xml(
        f"<ListBucketResult><Name>{BUCKET}</Name><EncodingType>url</EncodingType>"
        f"<IsTruncated>{str(bool(following)).lower()}</IsTruncated>{more}{entries}</ListBucketResult>"
    )


def _azure_listing(bucket: FakeBucket, items: Items, following: str | None) -> Reply:
    entries = "".join(
        f"<Blob><Name>{escape(key)}</Name><Properties><Last-Modified>{http_date(thing)}</Last-Modified>"
        f"<Etag>{bucket.etag_of(thing)}</Etag><Content-Length>{len(thing.content)}</Content-Length>"
        f"<Content-MD5>{base64.b64encode(thing.md5).decode()}</Content-MD5><BlobType>BlockBlob</BlobType>"
        "</Properties></Blob>"
        for key, thing in items
    )
    marker = f"<NextMarker>{following or ''}</NextMarker>"
    return _xml(f'<EnumerationResults ContainerName="{BUCKET}"><Blobs>{entries}</Blobs>{marker}</EnumerationResults>')


def _gcs_listing(bucket: FakeBucket, items: Items, following: str | None) -> Reply:
    entries = [
        {
            "name": key,
            "size": str(len(thing.content)),
            "generation": str(thing.version),
            "updated": thing.modified.isoformat().replace("+00:00", "Z"),
            "crc32c": base64.b64encode(google_crc32c.value(thing.content).to_bytes(4, "big")).decode(),
        }
        | ({} if bucket.composed else {"md5Hash": base64.b64encode(thing.md5).decode()})
        for key, thing in items
    ]
    return Reply.of_json({"items": entries} | ({"nextPageToken": following} if following else {}))


_LISTINGS: Final[Mapping[Dialect, Callable[[FakeBucket, Items, str | None], Reply]]] = {
    Dialect.S3: _s3_listing,
    Dialect.AZURE_BLOB: _azure_listing,
    Dialect.GOOGLE: _gcs_listing,
}


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
