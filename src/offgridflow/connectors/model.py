"""What every connector hands on: parts of deliveries, what a scan found in them, and what was left out and why."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from offgridflow.domain.errors import InputError


class FileKind(StrEnum):
    """What a part holds, found from its content, never from its name."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"


class Compression(StrEnum):
    """How the bytes of a part are packed around its content."""

    NONE = "none"
    GZIP = "gzip"


class IgnoredReason(StrEnum):
    """Why a file of a folder is not part of any delivery. Reported, never silent."""

    HIDDEN = "hidden"
    SYMLINK = "symlink"
    SIDE_FILE = "side_file"
    MANIFEST = "manifest"
    EMPTY_FILE = "empty_file"
    NOT_LISTED = "not_listed"
    SUPERSEDED = "superseded"
    OTHER_KIND = "other_kind"
    INCOMPLETE_DELIVERY = "incomplete_delivery"
    LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Limits:
    """How far an input may go before it is refused; checked while reading, so memory and disk stay bounded.

    Deflate cannot exceed about 1,032 : 1; bills reach about 30 : 1. ``max_ratio`` counts only once more than
    ``ratio_free_bytes`` came out, so small repetitive files pass. ``max_line_bytes`` bounds one record, line breaks
    inside quotes included. ``max_rows_per_byte`` is the same guard for Parquet, where run lengths pack without limit.
    """

    max_line_bytes: int = 16 * 2**20
    max_inflated_bytes: int = 256 * 2**30
    max_ratio: int = 250
    ratio_free_bytes: int = 64 * 2**20
    max_archive_members: int = 1_000
    max_manifest_bytes: int = 16 * 2**20
    max_rows_per_byte: int = 1_000


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class FilePart:
    """One local file that can be read as it is.

    ``path`` is what to open, ``name`` what a person knows it by (``archive.zip!member.csv`` for a member that was
    unpacked). ``delivery`` names the manifest that lists the part, else None. ``expected_records`` is the manifest's
    own count where it gives one.
    """

    path: Path
    name: str
    kind: FileKind
    compression: Compression = Compression.NONE
    delivery: str | None = None
    expected_records: int | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The first record of a part and the first row after it, for format detection. Parquet has no ``first_row``."""

    columns: tuple[str, ...]
    first_row: tuple[str, ...] = ()
    delimiter: str = ","


@dataclass(frozen=True, slots=True)
class PartScan:
    """What one streaming pass, independent of the parser, found.

    ``digest`` is the SHA-256 (hex) of the decompressed content, ``size_bytes`` its length, ``records`` the data rows
    (header not counted), ``longest_record_bytes`` the longest record without its line end (0 for Parquet), ``nul_line``
    the first line of a CSV that holds NUL bytes, None where none does.
    """

    digest: str
    size_bytes: int
    records: int
    longest_record_bytes: int
    header: Header
    nul_line: int | None = None


@dataclass(frozen=True, slots=True)
class Ignored:
    """A file that was left out on purpose."""

    path: Path
    reason: IgnoredReason


@dataclass(frozen=True, slots=True)
class Refused:
    """A file or delivery that cannot be taken; the error says why and what to do. The rest goes on."""

    path: Path
    error: InputError


@dataclass(frozen=True, slots=True)
class Discovery:
    """All that was found under the given paths, in a fixed order."""

    parts: tuple[FilePart, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    refused: tuple[Refused, ...] = ()
