"""What to ingest: files found, read through once on their own, told apart by format, and grouped into batches."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from offgridflow.connectors import files
from offgridflow.connectors.model import FilePart, IgnoredReason, PartScan
from offgridflow.connectors.model import Limits as FileLimits
from offgridflow.domain.errors import OffGridFlowError
from offgridflow.formats import Format, detect, refusal
from offgridflow.pipeline.failures import retry_class_of
from offgridflow.pipeline.model import Failure, Limits, PeriodResult, Progress


@dataclass(frozen=True, slots=True)
class ScannedPart:
    """One part with what the independent pass over it found."""

    part: FilePart
    scan: PartScan


@dataclass(frozen=True, slots=True)
class Batch:
    """All parts of one format in one call; their periods are found by reading them."""

    format: Format
    parts: tuple[ScannedPart, ...]


@dataclass(slots=True)
class Plan:
    """Batches to ingest, files that failed, and notes on what was left aside."""

    batches: list[Batch] = field(default_factory=list)
    failures: list[PeriodResult] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_plan(paths: Sequence[Path], work_folder: Path, limits: Limits, progress: Progress) -> Plan:
    """Find, scan and recognise the files of one ingest.

    A file that cannot be read or recognised becomes a failure and the others go on. A part whose content was already
    seen counts once.
    """
    plan = Plan()
    found = files.discover(paths, work_folder)
    plan.notes.extend(
        f"{ignored.path}: {ignored.reason.value}, left aside"
        for ignored in found.ignored
        if ignored.reason not in _QUIETLY_IGNORED
    )
    plan.failures.extend(_failed_file(refused.error) for refused in found.refused)
    add_parts(plan, found.parts, work_folder, limits, progress)
    if not (found.parts or found.refused or plan.notes):
        plan.notes.append(f"{', '.join(map(str, paths))}: no bill is there")
    return plan


def add_parts(plan: Plan, parts: Sequence[FilePart], work_folder: Path, limits: Limits, progress: Progress) -> None:
    """Scan and recognise ``parts`` and add them to the batches of ``plan``; copies go to ``work_folder``."""
    seen: set[str] = set()
    batches: dict[str, list[ScannedPart]] = {}
    formats: dict[str, Format] = {}
    for item in _scan(parts, work_folder, limits, progress, plan):
        if item.scan.digest in seen:
            plan.notes.append(f"{item.part.name}: duplicate_part, the same content was already counted")
            continue
        seen.add(item.scan.digest)
        if not item.scan.records:
            plan.notes.append(f"{item.part.name}: no lines, only a header")
        columns = item.scan.header.columns
        found = detect(columns)
        if found is None:
            plan.failures.append(_failed_file(refusal(item.part.name, columns)))
            continue
        formats[found.name] = found
        batches.setdefault(found.name, []).append(item)
    plan.batches.extend(Batch(formats[name], tuple(items)) for name, items in sorted(batches.items()))


_QUIETLY_IGNORED = frozenset(
    {IgnoredReason.HIDDEN, IgnoredReason.SIDE_FILE, IgnoredReason.MANIFEST, IgnoredReason.LEDGER}
)


def failure_of(error: OffGridFlowError) -> Failure:
    """Return the failure record of an error."""
    return Failure(error.code, error.sentence, error.action, retry_class_of(error))


def _failed_file(error: OffGridFlowError) -> PeriodResult:
    return PeriodResult(None, None, None, None, None, "failed", error=failure_of(error))


def _scan(
    parts: Sequence[FilePart], work_folder: Path, limits: Limits, progress: Progress, plan: Plan
) -> list[ScannedPart]:
    scanned: list[ScannedPart] = []
    bounds = FileLimits(max_line_bytes=limits.max_line_bytes)
    with ThreadPoolExecutor(max_workers=limits.threads) as pool:
        futures = [(part, pool.submit(files.scan, part, bounds)) for part in parts]
        for done, (part, future) in enumerate(futures, start=1):
            try:
                found = future.result()
                scanned.append(ScannedPart(files.without_nul(part, found, work_folder, bounds), found))
            except OffGridFlowError as error:
                plan.failures.append(_failed_file(error))
            progress("scan", part.name, done, len(futures))
    return scanned
