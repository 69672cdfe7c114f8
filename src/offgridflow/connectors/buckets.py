"""What all connectors over an object store do alike: list, let the layout find deliveries, fetch, check."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from offgridflow.cloud.door import Door, utc_now
from offgridflow.cloud.errors import AuthError, NotFoundError
from offgridflow.connectors.cache import Cache
from offgridflow.connectors.delivery import (
    CheckReport,
    CheckStep,
    Declaration,
    Delivery,
    Found,
    ObjectStore,
    StoredObject,
)
from offgridflow.connectors.manifests import MAX_MANIFEST_BYTES, part_of_object
from offgridflow.connectors.model import FilePart
from offgridflow.domain.errors import OffGridFlowError
from offgridflow.domain.periods import Month

Read = Callable[[StoredObject], bytes]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every connector is given beside its settings: its name in them, the door, where things are kept, a clock."""

    source: str
    door: Door
    cache: Cache
    now: Callable[[], datetime] = utc_now


@dataclass(frozen=True, slots=True)
class Span:
    """Billing periods from ``since`` to ``until``, both included; None is open."""

    since: Month | None = None
    until: Month | None = None

    def holds(self, month: Month) -> bool:
        """Whether a month lies in it."""
        return (self.since is None or self.since <= month) and (self.until is None or month <= self.until)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a layout is given: the objects by key, how to read a manifest, the periods that are wanted."""

    source: str
    container: str
    objects: Mapping[str, StoredObject]
    read: Read
    span: Span


class Layout(Protocol):
    """How one kind of export lies in a bucket."""

    def listings(self, since: Month | None) -> Iterable[tuple[str, str | None]]:
        """Return what to list: (prefix, key to start after)."""
        ...

    def deliveries(self, seen: Seen) -> Iterator[Found]:
        """Yield the newest delivery of each wanted period, oldest period first, or why it cannot be taken."""
        ...


@dataclass(frozen=True, slots=True)
class BucketConnector:
    """A source in an object store.

    ``manifests`` keeps manifests by ETag, so that an unchanged source costs its listing and nothing else.
    """

    declaration: Declaration
    source: str
    container: str
    store: ObjectStore
    layout: Layout
    manifests: Cache
    before: Callable[[], CheckStep] | None = None

    def discover(self, since: Month | None = None, until: Month | None = None) -> Iterator[Found]:
        """See Connector."""
        objects: dict[str, StoredObject] = {}
        for prefix, start_after in self.layout.listings(since):
            for page in self.store.list(prefix, start_after):
                objects.update((stored.key, stored) for stored in page)
        yield from self.layout.deliveries(
            Seen(self.source, self.container, objects, self._read_manifest, Span(since, until))
        )

    def fetch(self, delivery: Delivery, cache: Cache) -> tuple[FilePart, ...]:
        """See Connector."""
        paths = cache.fetch(self.store, self.source, delivery.parts)
        found: list[FilePart] = []
        for path, remote in zip(paths, delivery.parts, strict=True):
            local = cache.readable(path, f"{self.store.location}/{remote.key}")
            records = remote.expected_records if len(local) == 1 else None
            found += [replace(part, delivery=delivery.manifest_key, expected_records=records) for part in local]
        return tuple(found)

    def check(self) -> CheckReport:
        """Try credentials, listing and reading, in this order, until one fails; no part is read."""
        steps: list[CheckStep] = []
        seen: list[StoredObject] = []
        for attempt in (self.before, lambda: self._check_list(seen), lambda: self._check_read(seen)):
            if attempt is not None:
                steps.append(attempt())
                if not steps[-1].ok:
                    break
        return CheckReport(self.source, tuple(steps))

    def _check_list(self, seen: list[StoredObject]) -> CheckStep:
        permission = self.declaration.permissions[0].name

        def first_page() -> str:
            prefix = ""
            for prefix, start_after in self.layout.listings(None):
                page = next(iter(self.store.list(prefix, start_after)), ())
                seen.extend(page)
                if page:
                    return f"{self.store.location} holds objects under '{prefix}'"
            return f"{self.store.location} can be listed and holds nothing under '{prefix}' yet"

        return tried("list", permission, first_page)

    def _check_read(self, seen: list[StoredObject]) -> CheckStep:
        permission = self.declaration.permissions[1].name
        target = next((stored for stored in seen if stored.size_bytes), None)
        if target is None:
            return CheckStep("read", ok=True, detail="nothing is there to be read yet")

        source = self.store.source(target.key)

        def open_and_close() -> str:
            self.store.open_range(target.key, 0, target.etag).close()
            return f"{target.key} can be read"

        return tried(
            "read",
            permission,
            lambda: self.store.door.call(
                source.provider, source.scope, source.endpoint, source.operation, open_and_close
            ),
        )

    def _read_manifest(self, stored: StoredObject) -> bytes:
        return self.manifests.small(self.store, self.source, part_of_object(stored), MAX_MANIFEST_BYTES)


def tried(name: str, permission: str, attempt: Callable[[], str]) -> CheckStep:
    """Return what became of one attempt; names the permission that is missing where the provider refused."""
    try:
        return CheckStep(name, ok=True, detail=attempt())
    except AuthError as error:
        return CheckStep(name, ok=False, detail=f"{error.sentence} Grant {permission}.", missing=permission)
    except NotFoundError as error:
        return CheckStep(name, ok=False, detail=f"{error.sentence} Check the names in the settings.")
    except OffGridFlowError as error:
        return CheckStep(name, ok=False, detail=str(error))
