"""S3 as an object store."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from offgridflow.cloud.door import Door
from offgridflow.cloud.pages import Page, Walk, by_cursor
from offgridflow.cloud.streams import Body, Checksum, Source
from offgridflow.connectors.delivery import StoredObject

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

_CHUNK_BYTES: Final = 2**20
_MD5_LENGTH: Final = 32
_WHOLE_CHECKSUMS: Final = {"sha256": "ChecksumSHA256", "sha1": "ChecksumSHA1", "crc32": "ChecksumCRC32"}


@dataclass(frozen=True, slots=True)
class S3Store:
    """An ObjectStore over a boto3 client whose retries and own checksum validation are off."""

    client: Callable[[], "S3Client"]
    bucket: str
    door: Door

    @property
    def provider(self) -> str:
        """See ObjectStore."""
        return "aws"

    @property
    def location(self) -> str:
        """See ObjectStore."""
        return f"s3://{self.bucket}"

    def list(self, prefix: str, start_after: str | None = None) -> Iterator[Sequence[StoredObject]]:
        """See ObjectStore."""
        question: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix}
        if start_after is not None:
            question["StartAfter"] = start_after

        def fetch(token: str | None) -> Page[StoredObject, str]:
            asked = question if token is None else {**question, "ContinuationToken": token}
            answer = self._call("ListObjectsV2", lambda: self.client().list_objects_v2(**asked))
            items = [
                StoredObject(item["Key"], item["Size"], item["ETag"], item["LastModified"])
                for item in answer.get("Contents", ())
            ]
            return Page(items, answer.get("NextContinuationToken") if answer["IsTruncated"] else None)

        walk = Walk(self.provider, "ListObjectsV2", listener=self.door.listener)
        return (page.items for page in by_cursor(walk, fetch))

    def open_range(self, key: str, offset: int, etag: str | None) -> Body:
        """See ObjectStore."""
        question: dict[str, Any] = {"Bucket": self.bucket, "Key": key}
        if etag is not None:
            question["IfMatch"] = etag
        if offset:
            question["Range"] = f"bytes={offset}-"
        answer = self.client().get_object(**question)
        body = answer["Body"]
        begins = offset if answer.get("ContentRange") else 0
        total = begins + answer["ContentLength"]
        return Body(body.iter_chunks(_CHUNK_BYTES), answer["ETag"], total, begins, body.close)

    def source(self, key: str) -> Source:
        """See ObjectStore."""
        return Source(
            self.provider, self.bucket, "s3", "GetObject", lambda offset, etag: self.open_range(key, offset, etag)
        )

    def head(self, key: str) -> StoredObject:
        """See ObjectStore."""
        answer: dict[str, Any] = self._call(
            "HeadObject", lambda: dict(self.client().head_object(Bucket=self.bucket, Key=key, ChecksumMode="ENABLED"))
        )
        return StoredObject(key, answer["ContentLength"], answer["ETag"], answer["LastModified"], _checksum(answer))

    def _call(self, operation: str, fn: Callable[[], T]) -> T:
        return self.door.call(self.provider, self.bucket, "s3", operation, fn)


def _checksum(answer: dict[str, Any]) -> Checksum | None:
    """Return a checksum of the whole object: a stored one, else the ETag where S3 makes it an MD5.

    It is none for objects that were written in pieces or are encrypted under a key of KMS or of the customer.
    """
    if answer.get("ChecksumType") == "FULL_OBJECT":
        for algorithm, name in _WHOLE_CHECKSUMS.items():
            if name in answer:
                return Checksum.from_base64(algorithm, answer[name])
    etag = answer["ETag"].strip('"')
    plain = answer.get("ServerSideEncryption", "AES256") == "AES256" and "SSECustomerAlgorithm" not in answer
    if plain and len(etag) == _MD5_LENGTH:
        return Checksum("md5", bytes.fromhex(etag))
    return None
