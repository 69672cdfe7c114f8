"""Open a text part, whatever its packing, for the few looks that do not go through DuckDB."""

import gzip
import io
from pathlib import Path
from typing import BinaryIO, TextIO, cast

GZIP = b"\x1f\x8b"


def is_gzip(path: Path) -> bool:
    """Tell whether a file is a gzip, by its first bytes."""
    with path.open("rb") as stream:
        return stream.read(len(GZIP)) == GZIP


def open_bytes(path: Path) -> BinaryIO:
    """Open the content of a CSV or JSON part."""
    return cast("BinaryIO", gzip.open(path, "rb")) if is_gzip(path) else path.open("rb")


def open_text(path: Path) -> TextIO:
    """Open a CSV or JSON part as text; bytes that are no UTF-8 are replaced."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig", errors="replace", newline="")
