"""Read files piece by piece: decompressed, checked, and bounded while it happens."""

import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from offgridflow.connectors.model import Compression, FilePart, Limits
from offgridflow.domain.errors import InputError

CHUNK_BYTES = 2**20
_READ_BYTES = 2**18
_GZIP_WINDOW = 31


@dataclass(slots=True)
class InflateGuard:
    """Counts what comes out of a compressed file of ``packed_bytes`` and stops a bomb in mid-air."""

    name: str
    packed_bytes: int
    limits: Limits
    inflated_bytes: int = 0

    def add(self, count: int) -> None:
        """Count ``count`` more bytes; raise InputError (INFLATES_TOO_MUCH) beyond the caps."""
        self.inflated_bytes += count
        capped = self.inflated_bytes > self.limits.max_inflated_bytes
        free = self.inflated_bytes <= self.limits.ratio_free_bytes
        if capped or (not free and self.inflated_bytes > self.limits.max_ratio * self.packed_bytes):
            sentence = f"{self.name} holds {self.packed_bytes} bytes and inflates to more than {self.inflated_bytes}"
            action = "No bill packs like this; unpack it yourself and look at it before you ingest it."
            raise InputError(sentence, action=action, code="INFLATES_TOO_MUCH")


def unreadable(name: str, error: OSError) -> InputError:
    """Return the InputError for a file that the system does not let us read."""
    why = error.strerror or type(error).__name__
    return InputError(
        f"{name} cannot be read: {why}", action="Check that it exists and its permissions.", code="UNREADABLE_FILE"
    )


def chunks_of(part: FilePart, limits: Limits) -> Iterator[bytes]:
    """Yield the decompressed content of a part, about a mebibyte at a time.

    Raises:
        InputError: UNREADABLE_FILE, CUT_GZIP, BROKEN_GZIP or INFLATES_TOO_MUCH.

    """
    try:
        with part.path.open("rb") as stream:
            if part.compression is Compression.GZIP:
                guard = InflateGuard(part.name, part.path.stat().st_size, limits)
                yield from _inflated(stream, guard)
            else:
                while piece := stream.read(CHUNK_BYTES):
                    yield piece
    except OSError as error:
        raise unreadable(part.name, error) from error


def _inflated(stream: BinaryIO, guard: InflateGuard) -> Iterator[bytes]:
    """Inflate all members of a gzip file; zlib checks the CRC and the length of each."""
    packed = stream.read(_READ_BYTES)
    while packed:
        packed = yield from _inflated_member(stream, packed, guard)
        packed = _next_member(stream, packed)


def _inflated_member(stream: BinaryIO, packed: bytes, guard: InflateGuard) -> Generator[bytes, None, bytes]:
    """Yield what one member holds; return the packed bytes that follow it."""
    member = zlib.decompressobj(_GZIP_WINDOW)
    while True:
        try:
            piece = member.decompress(packed, CHUNK_BYTES)
        except zlib.error as error:
            sentence = f"{guard.name} is damaged after {guard.inflated_bytes} bytes: {error}"
            raise InputError(sentence, action="Fetch the file again.", code="BROKEN_GZIP") from error
        guard.add(len(piece))
        if piece:
            yield piece
        if member.eof:
            return member.unused_data
        packed = member.unconsumed_tail or stream.read(_READ_BYTES)
        if not packed and not piece:
            sentence = f"{guard.name} ends in the middle of its gzip stream, after {guard.inflated_bytes} bytes"
            raise InputError(sentence, action="Fetch the file again.", code="CUT_GZIP")


def _next_member(stream: BinaryIO, rest: bytes) -> bytes:
    """Skip the zero padding that gzip allows after a member; return the start of the next member, or nothing."""
    while True:
        rest = rest.lstrip(b"\0")
        if rest:
            return rest
        rest = stream.read(_READ_BYTES)
        if not rest:
            return b""
