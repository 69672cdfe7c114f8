"""Count the records of a CSV stream without parsing it, and measure the longest.

Independent of DuckDB's reader on purpose: it can lose lines silently, so its count needs a second opinion. The rules
are those of RFC 4180 as DuckDB reads them: a quote opens only at the start of a field, a doubled quote stays inside,
line breaks inside quotes belong to the record, blank lines are no records unless there is only one column.
"""

import re
from collections.abc import Sequence

from offgridflow.connectors.files.header import BOM, is_no_text, line_too_long, not_text
from offgridflow.connectors.model import Limits
from offgridflow.domain.errors import InputError


class RecordCounter:
    """Counts records over pieces of any size; memory is one record at most.

    Args:
        name: the file, for errors.
        limits: the longest record that is accepted.
        delimiter: between fields.
        columns: how many columns the header has.

    """

    def __init__(self, name: str, limits: Limits, *, delimiter: str = ",", columns: int = 2) -> None:
        self.records = 0
        self.longest_bytes = 0
        self._name = name
        self._limits = limits
        self._blank_is_record = columns == 1
        self._whole = _whole_fields(delimiter.encode())
        self._tail = b""
        self._lines = 0
        self._open_bytes = 0
        self._open_line = 0
        self._started = False
        self.nul_line: int | None = None
        self._nul_bytes = 0
        self._bytes = 0

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the content; raise InputError LINE_TOO_LONG."""
        if not self._started:
            piece = self._without_bom(piece)
        self._bytes += len(piece)
        if b"\0" in piece:
            self._nul_bytes += piece.count(b"\0")
            self.nul_line = self.nul_line or self._lines + 1 + piece.count(b"\n", 0, piece.index(b"\0"))
        end = piece.rfind(b"\n") + 1
        if end == 0:
            self._tail += piece
        else:
            block = self._tail + piece[: end - 1]
            self._tail = piece[end:]
            self._take(block)
        if self._open_bytes + len(self._tail) > self._limits.max_line_bytes:
            raise line_too_long(self._name, self._open_line or self._lines + 1, self._limits)

    def finish(self) -> None:
        """Take the last line where it has no line end; raise InputError OPEN_QUOTE where a quote never closes.

        NOT_TEXT where so many bytes are NUL that it is no CSV with some broken lines, but something else.
        """
        if self.nul_line is not None and is_no_text(self._nul_bytes, self._bytes):
            raise not_text(self._name, self.nul_line)
        if self._tail:
            self._take(self._tail)
            self._tail = b""
        if self._open_line:
            sentence = f"{self._name}, line {self._open_line}: a quote opens and never closes"
            action = "The file is cut or malformed; fetch it again."
            raise InputError(sentence, action=action, code="OPEN_QUOTE")

    def _without_bom(self, piece: bytes) -> bytes:
        piece = self._tail + piece
        self._tail = b""
        if len(piece) < len(BOM) and BOM.startswith(piece):
            self._tail = piece
            return b""
        self._started = True
        return piece.removeprefix(BOM)

    def _take(self, block: bytes) -> None:
        lines = block.split(b"\n")
        if self._open_line or (b'"' in block and any(line.count(b'"') & 1 for line in lines)):
            self._take_one_by_one(lines)
        else:
            self._take_together(lines)
        self._lines += len(lines)

    def _take_together(self, lines: list[bytes]) -> None:
        """Every line is a record: none has an odd number of quotes."""
        self._measure(max(map(len, lines)), self._lines + 1, lines)
        self.records += len(lines)
        if not self._blank_is_record:
            self.records -= lines.count(b"") + lines.count(b"\r")

    def _take_one_by_one(self, lines: list[bytes]) -> None:
        for number, line in enumerate(lines, start=self._lines + 1):
            if self._open_line:
                self._open_bytes += len(line) + 1
                closes = self._closes(line)
            elif b'"' in line and not self._whole[0].fullmatch(line):
                self._open_line, self._open_bytes = number, len(line) + 1
                closes = False
            else:
                self._measure(len(line), number)
                self.records += self._blank_is_record or line not in {b"", b"\r"}
                continue
            if closes:
                self._measure(self._open_bytes - 1, self._open_line)
                self.records += 1
                self._open_line = self._open_bytes = 0
            elif self._open_bytes > self._limits.max_line_bytes:
                raise line_too_long(self._name, self._open_line, self._limits)

    def _measure(self, size_bytes: int, number: int, lines: Sequence[bytes] = ()) -> None:
        """Keep the longest record; ``number`` is its first line, or that of ``lines`` where it is one of them."""
        self.longest_bytes = max(self.longest_bytes, size_bytes)
        if size_bytes > self._limits.max_line_bytes:
            before = next((place for place, line in enumerate(lines) if len(line) == size_bytes), 0)
            raise line_too_long(self._name, number + before, self._limits)

    def _closes(self, line: bytes) -> bool:
        """Whether a line that begins inside quotes ends outside of them."""
        return b'"' in line and self._whole[1].fullmatch(line) is not None


def _whole_fields(delimiter: bytes) -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    """Return patterns for a line that begins outside (first) or inside (second) quotes and ends outside.

    Possessive quantifiers keep them linear. What follows a closing quote up to the delimiter is taken as it comes.
    """
    mark = re.escape(delimiter)
    rest = b'[^"]*+(?:""[^"]*+)*+"[^' + mark + b"]*+"
    field = b'(?:"' + rest + b'|(?!")[^' + mark + b"]*+)"
    more = b"(?:" + mark + field + b")*+"
    return re.compile(field + more, re.DOTALL), re.compile(rest + more, re.DOTALL)
