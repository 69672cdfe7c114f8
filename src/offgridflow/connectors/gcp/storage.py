"""Google Cloud Storage as an object store. Its ETag here is the generation, which reads can be conditional on.

It speaks the JSON API through google-auth's session, not through google-cloud-storage: that client's reads retry by
themselves, and since 3.17 each of its calls asks for the bucket's metadata in a thread of its own, which no limiter
sees and which needs ``storage.buckets.get`` (measured, docs/connectors.md).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar
from urllib.parse import quote

from offgridflow.cloud.door import Door
from offgridflow.cloud.pages import Page, Walk, by_cursor
from offgridflow.cloud.streams import Body, Checksum, Source
from offgridflow.connectors.delivery import StoredObject

T = TypeVar("T")

ENDPOINT: Final = "https://storage.googleapis.com"
_PAGE_ITEMS: Final = 1000
_CHUNK_BYTES: Final = 2**20
_FIRST_ERROR: Final = 400
_FIELDS: Final = "name,size,generation,updated,md5Hash,crc32c"


@dataclass(frozen=True, slots=True)
class GcsStore:
    """An ObjectStore over a bucket; ``session`` gives google-auth's AuthorizedSession."""

    session: Callable[[], Any]
    bucket: str
    door: Door
    endpoint: str = ENDPOINT

    @property
    def provider(self) -> str:
        """See ObjectStore."""
        return "gcp"

    @property
    def location(self) -> str:
        """See ObjectStore."""
        return f"gs://{self.bucket}"

    def list(self, prefix: str, start_after: str | None = None) -> Iterator[Sequence[StoredObject]]:
        """See ObjectStore. The service starts at an offset, itself included."""
        question = {"prefix": prefix, "maxResults": str(_PAGE_ITEMS), "fields": f"items({_FIELDS}),nextPageToken"}
        if start_after is not None:
            question["startOffset"] = start_after

        def ask(token: str | None) -> Page[StoredObject, str]:
            answer = self._get("", question if token is None else {**question, "pageToken": token}).json()
            return Page([_stored(item) for item in answer.get("items", ())], answer.get("nextPageToken"))

        walk = Walk(self.provider, "objects.list", listener=self.door.listener)
        for page in by_cursor(walk, lambda token: self._call("objects.list", lambda: ask(token))):
            yield [stored for stored in page.items if stored.key != start_after]

    def open_range(self, key: str, offset: int, etag: str | None) -> Body:
        """See ObjectStore."""
        question = {"alt": "media"} if etag is None else {"alt": "media", "ifGenerationMatch": etag}
        headers = {"Accept-Encoding": "gzip"}  # as it is stored: without this, gzip objects come unpacked
        if offset:
            headers["Range"] = f"bytes={offset}-"
        answer = self._get(f"/{quote(key, safe='')}", question, headers, media=True)
        begins = offset if "Content-Range" in answer.headers else 0
        length = answer.headers.get("Content-Length")
        total = None if length is None else begins + int(length)
        chunks = answer.raw.stream(_CHUNK_BYTES, decode_content=False)
        return Body(chunks, answer.headers["x-goog-generation"], total, begins, answer.close)

    def source(self, key: str) -> Source:
        """See ObjectStore."""
        return Source(
            self.provider, self.bucket, "gcs", "objects.get", lambda offset, etag: self.open_range(key, offset, etag)
        )

    def head(self, key: str) -> StoredObject:
        """See ObjectStore."""
        name = f"/{quote(key, safe='')}"
        return self._call("objects.get", lambda: _stored(self._get(name, {"fields": _FIELDS}).json()))

    def _get(
        self, path: str, question: Mapping[str, str], headers: Mapping[str, str] | None = None, *, media: bool = False
    ) -> Any:  # noqa: ANN401 - the answer of an untyped SDK
        """Return the answer to one GET under the bucket's objects; raise the SDK's error for a refusal."""
        from google.api_core.exceptions import from_http_response  # noqa: PLC0415 - an extra

        url = f"{self.endpoint}{'/download' if media else ''}/storage/v1/b/{self.bucket}/o{path}"
        waits = (self.door.timeouts.connect_seconds, self.door.timeouts.read_seconds)
        answer = self.session().get(url, params=question, headers=headers, stream=media, timeout=waits)
        if answer.status_code >= _FIRST_ERROR:
            refusal: Exception = from_http_response(answer)  # type: ignore[no-untyped-call]  # the SDK is not typed
            raise refusal
        return answer

    def _call(self, operation: str, fn: Callable[[], T]) -> T:
        return self.door.call(self.provider, self.bucket, "gcs", operation, fn)


def _stored(item: Mapping[str, str]) -> StoredObject:
    """Return an object as the API tells of it; objects that were composed of others have a CRC-32C and no MD5."""
    checksum = None
    if "md5Hash" in item:
        checksum = Checksum.from_base64("md5", item["md5Hash"])
    elif "crc32c" in item:
        checksum = Checksum.from_base64("crc32c", item["crc32c"])
    written = datetime.fromisoformat(item["updated"])
    return StoredObject(item["name"], int(item["size"]), item["generation"], written, checksum)
