"""Read manifests of deliveries in object stores, leniently: no provider publishes a complete schema.

Keys are compared as they are: doubled slashes and colons are part of a key. A manifest may name a part by key, by key
with a leading slash, by URI, or with the container in front; the listing decides which of them exists.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from offgridflow.connectors.delivery import RemoteKind, RemotePart, StoredObject, kind_of
from offgridflow.domain.errors import InputError

MAX_MANIFEST_BYTES: Final = 16 * 2**20
_LISTS: Final = ("dataFiles", "reportKeys", "blobs")
_KEYS: Final = ("blobName", "key", "path", "uri", "name")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file that a manifest lists, with the size and the count of records where it gives them."""

    key: str
    size_bytes: int | None = None
    records: int | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest: the object that it is, what it says, and the files that it lists."""

    stored: StoredObject
    content: Mapping[str, object]
    entries: tuple[Entry, ...]

    @property
    def key(self) -> str:
        """The manifest's own key."""
        return self.stored.key

    def text(self, *path: str) -> str | None:
        """Return the text at a path of keys, or None."""
        value: object = self.content
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value if isinstance(value, str) else None

    def number(self, name: str) -> int | None:
        """Return a whole number at the top level, or None."""
        return whole(self.content.get(name))

    def bad(self, why: str) -> InputError:
        """Return the error for a manifest that cannot be believed."""
        return bad_manifest(self.key, why)


def bad_manifest(key: str, why: str) -> InputError:
    """Return the error for a manifest that cannot be read or believed."""
    action = "The provider writes it anew with the next delivery; if it stays so, look at it."
    return InputError(f"The manifest {key} {why}.", action=action, code="BAD_MANIFEST")


def parse_manifest(stored: StoredObject, data: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        InputError: BAD_MANIFEST where it is not a JSON object or lists no files in any known way.

    """
    try:
        content: object = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise bad_manifest(stored.key, "is not readable JSON") from error
    if not isinstance(content, dict):
        raise bad_manifest(stored.key, "is not a JSON object")
    entries = _entries(content)
    if entries is None:
        raise bad_manifest(stored.key, f"lists no files: it has none of {', '.join(_LISTS)}")
    return Manifest(stored, content, entries)


def whole(value: object) -> int | None:
    """Return a whole number that is not negative, or None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def instant_of(text: str | None) -> datetime | None:
    """Return an ISO instant with its zone, or None; Azure writes seven decimals."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def parts_of(manifest: Manifest, objects: Mapping[str, StoredObject], container: str) -> tuple[RemotePart, ...]:
    """Return the parts that a manifest lists, each as the listing shows it, in the order of the manifest.

    Where CSV and Parquet are both listed they are the same lines twice: Parquet is taken, unless only the CSV files
    are all there.

    Raises:
        InputError: MISSING_PART where one is not in the listing, PART_SIZE where it is of another size.

    """
    wanted = _one_kind(manifest.entries, objects, container)
    missing = [entry.key for entry in wanted if _stored(entry, objects, container) is None]
    if missing:
        sentence = (
            f"The manifest {manifest.key} lists {len(wanted)} files and {len(missing)} are missing: {missing[0]}."
        )
        raise InputError(sentence, action="It is tried again on the next run.", code="MISSING_PART")
    found: dict[str, RemotePart] = {}
    for entry in wanted:
        stored = _stored(entry, objects, container)
        if stored is not None:
            found[stored.key] = _part(manifest, entry, stored)
    return tuple(found.values())


def part_of_object(stored: StoredObject) -> RemotePart:
    """Return an object of a listing as a part."""
    return RemotePart(stored.key, stored.size_bytes, stored.etag, stored.checksum, kind_of(stored.key))


def _part(manifest: Manifest, entry: Entry, stored: StoredObject) -> RemotePart:
    if entry.size_bytes is not None and entry.size_bytes != stored.size_bytes:
        sentence = f"{stored.key} has {stored.size_bytes} bytes, its manifest {manifest.key} says {entry.size_bytes}."
        raise InputError(sentence, action="It is being rewritten, or damaged: run again later.", code="PART_SIZE")
    return replace(part_of_object(stored), expected_records=entry.records)


def _one_kind(entries: Sequence[Entry], objects: Mapping[str, StoredObject], container: str) -> Sequence[Entry]:
    parquet = [entry for entry in entries if kind_of(entry.key) is RemoteKind.PARQUET]
    others = [entry for entry in entries if kind_of(entry.key) is not RemoteKind.PARQUET]
    if not parquet or not others:
        return entries
    parquet_whole = all(_stored(entry, objects, container) is not None for entry in parquet)
    others_whole = all(_stored(entry, objects, container) is not None for entry in others)
    return others if others_whole and not parquet_whole else parquet


def _stored(entry: Entry, objects: Mapping[str, StoredObject], container: str) -> StoredObject | None:
    return next((objects[key] for key in _spellings(entry.key, container) if key in objects), None)


def _spellings(key: str, container: str) -> Iterator[str]:
    """Yield the keys that a manifest can mean, the literal one first."""
    yield key
    if "://" in key:
        key = key.partition("://")[2].partition("/")[2]
        yield key
    yield key.removeprefix("/")
    yield key.removeprefix("/").removeprefix(f"{container}/")


def _entries(content: Mapping[str, object]) -> tuple[Entry, ...] | None:
    for name in _LISTS:
        listed = content.get(name)
        if isinstance(listed, list):
            return tuple(entry for each in listed if (entry := _entry(each)) is not None)
    return () if "blobCount" in content else _unnamed_entries(content)  # an Azure run without rows writes no list


def _unnamed_entries(content: Mapping[str, object]) -> tuple[Entry, ...] | None:
    """Return the only list of names of data files, under whatever name it comes, or None."""
    lists = [value for value in content.values() if isinstance(value, list) and value]
    found = [
        tuple(Entry(name) for name in names)
        for names in lists
        if all(isinstance(name, str) and kind_of(name) is not RemoteKind.UNKNOWN for name in names)
    ]
    return found[0] if len(found) == 1 else None


def _entry(entry: object) -> Entry | None:
    if isinstance(entry, str):
        return Entry(entry)
    if not isinstance(entry, dict):
        return None
    key = next((entry[name] for name in _KEYS if isinstance(entry.get(name), str)), None)
    return None if key is None else Entry(key, whole(entry.get("byteCount")), whole(entry.get("dataRowCount")))
