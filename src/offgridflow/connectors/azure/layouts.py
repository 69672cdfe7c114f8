"""How Cost Management lays exports into a container, whatever the version of its manifests and its file format.

``<root>/<export>/<yyyyMMdd-yyyyMMdd>/[<run yyyyMMddHHmm>/]<run id>/manifest.json`` with the parts beside it. Every run
has its own manifest and the newest run wins; a run without rows is a delivery without parts.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from offgridflow.connectors.buckets import Seen
from offgridflow.connectors.delivery import (
    Delivery,
    Found,
    RefusedDelivery,
    StoredObject,
    fingerprint_of_parts,
    is_final,
)
from offgridflow.connectors.manifests import Manifest, instant_of, parse_manifest, parts_of
from offgridflow.domain.errors import InputError, OffGridFlowError, UsageError
from offgridflow.domain.periods import Month

_KEY: Final = re.compile(
    r"(?P<root>.*/)?(?P<start>\d{8})-(?P<end>\d{8})/(?:(?P<run>\d{12})/)?(?:.*/)?manifest\.json", re.DOTALL
)
_TYPES: Final = {"actualcost": "actual", "usage": "actual", "amortizedcost": "amortized", "focuscost": "focus"}
_HINTS: Final = {"focus": "focus"}


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of an export: its manifest, or why that cannot be read."""

    stored: StoredObject
    start: str
    end: str
    export: str
    cost_type: str | None
    submitted: datetime
    manifest: Manifest | None
    error: OffGridFlowError | None = None

    @property
    def month(self) -> Month:
        """The billing period."""
        return Month(int(self.start[:4]), int(self.start[4:6]))

    @property
    def is_whole_month(self) -> bool:
        """Whether it covers its month from the first day on; a month-to-date export's folder names the whole month."""
        first_of_next = str(self.month.next()).replace("-", "") + "01"
        last = f"{self.start[:6]}{self.month.days}"
        return self.start.endswith("01") and self.end in {last, first_of_next}


@dataclass(frozen=True, slots=True)
class AzureLayout:
    """Exports of Cost Management.

    Args:
        prefix: keys to list begin with it, exactly as it is.
        export: name of the export; needed where several lie under the prefix.
        cost_type: ``actual``, ``amortized`` or ``focus``; needed where an export of each lies under the prefix, for
            they describe the same usage and only one may count.

    """

    prefix: str
    export: str | None
    cost_type: str | None

    def listings(self, since: Month | None) -> Iterable[tuple[str, str | None]]:
        """See Layout."""
        del since  # the service cannot start in the middle of a listing
        return [(self.prefix, None)]

    def deliveries(self, seen: Seen) -> Iterator[Found]:
        """See Layout."""
        runs = [run for stored in seen.objects.values() if (run := self._run(stored, seen)) is not None]
        _refuse_several("export", {run.export for run in runs}, self.prefix)
        _refuse_several("cost_type", {run.cost_type for run in runs if run.cost_type is not None}, self.prefix)
        months: dict[Month, list[_Run]] = defaultdict(list)
        for run in runs:
            months[run.month].append(run)
        for month in sorted(months):
            newest = max(months[month], key=lambda run: (run.submitted, run.stored.modified, run.stored.key))
            try:
                yield _delivery(newest, seen)
            except OffGridFlowError as error:
                yield RefusedDelivery(seen.source, month, newest.stored.key, error)

    def _run(self, stored: StoredObject, seen: Seen) -> _Run | None:
        """Return the run that a key is the manifest of, if it is one of this source and of a wanted month."""
        match = _KEY.fullmatch(stored.key)
        if match is None or not 1 <= int(match["start"][4:6]) <= 12 or int(match["start"][:4]) == 0:  # noqa: PLR2004
            return None
        export = (match["root"] or "").rstrip("/").rpartition("/")[2]
        run = _Run(stored, match["start"], match["end"], export, None, _stamp(match["run"]) or stored.modified, None)
        if not seen.span.holds(run.month) or self.export not in {None, export}:
            return None
        run = _read(run, seen)
        return run if run.cost_type in {None, self.cost_type or run.cost_type} and _is_cost(run) else None


def _read(run: _Run, seen: Seen) -> _Run:
    try:
        manifest = parse_manifest(run.stored, seen.read(run.stored))
    except InputError as error:
        return _Run(run.stored, run.start, run.end, run.export, None, run.submitted, None, error)
    cost_type = _TYPES.get((manifest.text("exportConfig", "type") or "").lower())
    submitted = instant_of(manifest.text("runInfo", "submittedTime")) or run.submitted
    return _Run(run.stored, run.start, run.end, run.export, cost_type, submitted, manifest)


def _is_cost(run: _Run) -> bool:
    """Whether a run is of costs: price sheets and reservation lists lie in the same containers."""
    declared = None if run.manifest is None else run.manifest.text("exportConfig", "type")
    return declared is None or declared.lower() in _TYPES


def _delivery(run: _Run, seen: Seen) -> Delivery:
    if run.manifest is None:
        raise run.error or InputError(f"{run.stored.key} cannot be read.")
    if not run.is_whole_month:
        sentence = f"The export {run.export} covers {run.start}-{run.end}, which is not a whole month."
        action = "Take an export of month-to-date or of the last month; parts of a month would replace each other."
        raise InputError(sentence, action=action, code="PERIOD_NOT_A_MONTH")
    why = _broken_promise(run.manifest)
    if why is not None:
        raise run.manifest.bad(why)
    parts = tuple(part for part in parts_of(run.manifest, seen.objects, seen.container) if part.size_bytes)
    return Delivery(
        source=seen.source,
        provider="azure",
        billing_period=run.month,
        fingerprint=fingerprint_of_parts(parts),
        parts=parts,
        format_hint=_HINTS.get(run.cost_type or ""),
        final=is_final(run.month, run.submitted),
        manifest_key=run.stored.key,
        submitted_at=run.submitted,
    )


def _broken_promise(manifest: Manifest) -> str | None:
    """Return which of a manifest's own totals contradicts its list of files, or None."""
    entries = manifest.entries
    totals: dict[str, list[int | None]] = {
        "blobCount": [1 for _ in entries],
        "byteCount": [entry.size_bytes for entry in entries],
        "dataRowCount": [entry.records for entry in entries],
    }
    for name, counts in totals.items():
        declared = manifest.number(name)
        known = [count for count in counts if count is not None]
        if declared is not None and len(known) == len(counts) and declared != sum(known):
            return f"gives {declared} as its {name} and lists {sum(known)}"
    return None


def _stamp(run: str | None) -> datetime | None:
    try:
        return datetime.strptime(run or "", "%Y%m%d%H%M").replace(tzinfo=UTC)
    except ValueError:
        return None


def _refuse_several(setting: str, names: Sequence[str] | set[str], prefix: str) -> None:
    if len(names) > 1:
        sentence = f"Under '{prefix}' lie exports of several kinds: {', '.join(sorted(names))}."
        action = f"Name one in the source's setting '{setting}'; counting two would count the same usage twice."
        raise UsageError(sentence, action=action, code="SEVERAL_EXPORTS")
