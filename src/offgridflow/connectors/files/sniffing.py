"""Tell what a file is from its first bytes; names and extensions are never believed."""

import zlib
from enum import StrEnum
from pathlib import Path
from typing import Final

from offgridflow.connectors.files.avro_blocks import MAGIC as AVRO
from offgridflow.connectors.files.header import is_no_text
from offgridflow.connectors.files.parquet import MAGIC as PARQUET
from offgridflow.connectors.files.streams import unreadable
from offgridflow.connectors.model import FileKind
from offgridflow.domain.errors import InputError

_HEAD_BYTES = 4096
_GZIP_WINDOW = 31
_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_OTHERS = {
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bzip2",
    b"7z\xbc\xaf": "7-Zip",
    b"Rar!": "RAR",
    b"\x04\x22\x4d\x18": "LZ4",
    b"\xff\x06\x00\x00sNaPpY": "framed snappy",
    b"%PDF": "PDF",
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"SQLite format 3": "SQLite",
    b"ORC": "ORC",
    b"\x7fELF": "a program",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_BOM = b"\xef\xbb\xbf"
_ACCEPTED = "Accepted are CSV in UTF-8 (plain, gzip or ZIP), JSON lines (plain or gzip), Parquet and Avro."


class Content(StrEnum):
    """What the first bytes say."""

    EMPTY = "empty"
    TEXT = "text"
    JSON = "json"
    PARQUET = "parquet"
    AVRO = "avro"
    GZIP_TEXT = "gzip_text"
    GZIP_JSON = "gzip_json"
    ZIP = "zip"


GZIPPED: Final = frozenset({Content.GZIP_TEXT, Content.GZIP_JSON})


def kind_of_content(content: Content) -> FileKind:
    """Return how a part with this content is read."""
    if content is Content.PARQUET:
        return FileKind.PARQUET
    return FileKind.JSON if content in {Content.JSON, Content.GZIP_JSON} else FileKind.CSV


def content_of(path: Path, name: str) -> Content:
    """Return what a regular file holds.

    Raises:
        InputError: UNREADABLE_FILE; UNKNOWN_CONTENT for what is neither text, gzip, ZIP, Parquet nor Avro;
            NESTED_ARCHIVE for an archive inside gzip; BROKEN_GZIP for a gzip that cannot even begin.

    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise unreadable(name, error) from error
    if head.startswith(_GZIP):
        return _inside_gzip(name, head)
    return content_of_head(name, head)


def content_of_head(name: str, head: bytes) -> Content:
    """Return what a file holds that begins with ``head``; gzip is a nested archive here."""
    if not head:
        return Content.EMPTY
    if head.startswith(PARQUET):
        return Content.PARQUET
    if head.startswith(_ZIP):
        return Content.ZIP
    if head.startswith(AVRO):
        return Content.AVRO
    seen = next((kind for magic, kind in _OTHERS.items() if head.startswith(magic)), None)
    if seen is None and head.startswith(_GZIP):
        seen = "gzip"
    if seen is None and (b"\0" in head.partition(b"\n")[0] or is_no_text(head.count(b"\0"), len(head))):
        seen = "binary data"
    if seen is not None:
        sentence = f"{name} is {seen}, which is not a billing export"
        raise InputError(sentence, action=_ACCEPTED, code="UNKNOWN_CONTENT")
    return Content.JSON if head.removeprefix(_BOM).lstrip().startswith(b"{") else Content.TEXT


def nested(name: str) -> InputError:
    """Return the InputError for an archive inside an archive."""
    action = "Unpack the outer archive first; archives inside archives are not opened."
    return InputError(f"{name} holds another archive, Parquet or Avro inside", action=action, code="NESTED_ARCHIVE")


def _inside_gzip(name: str, packed: bytes) -> Content:
    try:
        head = zlib.decompressobj(_GZIP_WINDOW).decompress(packed, _HEAD_BYTES)
    except zlib.error as error:
        sentence = f"{name} begins like gzip and is damaged from the start: {error}"
        raise InputError(sentence, action="Fetch the file again.", code="BROKEN_GZIP") from error
    if head.startswith((_GZIP, *_ZIP, PARQUET, AVRO)):
        raise nested(name)
    return Content.GZIP_JSON if content_of_head(name, head) is Content.JSON else Content.GZIP_TEXT
