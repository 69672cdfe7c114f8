"""The first record of a CSV part: encoding, delimiter and column names."""

import csv
import io

from offgridflow.connectors.files.streams import chunks_of
from offgridflow.connectors.model import DEFAULT_LIMITS, FilePart, Header, Limits
from offgridflow.domain.errors import InputError

BOM = b"\xef\xbb\xbf"
_DELIMITERS = (",", ";", "\t", "|")
_ENOUGH_BYTES = 2**16
_WANTED_RECORDS = 2
_MOST_NUL = 0.01


def csv_header(part: FilePart, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Read the header of a CSV part and the row after it, without reading on.

    Raises:
        InputError: NOT_TEXT, NOT_UTF8, BAD_LINE_ENDS, LINE_TOO_LONG, or what ``chunks_of`` raises. A part without any
            record has a header without columns.

    """
    pieces: list[bytes] = []
    size = 0
    for piece in chunks_of(part, limits):
        pieces.append(piece)
        size += len(piece)
        if size >= min(_ENOUGH_BYTES, limits.max_line_bytes) and b"\n" in piece:
            header = _parsed(part.name, b"".join(pieces), complete=False)
            if header.columns:
                return header
        if size > limits.max_line_bytes:
            raise line_too_long(part.name, 1, limits)
    return _parsed(part.name, b"".join(pieces), complete=True)


def line_too_long(name: str, line: int, limits: Limits) -> InputError:
    """Return the InputError for a record beyond the limit, which begins at ``line`` (1 is the first line)."""
    sentence = f"{name}, line {line}: a record is longer than {limits.max_line_bytes} bytes"
    action = "Look for a quote that never closes, or fetch the file again."
    return InputError(sentence, action=action, code="LINE_TOO_LONG")


def not_text(name: str, line: int) -> InputError:
    """Return the InputError for a NUL byte in what should be text."""
    sentence = f"{name}, line {line}: holds NUL bytes, so it is not text"
    action = "Give CSV (plain, gzip or ZIP) or Parquet; UTF-16 must be saved as UTF-8."
    return InputError(sentence, action=action, code="NOT_TEXT")


def is_no_text(nul_bytes: int, size_bytes: int) -> bool:
    """Whether so many bytes are NUL that it is no CSV with some broken lines, but UTF-16 or something else."""
    return nul_bytes > _MOST_NUL * size_bytes


def _parsed(name: str, head: bytes, *, complete: bool) -> Header:
    """Return the header; without columns where ``head`` does not hold the whole first record."""
    if b"\0" in head.lstrip(b"\r\n").partition(b"\n")[0]:
        raise not_text(name, head.count(b"\n", 0, head.index(b"\0")) + 1)
    if b"\r" in head and b"\n" not in head:
        sentence = f"{name}: its lines end in carriage returns alone"
        raise InputError(sentence, action="Save it with Unix or Windows line ends.", code="BAD_LINE_ENDS")
    text = _text(name, head.removeprefix(BOM), complete=complete)
    delimiter = _delimiter(text)
    records = _first_records(text, delimiter, complete=complete)
    columns = tuple(column.strip() for column in records[0]) if records else ()
    return Header(columns, tuple(records[1]) if len(records) > 1 else (), delimiter)


def _first_records(text: str, delimiter: str, *, complete: bool) -> list[list[str]]:
    """Return the first two records that are whole; the last record of a cut text may be cut itself."""
    records: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                records.append(row)
            if len(records) > _WANTED_RECORDS:
                return records[:_WANTED_RECORDS]
    except csv.Error:  # a field longer than the reader takes: the scan measures it
        return records
    return records[:_WANTED_RECORDS] if complete else records[:-1]


def _text(name: str, head: bytes, *, complete: bool) -> str:
    try:
        return head.decode("utf-8")
    except UnicodeDecodeError as error:
        cut_character = error.start >= len(head) - 3 and not complete
        if cut_character:
            return head[: error.start].decode("utf-8")
        line = head.count(b"\n", 0, error.start) + 1
        sentence = f"{name}, line {line}: byte {error.start} is not UTF-8"
        raise InputError(sentence, action="Save the file as UTF-8.", code="NOT_UTF8") from error


def _delimiter(text: str) -> str:
    """Return the delimiter that splits the first line into most columns; a comma where none does."""
    line = text.lstrip("\r\n").partition("\n")[0]
    widths = {mark: len(next(csv.reader([line], delimiter=mark), [])) for mark in _DELIMITERS}
    return max(_DELIMITERS, key=lambda mark: widths[mark])
