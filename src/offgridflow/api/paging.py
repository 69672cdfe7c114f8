"""Pages: a cursor is opaque, names the version that it belongs to, and fits one question only."""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from offgridflow.api.params import usage

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: rows before it, in which version, of which question."""

    version: int
    offset: int
    question: str

    def text(self) -> str:
        """Return the cursor as it travels."""
        plain = json.dumps([self.version, self.offset, self.question]).encode()
        return base64.urlsafe_b64encode(plain).decode().rstrip("=")


def digest_of(*parts: object) -> str:
    """Return a short digest of a question."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def read_cursor(text: str, question: str) -> Cursor:
    """Read a cursor. Raises ApiError USAGE if it is not one of ours, or of another question."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        said = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        said = None
    fits = isinstance(said, list) and [type(value) for value in said] == [int, int, str]
    if not fits or said[2] != question or not 0 <= said[1] < 2**53 or not 0 <= said[0] < 2**53:
        raise usage(parameter="cursor", sentence="It is not the `next` of this question.")
    return Cursor(said[0], said[1], said[2])


def page_of(
    rows: Sequence[Row], cursor: Cursor | None, limit: int, version: int, question: str
) -> tuple[Sequence[Row], str | None]:
    """Return the rows of a page, and the cursor of the next one, None at the end."""
    first = cursor.offset if cursor else 0
    page = rows[first : first + limit]
    after = first + limit
    return page, Cursor(version, after, question).text() if after < len(rows) else None
