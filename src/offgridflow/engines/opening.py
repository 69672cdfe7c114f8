"""Open a text part, whatever its packing, for the few looks that do not go through DuckDB."""

import gzip
from pathlib import Path
from typing import TextIO

_GZIP = b"\x1f\x8b"


def open_text(path: Path) -> TextIO:
    """Open a CSV or JSON part as text; a gzip is known by its first bytes. Bytes that are no UTF-8 are replaced."""
    with path.open("rb") as probe:
        packed = probe.read(2) == _GZIP
    if packed:
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open("rt", encoding="utf-8-sig", errors="replace", newline="")
