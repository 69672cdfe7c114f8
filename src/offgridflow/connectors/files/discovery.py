"""Find the parts of deliveries in files and folders.

A folder with a provider's manifest is read as the manifest says: only listed files, the newest run of each period, and
a delivery with a missing file is refused as a whole. Everything that is left out is returned with its reason.
"""

import hashlib
import json
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from offgridflow.connectors.files.archives import unpack
from offgridflow.connectors.files.avro import as_json_lines
from offgridflow.connectors.files.json_lines import names_in
from offgridflow.connectors.files.manifests import Listed, Manifest, anchor_of, find, is_manifest, read_manifest
from offgridflow.connectors.files.sniffing import GZIPPED, Content, content_of, kind_of_content
from offgridflow.connectors.files.streams import unreadable
from offgridflow.connectors.model import (
    DEFAULT_LIMITS,
    Compression,
    Discovery,
    FilePart,
    Ignored,
    IgnoredReason,
    Limits,
    Refused,
)
from offgridflow.domain.errors import InputError, UsageError
from offgridflow.formats import detect

_SIDE_SUFFIXES = frozenset({".crc", ".json", ".md", ".sha256", ".sql", ".yaml", ".yml"})
_SIDE_FOLDERS = frozenset({"__macosx", "cost_and_usage_data_status"})
_LEDGER_MARKS = ("ledger.json", "emissions")
_FIRST_LINE_BYTES = 2**20
_WILDCARDS = frozenset("*?[")
_Place = tuple[Listed, Path | None]


def discover(paths: Sequence[Path], work_dir: Path, limits: Limits = DEFAULT_LIMITS) -> Discovery:
    """Return all parts under ``paths``, sorted by name, with what was ignored and what was refused.

    Args:
        paths: files, or folders that are searched with all that is under them.
        work_dir: an existing folder of ours; members of ZIP archives are unpacked into it.
        limits: how far an input may go.

    Raises:
        UsageError: NO_SUCH_PATH.

    """
    found = _Found(work_dir, limits)
    for path in paths:
        if not path.exists():
            sentence = f"{path} does not exist"
            raise UsageError(sentence, action="Give an existing file or folder.", code="NO_SUCH_PATH")
        if path.is_dir():
            found.take_folder(path)
        else:
            found.take_file(path)
    return Discovery(
        tuple(sorted(found.parts, key=lambda part: part.name)),
        tuple(sorted(found.ignored, key=lambda ignored: str(ignored.path))),
        tuple(sorted(found.refused, key=lambda refused: str(refused.path))),
    )


@dataclass(slots=True)
class _Found:
    work_dir: Path
    limits: Limits
    parts: list[FilePart] = field(default_factory=list)
    ignored: list[Ignored] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    seen: set[Path] = field(default_factory=set)
    rowless: set[Path] = field(default_factory=set)

    def take_file(self, path: Path) -> None:
        """Take a file that was named: it must be something that can be read."""
        if not self.first_time(path):
            return
        try:
            parts = self.read(path)
            if not parts and path not in self.rowless:
                raise _empty(path)
        except InputError as error:
            self.refused.append(Refused(path, error))
        else:
            self.parts.extend(parts)

    def take_folder(self, root: Path) -> None:
        """Take what a folder holds: listed files of manifests first, then what no manifest speaks for."""
        if _is_ledger(root):
            sentence = f"{root} is a ledger, not a folder of bills"
            action = "Give the folder that the bills are in, and the ledger as --ledger."
            self.refused.append(Refused(root, InputError(sentence, action=action, code="IS_A_LEDGER")))
            return
        files = [path for path in self.walk(root) if self.is_data(path) and self.first_time(path)]
        manifests = list(self.manifests(path for path in files if is_manifest(path)))
        files = [path for path in files if not is_manifest(path)]
        by_name: dict[str, list[Path]] = defaultdict(list)
        for path in files:
            by_name[path.name].append(path)
        claimed = self.take_deliveries(manifests, by_name)
        for path in files:
            if path not in claimed and not self.is_left_over(path, manifests):
                self.take_loose(path)

    def walk(self, root: Path) -> Iterator[Path]:
        """Yield the files under a folder in a fixed order, never following a link."""

        def report(error: OSError) -> None:
            place = Path(error.filename) if error.filename else root
            self.refused.append(Refused(place, unreadable(str(place), error)))

        for folder, folders, names in os.walk(root, onerror=report):
            here = Path(folder)
            folders[:] = [name for name in sorted(folders) if self.may_enter(here / name)]
            yield from (here / name for name in sorted(names))

    def may_enter(self, folder: Path) -> bool:
        """Whether to look into a folder; reports those that are left out."""
        reason = None
        if folder.is_symlink():
            reason = IgnoredReason.SYMLINK
        elif folder.name.startswith("."):
            reason = IgnoredReason.HIDDEN
        elif folder.name.lower() in _SIDE_FOLDERS:
            reason = IgnoredReason.SIDE_FILE
        elif _is_ledger(folder):
            reason = IgnoredReason.LEDGER  # the default ledger lies in the folder that people ingest
        if reason is not None:
            self.ignored.append(Ignored(folder, reason))
        return reason is None

    def is_data(self, path: Path) -> bool:
        """Whether a file of a folder may hold data or be a manifest; reports those that do not."""
        reason = None
        if path.is_symlink():
            reason = IgnoredReason.SYMLINK
        elif path.name.startswith((".", "_")):
            reason = IgnoredReason.HIDDEN
        elif path.suffix.lower() in _SIDE_SUFFIXES and not is_manifest(path) and not _is_json_bill(path):
            reason = IgnoredReason.SIDE_FILE
        if reason is not None:
            self.ignored.append(Ignored(path, reason))
        return reason is None

    def manifests(self, paths: Iterator[Path]) -> Iterator[Manifest]:
        """Yield the manifests; one that cannot be read is refused, and still speaks for its folder."""
        for path in paths:
            try:
                manifest = read_manifest(path, self.limits)
            except InputError as error:
                self.refused.append(Refused(path, error))
                yield Manifest(path, *anchor_of(path), (False, "", -1, str(path)), ())
                continue
            self.ignored.append(Ignored(path, IgnoredReason.SIDE_FILE if manifest is None else IgnoredReason.MANIFEST))
            if manifest is not None:
                yield manifest

    def take_deliveries(self, manifests: Sequence[Manifest], by_name: dict[str, list[Path]]) -> set[Path]:
        """Take the newest delivery of each period; return the files that manifests list, taken or not."""
        newest: dict[tuple[Path, str], Manifest] = {}
        for manifest in sorted(manifests, key=lambda manifest: manifest.age):
            newest[manifest.group] = manifest
        claimed: set[Path] = set()
        for manifest in newest.values():
            claimed |= self.take_delivery(manifest, by_name)
        for manifest in manifests:
            if newest[manifest.group] is not manifest:
                older = {path for listed in manifest.listed if (path := find(listed, manifest, by_name)) is not None}
                self.ignored.extend(Ignored(path, IgnoredReason.SUPERSEDED) for path in sorted(older - claimed))
                claimed |= older
        return claimed

    def take_delivery(self, manifest: Manifest, by_name: dict[str, list[Path]]) -> set[Path]:
        """Take the listed files, all or none; return those that are there."""
        places = [(listed, find(listed, manifest, by_name)) for listed in manifest.listed]
        wanted, others = _one_kind(places)
        there = {path for _, path in wanted if path is not None}
        spare = {path for _, path in others if path is not None} - there
        self.ignored.extend(Ignored(path, IgnoredReason.OTHER_KIND) for path in sorted(spare))
        try:
            self.parts.extend(self.read_delivery(manifest, wanted))
        except InputError as error:
            self.refused.append(Refused(manifest.path, error))
            self.ignored.extend(Ignored(path, IgnoredReason.INCOMPLETE_DELIVERY) for path in sorted(there))
        return there | spare

    def read_delivery(self, manifest: Manifest, places: Sequence[_Place]) -> list[FilePart]:
        """Return the parts of a delivery; raise InputError where one is missing or cannot be read."""
        missing = [listed.key for listed, path in places if path is None]
        if missing:
            sentence = f"{manifest.path} lists {len(places)} files and {len(missing)} are missing, first {missing[0]}"
            raise InputError(sentence, action="Fetch the whole delivery again.", code="MISSING_PART")
        parts: list[FilePart] = []
        for listed, path in places:
            if path is not None:
                parts.extend(self.read_listed(path, manifest, listed))
        return parts

    def read_listed(self, path: Path, manifest: Manifest, listed: Listed) -> tuple[FilePart, ...]:
        """Return the parts of a listed file, which may not be empty."""
        parts = self.read(path, delivery=str(manifest.path), records=listed.records)
        if not parts:
            raise _empty(path)
        return parts

    def is_left_over(self, path: Path, manifests: Sequence[Manifest]) -> bool:
        """Whether a file lies among a delivery's files without being listed; reports it."""
        left_over = any(manifest.owns(path) for manifest in manifests)
        if left_over:
            self.ignored.append(Ignored(path, IgnoredReason.NOT_LISTED))
        return left_over

    def take_loose(self, path: Path) -> None:
        """Take a file that no manifest speaks for."""
        try:
            parts = self.read(path)
        except InputError as error:
            self.refused.append(Refused(path, error))
            return
        if not parts and path not in self.rowless:
            self.ignored.append(Ignored(path, IgnoredReason.EMPTY_FILE))
        self.parts.extend(parts)

    def first_time(self, path: Path) -> bool:
        """Whether a file was not met before, under this or another name."""
        real = path.resolve()
        known = real in self.seen
        self.seen.add(real)
        return not known

    def read(self, path: Path, *, delivery: str | None = None, records: int | None = None) -> tuple[FilePart, ...]:
        """Return the parts that a file holds, by its content; none where it is empty."""
        name = str(path)
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                sentence = f"{name} is not a regular file"
                raise InputError(sentence, action="Give a file or folder.", code="NOT_A_FILE")
            content = content_of(path, name)
        except OSError as error:
            raise unreadable(name, error) from error
        if content is Content.EMPTY:
            return ()
        if content is Content.ZIP:
            members = unpack(path, name, self.work_dir, self.limits)
            return tuple(replace(member, delivery=delivery) for member in members)
        if content is Content.AVRO:
            part = as_json_lines(path, name, self.work_dir, self.limits)
            if part is None:  # a shard of an unload without rows is whole and holds nothing
                self.rowless.add(path)
                self.ignored.append(Ignored(path, IgnoredReason.EMPTY_FILE))
                return ()
            return (replace(part, delivery=delivery, expected_records=records),)
        kind = kind_of_content(content)
        compression = Compression.GZIP if content in GZIPPED else Compression.NONE
        return (FilePart(self.openable(path), name, kind, compression, delivery, records),)

    def openable(self, path: Path) -> Path:
        """Return a path to the file that no engine takes for a pattern."""
        if not _WILDCARDS & set(str(path)):
            return path
        alias = self.work_dir / f"alias-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()}"
        if not alias.is_symlink():
            alias.symlink_to(path.resolve())
        return alias


def _is_json_bill(path: Path) -> bool:
    """Whether a file that is named like a side file holds the lines of a bill, one JSON object each."""
    if path.suffix.lower() != ".json":
        return False
    try:
        with path.open("rb") as stream:
            first = json.loads(stream.readline(_FIRST_LINE_BYTES))
    except (OSError, ValueError):
        return False
    return isinstance(first, dict) and detect(tuple(names_in(first))) is not None


def _is_ledger(folder: Path) -> bool:
    return all((folder / mark).exists() for mark in _LEDGER_MARKS)


def _one_kind(places: Sequence[_Place]) -> tuple[Sequence[_Place], Sequence[_Place]]:
    """Return (places to take, places to leave): where CSV and Parquet are both listed they are the same lines twice.

    Parquet is taken, unless only the CSV files are all there.
    """
    parquet = [place for place in places if place[0].is_parquet]
    others = [place for place in places if not place[0].is_parquet]
    if not parquet or not others:
        return places, ()
    parquet_whole = all(path is not None for _, path in parquet)
    others_whole = all(path is not None for _, path in others)
    return (others, parquet) if others_whole and not parquet_whole else (parquet, others)


def _empty(path: Path) -> InputError:
    return InputError(f"{path} is empty", action="Fetch the file again.", code="EMPTY_FILE")
