"""Exports that somebody unloads from BigQuery into a bucket: no manifest, so the names have to say the month.

All objects of a month under the prefix are one delivery; there is no telling whether an unload is finished, so unload
into a new folder, or load from BigQuery itself where that matters.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from offgridflow.connectors.buckets import Seen
from offgridflow.connectors.delivery import (
    Delivery,
    Found,
    RefusedDelivery,
    RemoteKind,
    RemotePart,
    StoredObject,
    fingerprint_of_parts,
    is_final,
)
from offgridflow.connectors.manifests import part_of_object
from offgridflow.domain.errors import InputError
from offgridflow.domain.periods import Month

_MONTH: Final = r"(20\d{2})-?(0[1-9]|1[0-2])"
_FOLDER: Final = re.compile(rf"(?:[A-Za-z_.]+=)?{_MONTH}(?:-?\d\d(?:[-_].*)?)?")
_YEAR: Final = re.compile(r"(?:year=)?(20\d{2})", re.IGNORECASE)
_MONTH_OF_YEAR: Final = re.compile(r"(?:month=)?(0?[1-9]|1[0-2])", re.IGNORECASE)
_IN_NAME: Final = re.compile(rf"(?<!\d){_MONTH}(?:-?\d\d)?(?!\d)")
_SIDE: Final = (".crc", ".md5", ".sha256", ".txt", ".sql")
_ORDER: Final = (RemoteKind.PARQUET, RemoteKind.AVRO, RemoteKind.JSON, RemoteKind.CSV, RemoteKind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class GcsLayout:
    """Unloaded exports: CSV, JSON lines, Avro or Parquet under ``prefix``, the month in a folder or in the name."""

    prefix: str

    def listings(self, since: Month | None) -> Iterable[tuple[str, str | None]]:
        """See Layout."""
        del since  # nobody knows where in a key the month stands
        return [(self.prefix, None)]

    def deliveries(self, seen: Seen) -> Iterator[Found]:
        """See Layout."""
        months: dict[Month, list[StoredObject]] = defaultdict(list)
        nameless: list[str] = []
        for stored in seen.objects.values():
            if not is_data(stored):
                continue
            month = month_of(stored.key.removeprefix(self.prefix))
            if month is None:
                nameless.append(stored.key)
            elif seen.span.holds(month):
                months[month].append(stored)
        if nameless:
            yield RefusedDelivery(seen.source, None, nameless[0], _no_month(nameless))
        for month in sorted(months):
            yield _delivery(month, months[month], seen)


def is_data(stored: StoredObject) -> bool:
    """Whether an object can hold rows: not empty, not hidden, not a marker or side file."""
    name = stored.key.rpartition("/")[2]
    return bool(stored.size_bytes and name) and not name.startswith((".", "_")) and not name.endswith(_SIDE)


def month_of(key: str) -> Month | None:
    """Return the month that a key names, in its innermost folder that does, else in its name.

    >>> str(month_of("invoice_month=202501/part-0.parquet")), str(month_of("2025/01/a.csv")), month_of("a.csv")
    ('2025-01', '2025-01', None)
    """
    *folders, name = key.split("/")
    for place in range(len(folders) - 1, -1, -1):
        match = _FOLDER.fullmatch(folders[place])
        if match is not None:
            return Month(int(match[1]), int(match[2]))
        year = _YEAR.fullmatch(folders[place - 1]) if place else None
        month = _MONTH_OF_YEAR.fullmatch(folders[place])
        if year is not None and month is not None:
            return Month(int(year[1]), int(month[1]))
    found = _IN_NAME.search(name)
    return None if found is None else Month(int(found[1]), int(found[2]))


def _delivery(month: Month, objects: Sequence[StoredObject], seen: Seen) -> Delivery:
    parts = _one_kind(sorted((part_of_object(stored) for stored in objects), key=lambda part: part.key))
    written = max(stored.modified for stored in objects)
    return Delivery(
        source=seen.source,
        provider="gcp",
        billing_period=month,
        fingerprint=fingerprint_of_parts(parts, named=True),
        parts=parts,
        format_hint=None,
        final=is_final(month, written),
        manifest_key=None,
        submitted_at=written,
    )


def _one_kind(parts: Sequence[RemotePart]) -> tuple[RemotePart, ...]:
    """Return the parts of one kind: a month that was unloaded in two formats holds the same rows twice."""
    kinds = {part.kind for part in parts}
    kept = next(kind for kind in _ORDER if kind in kinds)
    return tuple(part for part in parts if part.kind is kept)


def _no_month(keys: Sequence[str]) -> InputError:
    sentence = f"{len(keys)} objects name no month, in a folder or in their name, first {keys[0]}."
    action = "Unload into a folder per invoice month, for example invoice_month=2025-06/, or narrow the prefix."
    return InputError(sentence, action=action, code="NO_MONTH_IN_NAME")
