"""How AWS lays billing exports into a bucket: legacy Cost and Usage Reports, and Data Exports.

The manifest decides: AWS writes it after the files that it lists, and leaves files of older deliveries lying about. Of
several manifests of a month the one directly in the month's folder is the current one; where there is none (create-new
exports that keep theirs in the folder of each execution) the newest execution is.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from offgridflow.connectors.buckets import Seen
from offgridflow.connectors.delivery import (
    Delivery,
    Found,
    RefusedDelivery,
    RemotePart,
    StoredObject,
    fingerprint_of_parts,
    is_final,
)
from offgridflow.connectors.manifests import Manifest, parse_manifest, parts_of
from offgridflow.domain.errors import InputError, OffGridFlowError, UsageError
from offgridflow.domain.periods import Month

_LEGACY: Final = re.compile(
    r"(?:.*/)?(?P<start>\d{8})-\d{8}/(?:(?P<run>[^/]+)/)?(?P<export>[^/]+)-Manifest\.json", re.DOTALL
)
_DATA_EXPORT: Final = re.compile(
    r"(?:.*/)?(?:metadata|data)/billing_period=(?P<start>\d{4}-\d{2})/(?:(?P<run>[^/]+)/)?(?P<export>[^/]+)-Manifest\.json",
    re.DOTALL | re.IGNORECASE,
)
_RANGE: Final = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T\d{6}(?:\.\d+)?Z)?")
_STAMP: Final = re.compile(r"\d{4}-\d{2}-\d{2}T|\d{8}T\d{6}Z")
_HINTS: Final = (
    ("line_item_usage_type", "aws_cur2"),
    ("lineitem/usagetype", "aws_cur_legacy"),
    ("billedcost", "focus"),
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A manifest of a month: which export's, and of which execution ("" where it speaks for the month)."""

    stored: StoredObject
    month: Month
    export: str
    run: str

    @property
    def age(self) -> tuple[bool, str, datetime]:
        """What sorts the current one last."""
        stamp = self.run if _STAMP.match(self.run) else ""
        return (not self.run, stamp, self.stored.modified)


@dataclass(frozen=True, slots=True)
class AwsLayout:
    """Either layout of AWS.

    Args:
        prefix: keys to list begin with it, exactly as it is.
        export: name of the report or export; needed where several lie under the prefix.
        legacy: legacy Cost and Usage Reports, else Data Exports.
        settling: how long a delivery may take to be written; a part that is newer than its manifest and younger than
            this means that the next delivery is being written over this one.
        now: the clock.

    """

    prefix: str
    export: str | None
    legacy: bool
    settling: timedelta
    now: Callable[[], datetime]

    def listings(self, since: Month | None) -> Iterable[tuple[str, str | None]]:
        """See Layout. With the export's folder known, what is before ``since`` is not even listed."""
        if self.export is None:
            return [(self.prefix, None)]
        base = self.prefix.rstrip("/")
        roots = [
            f"{base}/{self.export}/",
            f"{base}//{self.export}/",
        ]  # AWS doubles the slash of a prefix that ends in one
        if not base:
            roots = [f"{self.export}/", f"/{self.export}/"]  # and may begin with one where there is no prefix
        if since is None:
            return [(root, None) for root in roots]
        if self.legacy:  # month folders sort before the folder of the Athena layout, for digits sort before letters
            return [(root, f"{root}{str(since).replace('-', '')}") for root in roots]
        folders = [f"{root}{part}/" for root in roots for part in ("data", "metadata")]
        return [
            (folder, f"{folder}BILLING_PERIOD={since}") for folder in folders
        ]  # lower case sorts after it: all listed

    def deliveries(self, seen: Seen) -> Iterator[Found]:
        """See Layout."""
        candidates = [found for stored in seen.objects.values() if (found := self._candidate(stored)) is not None]
        exports = sorted({candidate.export for candidate in candidates})
        if len(exports) > 1:
            sentence = f"Under '{self.prefix}' lie several exports: {', '.join(exports)}."
            raise UsageError(sentence, action="Name one in the source's setting 'export'.", code="SEVERAL_EXPORTS")
        months: dict[Month, list[_Candidate]] = defaultdict(list)
        for candidate in candidates:
            if seen.span.holds(candidate.month):
                months[candidate.month].append(candidate)
        for month in sorted(months):
            newest = max(months[month], key=lambda candidate: candidate.age)
            try:
                yield self._delivery(newest, seen)
            except OffGridFlowError as error:
                yield RefusedDelivery(seen.source, month, newest.stored.key, error)

    def _candidate(self, stored: StoredObject) -> _Candidate | None:
        match = (_LEGACY if self.legacy else _DATA_EXPORT).fullmatch(stored.key)
        if match is None or self.export not in {None, match["export"]}:
            return None
        start = match["start"]
        try:
            month = Month.parse(start if "-" in start else f"{start[:4]}-{start[4:6]}")
        except ValueError:
            return None
        return _Candidate(stored, month, match["export"], match["run"] or "")

    def _delivery(self, candidate: _Candidate, seen: Seen) -> Delivery:
        manifest = parse_manifest(candidate.stored, seen.read(candidate.stored))
        why = _broken_promise(manifest, candidate, legacy=self.legacy)
        if why:
            raise manifest.bad(why)
        parts = parts_of(manifest, seen.objects, seen.container)
        written = candidate.stored.modified
        self._refuse_under_way(manifest, parts, seen)
        return Delivery(
            source=seen.source,
            provider="aws",
            billing_period=candidate.month,
            fingerprint=fingerprint_of_parts(parts),
            parts=parts,
            format_hint="aws_cur_legacy" if self.legacy else _hint(manifest),
            final=is_final(candidate.month, written),
            manifest_key=manifest.key,
            submitted_at=written,
        )

    def _refuse_under_way(self, manifest: Manifest, parts: Sequence[RemotePart], seen: Seen) -> None:
        written = manifest.stored.modified
        newest = max(seen.objects[part.key].modified for part in parts)
        if newest > written and self.now().astimezone(UTC) - newest < self.settling:
            sentence = f"A delivery is being written over the one that {manifest.key} lists."
            raise InputError(sentence, action="It is tried again on the next run.", code="DELIVERY_UNDER_WAY")


def _broken_promise(manifest: Manifest, candidate: _Candidate, *, legacy: bool) -> str | None:
    """Return why a manifest cannot be of this month and this execution, or None."""
    if not manifest.entries:
        return "lists no files"
    if not legacy:
        return None
    start = _RANGE.match(manifest.text("billingPeriod", "start") or "")
    assembly = manifest.text("assemblyId")
    if start is None or f"{start[1]}-{start[2]}" != str(candidate.month):
        return f"does not speak of {candidate.month}"
    if not assembly:
        return "has no assemblyId"
    if candidate.run and candidate.run != assembly:
        return f"lies in the folder of assembly {candidate.run} and speaks of {assembly}"
    return None


def _hint(manifest: Manifest) -> str | None:
    columns = manifest.content.get("columns")
    names = {_column(column).lower() for column in columns} if isinstance(columns, list) else set()
    return next((name for column, name in _HINTS if column in names), None)


def _column(column: object) -> str:
    value = column.get("name") if isinstance(column, dict) else column
    return value if isinstance(value, str) else ""
