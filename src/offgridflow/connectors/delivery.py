"""What connectors speak of: deliveries and their parts at the provider, object stores, and the protocol of a connector.

``discover`` is cheap (listings and manifests), ``fetch`` brings whole deliveries or nothing, ``check`` tries
credentials and permissions without ingesting.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

from pydantic import BaseModel

from offgridflow.cloud.door import Door
from offgridflow.cloud.streams import Body, Checksum, Source
from offgridflow.connectors.model import FilePart
from offgridflow.domain.errors import MissingExtraError, OffGridFlowError
from offgridflow.domain.identity import fingerprint_of
from offgridflow.domain.periods import Month

if TYPE_CHECKING:
    from offgridflow.connectors.cache import Cache

T = TypeVar("T")

_SETTLES_AFTER: Final = timedelta(days=15)
_SUFFIXES: Final = ("", ".gz", ".zip", ".snappy")


class RemoteKind(StrEnum):
    """What the name of a part says; the content decides once it is here."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    AVRO = "avro"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One object of a listing. ``etag`` is what a conditional read takes (at GCS the generation)."""

    key: str
    size_bytes: int
    etag: str
    modified: datetime
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class RemotePart:
    """One file of a delivery where it lies; keys are never normalised."""

    key: str
    size_bytes: int
    etag: str
    checksum: Checksum | None = None
    kind: RemoteKind = RemoteKind.UNKNOWN
    expected_records: int | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One published revision of one (source, billing period).

    ``final`` says that it was written at least 15 days after the month's end, when bills no longer change as a rule
    (restatements come later all the same). ``format_hint`` names a format where the upstream tells it.
    """

    source: str
    provider: str
    billing_period: Month
    fingerprint: str
    parts: tuple[RemotePart, ...]
    format_hint: str | None
    final: bool
    manifest_key: str | None
    submitted_at: datetime

    @property
    def size_bytes(self) -> int:
        """How much there is to fetch."""
        return sum(part.size_bytes for part in self.parts)


@dataclass(frozen=True, slots=True)
class RefusedDelivery:
    """A delivery that cannot be taken; the error says why and what to do. The other periods go on."""

    source: str
    billing_period: Month | None
    key: str
    error: OffGridFlowError


Found = Delivery | RefusedDelivery


@dataclass(frozen=True, slots=True)
class Permission:
    """What a source must be allowed to do: the IAM action, role or grant, and on what."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One thing that was tried. ``missing`` names the permission to grant where the provider refused."""

    name: str
    ok: bool
    detail: str
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check of one source found, in the order in which it was tried; it ends with the first failure."""

    source: str
    steps: tuple[CheckStep, ...]

    @property
    def ok(self) -> bool:
        """Whether all that was tried works."""
        return all(step.ok for step in self.steps)


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a kind of connector is: its name in settings, its settings, what it calls and what it must be allowed."""

    name: str
    title: str
    provider: str
    settings: type[BaseModel]
    endpoints: tuple[str, ...]
    permissions: tuple[Permission, ...]


class Connector(Protocol):
    """One configured source. All calls go through the door: paced, retried, classified, told."""

    @property
    def declaration(self) -> Declaration:
        """What kind of connector this is."""
        ...

    def discover(self, since: Month | None = None, until: Month | None = None) -> Iterator[Found]:
        """Yield the newest delivery of each billing period from ``since`` to ``until``, oldest period first.

        Raises ClassifiedError where the listing itself fails; what is wrong with one period is yielded as refused.
        """
        ...

    def fetch(self, delivery: Delivery, cache: "Cache") -> tuple[FilePart, ...]:
        """Bring all parts of a delivery here, verified, or raise; nothing of half a delivery is returned.

        Raises InputError where a part is missing (``MISSING_PART``) or is not what an export can be, NextRunError
        ``CHANGED_UNDER_WAY`` where it was replaced while it was read, and ClassifiedError.
        """
        ...

    def check(self) -> CheckReport:
        """Try credentials and permissions without ingesting."""
        ...


class ObjectStore(Protocol):
    """The little that is needed of a bucket or container; implemented over the official SDKs, through the door."""

    @property
    def provider(self) -> str:
        """Slug of the provider."""
        ...

    @property
    def location(self) -> str:
        """Where it is, for people: ``s3://bucket``."""
        ...

    @property
    def door(self) -> Door:
        """The door that all calls go through."""
        ...

    def list(self, prefix: str, start_after: str | None = None) -> Iterator[Sequence[StoredObject]]:
        """Yield pages of the objects whose key begins with ``prefix`` and sorts after ``start_after``."""
        ...

    def open_range(self, key: str, offset: int, etag: str | None) -> Body:
        """Open an object at ``offset``, only if it still has ``etag``; exceptions of the SDK come out as they are."""
        ...

    def source(self, key: str) -> Source:
        """Return an object in the door's words, for ``cloud.streams.store``."""
        ...

    def head(self, key: str) -> StoredObject:
        """Return an object as it is now, with the checksum that the provider keeps, if any."""
        ...


class Once(Generic[T]):
    """Makes something on first use, once for all threads: clients look for credentials when they are made."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: list[T] = []
        self._lock = Lock()

    def __call__(self) -> T:
        """Return it; an error of its making is raised, and it is tried again the next time."""
        with self._lock:
            if not self._made:
                self._made.append(self._make())
            return self._made[0]


def kind_of(key: str) -> RemoteKind:
    """Return what the name of a key says about its content.

    >>> kind_of("a/b-00001.snappy.parquet").value, kind_of("part_0.csv.gz").value, kind_of("000000000000").value
    ('parquet', 'csv', 'unknown')
    """
    name = key.rpartition("/")[2].lower()
    for suffix in _SUFFIXES:
        stem = name.removesuffix(suffix) if suffix else name
        for ending, kind in _KINDS.items():
            if stem.endswith(ending):
                return kind
    return RemoteKind.CSV if name.endswith((".gz", ".zip")) else RemoteKind.UNKNOWN


_KINDS: Final = {
    ".csv": RemoteKind.CSV,
    ".parquet": RemoteKind.PARQUET,
    ".json": RemoteKind.JSON,
    ".jsonl": RemoteKind.JSON,
    ".ndjson": RemoteKind.JSON,
    ".avro": RemoteKind.AVRO,
}


def fingerprint_of_parts(parts: Iterable[RemotePart], *, named: bool = False) -> str:
    """Return the fingerprint of a delivery from ETags and sizes; ``named`` where an ETag counts for its key only."""
    return fingerprint_of([f"{part.etag}:{part.size_bytes}:{part.key if named else ''}" for part in parts])


def is_final(period: Month, submitted_at: datetime) -> bool:
    """Whether a delivery was written so long after its month that it is not expected to change.

    >>> from datetime import datetime, UTC
    >>> is_final(Month(2025, 1), datetime(2025, 2, 10, tzinfo=UTC))
    False
    """
    return submitted_at >= period.next().start + _SETTLES_AFTER


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """Return the error for an SDK that is not installed."""
    sentence = f"The package {package} is not installed."
    return MissingExtraError(sentence, action=f"Run: pip install 'offgridflow[{extra}]'")
