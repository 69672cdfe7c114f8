"""Azure Blob storage (and Data Lake, which answers at its Blob endpoint too) as an object store.

Listings go through azure-storage-blob. Reads go through azure-core's pipeline, for the SDK's downloader takes blocks
into memory whole and has retries of its own that cannot be switched off.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, cast

from offgridflow.cloud.door import Door
from offgridflow.cloud.pages import Page, Walk, by_cursor
from offgridflow.cloud.streams import Body, Checksum, Source
from offgridflow.connectors.delivery import StoredObject

T = TypeVar("T")

API_VERSION: Final = "2023-11-03"
_PAGE_ITEMS: Final = 5000
_FIRST_ERROR: Final = 400


class Reader(Protocol):
    """Sends a request and returns an answer whose body is still to be read: ``azure.core.PipelineClient``."""

    def send_request(self, request: Any, *, stream: bool) -> Any:  # noqa: ANN401 - azure-core's rest types
        """Send it."""
        ...


@dataclass(frozen=True, slots=True)
class Clients:
    """The SDK's client of a container (retries off), and what reads blobs."""

    container: Any
    reader: Reader


@dataclass(frozen=True, slots=True)
class BlobStore:
    """An ObjectStore over a container."""

    clients: Callable[[], Clients]
    account_url: str
    container: str
    door: Door

    @property
    def provider(self) -> str:
        """See ObjectStore."""
        return "azure"

    @property
    def location(self) -> str:
        """See ObjectStore."""
        return f"{self.account_url}/{self.container}"

    def list(self, prefix: str, start_after: str | None = None) -> Iterator[Sequence[StoredObject]]:
        """See ObjectStore. The service cannot start in the middle, so what comes before is left out here."""

        def ask(token: str | None) -> Page[StoredObject, str]:
            found = self.clients().container.list_blobs(name_starts_with=prefix, results_per_page=_PAGE_ITEMS)
            pages = found.by_page(token)
            blobs = list(next(pages, ()))
            return Page([_stored(blob) for blob in blobs], pages.continuation_token or None)

        walk = Walk(self.provider, "ListBlobs", listener=self.door.listener)
        for page in by_cursor(walk, lambda token: self._call("ListBlobs", lambda: ask(token))):
            yield [stored for stored in page.items if start_after is None or stored.key > start_after]

    def open_range(self, key: str, offset: int, etag: str | None) -> Body:
        """See ObjectStore."""
        from azure.core.rest import HttpRequest  # noqa: PLC0415 - an extra

        clients = self.clients()
        headers = {} if etag is None else {"If-Match": f'"{etag}"'}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        request = HttpRequest("GET", clients.container.get_blob_client(key).url, headers=headers)
        answer = clients.reader.send_request(request, stream=True)
        if answer.status_code >= _FIRST_ERROR:
            raise _refusal(answer)
        begins = offset if "Content-Range" in answer.headers else 0
        total = begins + int(answer.headers["Content-Length"])
        return Body(answer.iter_raw(), answer.headers["ETag"].strip('"'), total, begins, answer.close)

    def source(self, key: str) -> Source:
        """See ObjectStore."""
        return Source(
            self.provider, self.account_url, "blob", "GetBlob", lambda offset, etag: self.open_range(key, offset, etag)
        )

    def head(self, key: str) -> StoredObject:
        """See ObjectStore."""
        return self._call(
            "GetBlobProperties", lambda: _stored(self.clients().container.get_blob_client(key).get_blob_properties())
        )

    def _call(self, operation: str, fn: Callable[[], T]) -> T:
        return self.door.call(self.provider, self.account_url, "blob", operation, fn)


def _stored(blob: Any) -> StoredObject:  # noqa: ANN401 - azure-storage-blob's BlobProperties
    """Return a blob as the SDK tells of it. The MD5 is there where whoever wrote it gave one."""
    md5 = blob.content_settings.content_md5
    checksum = None if not md5 else Checksum("md5", bytes(md5))
    return StoredObject(blob.name, blob.size, blob.etag.strip('"'), blob.last_modified, checksum)


def _refusal(answer: Any) -> Exception:  # noqa: ANN401 - azure-core's rest types
    """Return the SDK's error for an answer, with the code from its header as the Blob SDK does it."""
    from azure.core.exceptions import HttpResponseError  # noqa: PLC0415 - an extra

    answer.read()
    headers: Mapping[str, str] = answer.headers
    error: Any = HttpResponseError(message="refused", response=answer)
    error.error_code = headers.get("x-ms-error-code")
    return cast("Exception", error)
