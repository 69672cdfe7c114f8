"""A fake bucket of S3, Azure Blob storage or Google Cloud Storage: listings in pages, conditional reads, all faults.

It speaks what the official SDKs ask of the real ones. Signatures and permissions are not checked.
"""

import base64
import hashlib
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from offgridflow.testing.cloud import FakeCloud
from offgridflow.testing.faults import Answer
from offgridflow.testing.messages import Dialect, Reply, Seen, error_reply

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
        return f"0x8D{self.version:05d}{zlib.crc32(self.content):08X}"


class FakeBucket(FakeCloud):
    """One bucket of one provider: listings in pages, conditional reads by range, and all faults of FakeCloud.

    Args:
        dialect: whose bucket it is. For Azure the account is ``URL/acct`` and the bucket a container of it.
        name: of the bucket or container.
        page_items: how many objects a page of a listing holds.

    """

    def __init__(self, dialect: Dialect, name: str = "exports", page_items: int = 3) -> None:
        super().__init__(dialect)
        self.name = name
        self.page_items = page_items
        self.things: dict[str, Thing] = {}
        self.after_read: dict[str, Callable[[], object]] = {}
        self.stuck_at: str | None = None
        self.composed = False
        self._writes = 0

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
        return {Dialect.S3: f"/{self.name}", Dialect.AZURE_BLOB: f"/acct/{self.name}"}.get(
            self.dialect, f"/storage/v1/b/{self.name}/o"
        )

    def path_of(self, key: str) -> str:
        """Return the path of an object as the SDK asks for it."""
        if self.dialect is Dialect.GOOGLE:
            return f"/download/storage/v1/b/{self.name}/o/{quote(key, safe='')}"
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
        f"<ListBucketResult><Name>{bucket.name}</Name><EncodingType>url</EncodingType>"
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
    head = f'<EnumerationResults ContainerName="{bucket.name}">'
    return _xml(f"{head}<Blobs>{entries}</Blobs>{marker}</EnumerationResults>")


def _crc32c(content: bytes) -> bytes:
    import google_crc32c  # noqa: PLC0415 - part of the gcp extra, and only its bucket needs it

    return int(google_crc32c.value(content)).to_bytes(4, "big")


def _gcs_listing(bucket: FakeBucket, items: Items, following: str | None) -> Reply:
    entries = [
        {
            "name": key,
            "size": str(len(thing.content)),
            "generation": str(thing.version),
            "updated": thing.modified.isoformat().replace("+00:00", "Z"),
            "crc32c": base64.b64encode(_crc32c(thing.content)).decode(),
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
