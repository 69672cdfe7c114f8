"""JSON lines, as BigQuery unloads tables: one object a line, counted and looked at without the engine."""

import json
from collections.abc import Iterator

from offgridflow.connectors.files.header import BOM, line_too_long, not_text
from offgridflow.connectors.files.streams import chunks_of
from offgridflow.connectors.model import DEFAULT_LIMITS, FilePart, Header, Limits
from offgridflow.domain.errors import InputError

_SAMPLE_RECORDS = 1000
"""How many objects are looked at for names: fields that are null are left out of a line, so the first is not enough."""


class LineCounter:
    """Counts the lines that hold something, and collects the names in the first of them; memory is one line.

    Args:
        name: the file, for errors.
        limits: the longest line that is accepted.

    """

    def __init__(self, name: str, limits: Limits) -> None:
        self.records = 0
        self.longest_bytes = 0
        self.columns: dict[str, None] = {}
        self._name = name
        self._limits = limits
        self._lines = 0
        self._tail = b""

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the content; raise InputError LINE_TOO_LONG, NOT_TEXT or BAD_JSON."""
        if b"\0" in piece:
            raise not_text(self._name, self._lines + 1 + piece.count(b"\n", 0, piece.index(b"\0")))
        *whole, self._tail = (self._tail + piece).split(b"\n")
        for line in whole:
            self._take(line)
        if len(self._tail) > self._limits.max_line_bytes:
            raise line_too_long(self._name, self._lines + 1, self._limits)

    def finish(self) -> None:
        """Take the last line where it has no line end."""
        self._take(self._tail)
        self._tail = b""

    def _take(self, line: bytes) -> None:
        self._lines += 1
        text = line.removeprefix(BOM).strip() if self._lines == 1 else line.strip()
        if not text:
            return
        if len(line) > self._limits.max_line_bytes:
            raise line_too_long(self._name, self._lines, self._limits)
        self.records += 1
        self.longest_bytes = max(self.longest_bytes, len(line))
        if self.records <= _SAMPLE_RECORDS:
            self.columns.update(dict.fromkeys(names_in(self._object(text))))
        elif not (text.startswith(b"{") and text.endswith(b"}")):
            raise self._no_object()

    def _object(self, text: bytes) -> dict[str, object]:
        try:
            found = json.loads(text)
        except ValueError as error:
            raise self._no_object() from error
        if not isinstance(found, dict):
            raise self._no_object()
        return found

    def _no_object(self) -> InputError:
        sentence = f"{self._name}, line {self._lines}: is not one JSON object"
        action = "Unload the table as newline-delimited JSON, or fetch the file again."
        return InputError(sentence, action=action, code="BAD_JSON")


def json_header(part: FilePart, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Return the dotted names in the first objects of a part; raise InputError where they are none."""
    counter = LineCounter(part.name, limits)
    for piece in chunks_of(part, limits):
        counter.feed(piece)
        if counter.records >= _SAMPLE_RECORDS:
            break
    else:
        counter.finish()
    return Header(tuple(counter.columns))


def names_in(value: object, path: str = "") -> Iterator[str]:
    """Yield the dotted names of all fields of an object, at any depth; lists have none of their own."""
    if path:
        yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from names_in(inner, f"{path}.{name}" if path else str(name))
