"""The container of an Avro file: header, then blocks of records; every mark is checked and no block is unbounded.

Read here and not by a library, because libraries take a cut or damaged block for the end, and inflate without a limit.
Layout: Apache Avro 1.12, "Object Container Files". Codecs: those that BigQuery writes (null, deflate, snappy).
"""

import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from offgridflow.connectors.files.streams import InflateGuard
from offgridflow.domain.errors import InputError

MAGIC: Final = b"Obj\x01"
SYNC_BYTES: Final = 16
_HEADER_BYTES: Final = 2**22
_MOST_BLOCK_BYTES: Final = 2**26
_RAW_DEFLATE: Final = -15
_LONGEST_VARINT: Final = 10
_HEADER_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "record",
    "name": "header",
    "fields": [
        {"name": "magic", "type": {"type": "fixed", "name": "magic", "size": 4}},
        {"name": "meta", "type": {"type": "map", "values": "bytes"}},
        {"name": "sync", "type": {"type": "fixed", "name": "sync", "size": SYNC_BYTES}},
    ],
}


@dataclass(frozen=True, slots=True)
class Block:
    """So many records, inflated. ``offset`` is where the block begins in the file."""

    records: int
    content: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Container:
    """The header of a file: its schema as JSON text, and how its blocks are packed."""

    schema: bytes
    codec: str
    sync: bytes
    begins_at: int


def damaged(name: str, why: str) -> InputError:
    """Return the InputError for an Avro file whose content cannot be meant."""
    return InputError(f"{name} is damaged: {why}", action="Fetch the file again.", code="BROKEN_AVRO")


def not_read(name: str, why: str, action: str = "Unload the table as Parquet instead.") -> InputError:
    """Return the InputError for an Avro file that is whole and beyond what is read."""
    return InputError(f"{name} is Avro {why}", action=action, code="AVRO_NOT_READ")


def _cut(name: str, offset: int) -> InputError:
    sentence = f"{name} is cut: it ends in the middle of what begins at byte {offset}"
    return InputError(sentence, action="Fetch the file again.", code="CUT_AVRO")


def header_of(stream: BinaryIO, name: str, decode: Callable[..., Any]) -> Container:
    """Read the header; ``decode`` is fastavro's ``schemaless_reader``.

    Raises InputError CUT_AVRO, BROKEN_AVRO, or AVRO_NOT_READ for a codec that BigQuery does not write.
    """
    head = io.BytesIO(stream.read(_HEADER_BYTES))
    try:
        found = decode(head, _HEADER_SCHEMA)
    except (EOFError, IndexError, OverflowError, UnicodeDecodeError, ValueError) as error:
        raise _cut(name, 0) from error
    schema = found["meta"].get("avro.schema")
    if found["magic"] != MAGIC or schema is None:
        raise damaged(name, "its header has no schema")
    codec = found["meta"].get("avro.codec", b"null").decode("ascii", "replace")
    if codec not in _CODECS:
        action = "Unload the table again with compression 'DEFLATE' or 'SNAPPY', or as Parquet."
        raise not_read(name, f"packed with {codec[:20]!r}, which is not read", action)
    return Container(schema, codec, found["sync"], head.tell())


def blocks_of(stream: BinaryIO, name: str, container: Container, guard: InflateGuard) -> Iterator[Block]:
    """Yield the blocks; memory is one block.

    Raises InputError CUT_AVRO, BROKEN_AVRO, INFLATES_TOO_MUCH.
    """
    offset = container.begins_at
    stream.seek(offset)
    while True:
        records = _varint(stream, name, offset, may_end=True)
        if records is None:
            return
        size = _varint(stream, name, offset) or 0
        if records < 0 or not 0 <= size <= _MOST_BLOCK_BYTES:
            raise damaged(name, f"the block at byte {offset} claims {records} records in {size} bytes")
        packed, sync = stream.read(size), stream.read(SYNC_BYTES)
        if len(packed) < size or len(sync) < SYNC_BYTES:
            raise _cut(name, offset)
        if sync != container.sync:
            raise damaged(name, f"the block at byte {offset} does not end with the file's mark")
        content = _unpacked(container.codec, packed, name, offset)
        if records > len(content):
            raise damaged(name, f"the block at byte {offset} claims {records} records in {len(content)} bytes")
        guard.add(len(content))
        yield Block(records, content, offset)
        offset = stream.tell()


def _varint(stream: BinaryIO, name: str, offset: int, *, may_end: bool = False) -> int | None:
    """Read a zigzag number; None where the file ends before it and may."""
    value = 0
    for place in range(_LONGEST_VARINT):
        byte = stream.read(1)
        if not byte:
            if may_end and place == 0:
                return None
            raise _cut(name, offset)
        value |= (byte[0] & 0x7F) << (7 * place)
        if byte[0] < 0x80:  # noqa: PLR2004 - the mark of Avro's last byte
            return (value >> 1) ^ -(value & 1)
    raise damaged(name, f"the block at byte {offset} begins with no number")


def _unpacked(codec: str, packed: bytes, name: str, offset: int) -> bytes:
    try:
        return _CODECS[codec](packed)
    except _TooMuchError as error:
        sentence = f"{name} holds a block at byte {offset} that inflates to more than {_MOST_BLOCK_BYTES} bytes"
        action = "No bill packs like this; look at it before you ingest it."
        raise InputError(sentence, action=action, code="INFLATES_TOO_MUCH") from error
    except (zlib.error, ValueError) as error:
        raise damaged(name, f"the block at byte {offset} cannot be inflated: {error}") from error
    except ImportError as error:
        raise not_read(name, "packed with snappy, and cramjam is not installed", INSTALL) from error


class _TooMuchError(Exception):
    """A block inflates beyond the limit."""


INSTALL: Final = "Run: pip install 'offgridflow[gcp]', or unload the table as Parquet."


def _deflated(packed: bytes) -> bytes:
    inflater = zlib.decompressobj(_RAW_DEFLATE)
    content = inflater.decompress(packed, _MOST_BLOCK_BYTES + 1)
    if len(content) > _MOST_BLOCK_BYTES:
        raise _TooMuchError
    if not inflater.eof:
        message = "its end is missing"
        raise ValueError(message)
    return content


def _snappy(packed: bytes) -> bytes:
    """Inflate a snappy block, after which stands the CRC-32 of its content."""
    import cramjam  # noqa: PLC0415 - in the extra gcp

    body, checksum = packed[:-4], packed[-4:]
    try:
        if cramjam.snappy.decompress_raw_len(body) > _MOST_BLOCK_BYTES:
            raise _TooMuchError
        content = bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError as error:
        raise ValueError(str(error)) from error
    if zlib.crc32(content).to_bytes(4, "big") != checksum:
        message = "its checksum differs"
        raise ValueError(message)
    return content


_CODECS: Final[Mapping[str, Callable[[bytes], bytes]]] = {"null": bytes, "deflate": _deflated, "snappy": _snappy}
