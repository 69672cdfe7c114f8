"""One streaming pass over a part, independent of the parser: digest, CRC, record count, longest record, header."""

import hashlib
from collections.abc import Callable, Iterable
from typing import Final

from offgridflow.connectors.files.header import csv_header
from offgridflow.connectors.files.json_lines import LineCounter, json_header
from offgridflow.connectors.files.parquet import footer_of
from offgridflow.connectors.files.records import RecordCounter
from offgridflow.connectors.files.streams import chunks_of
from offgridflow.connectors.model import DEFAULT_LIMITS, FileKind, FilePart, Header, Limits, PartScan
from offgridflow.domain.errors import InputError


def _nobody(count: int) -> None:
    """Nobody watches the progress."""


def _unseen(piece: bytes) -> None:
    """Nobody looks at the content."""


def header_of(part: FilePart, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Return the columns of a part and, of a CSV, its first data row and delimiter; reads only the beginning.

    Raises:
        InputError: what is wrong with the file, by name.

    """
    if part.kind is FileKind.PARQUET:
        return Header(footer_of(part.path, part.name, limits)[1])
    if part.kind is FileKind.JSON:
        return json_header(part, limits)
    return csv_header(part, limits)


def scan(part: FilePart, limits: Limits = DEFAULT_LIMITS, *, on_bytes: Callable[[int], None] = _nobody) -> PartScan:
    """Read a part once from end to end.

    Args:
        part: what to read.
        limits: how far it may go.
        on_bytes: called with the number of decompressed bytes of each piece, for progress.

    Raises:
        InputError: what is wrong with the file, by name; MANIFEST_MISMATCH where a manifest counts other records.

    """
    found = _SCANS[part.kind](part, limits, on_bytes)
    if part.expected_records is not None and part.expected_records != found.records:
        sentence = f"{part.name} holds {found.records} records, its manifest says {part.expected_records}"
        raise InputError(sentence, action="Fetch the delivery again.", code="MANIFEST_MISMATCH")
    return found


def without_duplicates(scanned: Iterable[tuple[FilePart, PartScan]]) -> tuple[list[int], list[int]]:
    """Return (positions to keep, positions whose content was seen before), so that equal digests count once."""
    seen: set[str] = set()
    keep: list[int] = []
    duplicates: list[int] = []
    for position, (_, found) in enumerate(scanned):
        (duplicates if found.digest in seen else keep).append(position)
        seen.add(found.digest)
    return keep, duplicates


def _digested(
    part: FilePart, limits: Limits, on_bytes: Callable[[int], None], *, feed: Callable[[bytes], None] = _unseen
) -> tuple[str, int]:
    """Return SHA-256 and size of the content, which ``feed`` is given piece by piece."""
    digest = hashlib.sha256()
    size = 0
    for piece in chunks_of(part, limits):
        digest.update(piece)
        feed(piece)
        size += len(piece)
        on_bytes(len(piece))
    return digest.hexdigest(), size


def _scan_parquet(part: FilePart, limits: Limits, on_bytes: Callable[[int], None]) -> PartScan:
    records, columns = footer_of(part.path, part.name, limits)
    digest, size = _digested(part, limits, on_bytes)
    return PartScan(digest, size, records, 0, Header(columns))


def _scan_csv(part: FilePart, limits: Limits, on_bytes: Callable[[int], None]) -> PartScan:
    header = csv_header(part, limits)
    counter = RecordCounter(part.name, limits, delimiter=header.delimiter, columns=len(header.columns))
    digest, size = _digested(part, limits, on_bytes, feed=counter.feed)
    counter.finish()
    return PartScan(digest, size, max(counter.records - 1, 0), counter.longest_bytes, header, counter.nul_line)


def _scan_json(part: FilePart, limits: Limits, on_bytes: Callable[[int], None]) -> PartScan:
    counter = LineCounter(part.name, limits)
    digest, size = _digested(part, limits, on_bytes, feed=counter.feed)
    counter.finish()
    return PartScan(digest, size, counter.records, counter.longest_bytes, Header(tuple(counter.columns)))


_SCANS: Final = {FileKind.PARQUET: _scan_parquet, FileKind.JSON: _scan_json, FileKind.CSV: _scan_csv}
