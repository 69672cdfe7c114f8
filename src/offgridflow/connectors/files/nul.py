"""CSV parts with NUL bytes in some lines: each such record becomes one that the engine refuses, at its own line.

DuckDB reads a NUL like any character, so a half-written line would pass for a bill's; a record with a column too many
that holds something is refused. The copy has as many lines and
records as the part, so what is quarantined has the line number of the original.
"""

import csv
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from offgridflow.connectors.files.header import BOM
from offgridflow.connectors.files.streams import chunks_of
from offgridflow.connectors.model import Compression, FilePart, Limits, PartScan

_TEXT: Final = "NUL byte in this record"


def without_nul(part: FilePart, found: PartScan, folder: Path, limits: Limits) -> FilePart:
    """Return the part, or where its scan met NUL bytes a plain copy of it in ``folder`` that has none.

    Raises:
        InputError: the part changed since it was scanned and cannot be read any more.

    """
    if found.nul_line is None:
        return part
    path = folder / f"{found.digest[:32]}.csv"
    csv.field_size_limit(max(csv.field_size_limit(), limits.max_line_bytes))
    refused = (_TEXT + f"{found.header.delimiter}x" * len(found.header.columns)).encode()
    with path.open("wb") as copy:
        for record in _records(part, found.header.delimiter, limits):
            copy.write(refused + b"\n" * record.count(b"\n") if b"\0" in record else record)
    return replace(part, path=path, compression=Compression.NONE)


def _records(part: FilePart, delimiter: str, limits: Limits) -> Iterator[bytes]:
    """Yield the records of a part as they stand there, with their line ends."""
    seen: list[str] = []

    def lines() -> Iterator[str]:
        for line in _lines(part, limits):
            text = line.decode("utf-8", "surrogateescape")
            seen.append(text)
            yield text

    for _ in csv.reader(lines(), delimiter=delimiter):
        yield "".join(seen).encode("utf-8", "surrogateescape")
        seen.clear()
    yield "".join(seen).encode("utf-8", "surrogateescape")


def _lines(part: FilePart, limits: Limits) -> Iterator[bytes]:
    tail, first = b"", True
    for piece in chunks_of(part, limits):
        *whole, tail = (tail + piece).split(b"\n")
        for line in whole:
            yield (line.removeprefix(BOM) if first else line) + b"\n"
            first = False
    if tail:
        yield tail
