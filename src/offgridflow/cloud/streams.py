"""Reading a body into a file: in chunks, resumed where it was cut, verified before it gets its name.

An SDK retries requests, never a body that breaks off half-way. Here a cut resumes at the byte where it happened, under
``If-Match`` with the ETag of the first answer, so that a file is never made of two versions. The bytes lie in
``NAME.part`` beside their ETag in ``NAME.part.etag`` until size and checksum are right; a later process resumes there.
"""

import base64
import hashlib
import itertools
import os
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from offgridflow.cloud.door import DEADLINE, Door
from offgridflow.cloud.errors import ClassifiedError, Failure, NextRunError, TransientError
from offgridflow.cloud.events import Received
from offgridflow.domain.errors import UsageError

CHANGED_UNDER_WAY: Final = "CHANGED_UNDER_WAY"
BODY_CUT: Final = "BODY_CUT"
BODY_TOO_LONG: Final = "BODY_TOO_LONG"
CHECKSUM_MISMATCH: Final = "CHECKSUM_MISMATCH"

_CHANGED_STATUSES: Final = frozenset({304, 404, 412, 416})
_MAX_LEGS: Final = 64
_READ_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True)
class Body:
    """An answer under way: its bytes from ``offset`` on, the ETag and the total size of the whole object.

    ``offset`` is where the bytes really begin; 0 although more was asked for when the server ignored the range.
    """

    chunks: Iterable[bytes]
    etag: str
    total_bytes: int | None = None
    offset: int = 0
    close: Callable[[], None] = lambda: None


class RangeSource(Protocol):
    """Opens an object at an offset; exceptions of the SDK come out as they are.

    At offset 0 it sends no ``Range``, because an empty object has none that can be satisfied. ETags are compared as
    they come, so strip the quotes here if the listing comes without them.
    """

    def __call__(self, offset: int, etag: str | None, /) -> Body:
        """Return the body from ``offset`` on; with ``etag``, only if the object still has it (``If-Match``)."""
        ...


@dataclass(frozen=True, slots=True)
class Checksum:
    """A digest that a provider or a manifest gave: ``md5``, ``sha1``, ``sha256``, ``crc32``."""

    algorithm: str
    digest: bytes

    @classmethod
    def from_base64(cls, algorithm: str, text: str) -> "Checksum":
        """Return the checksum written in base64, as the object stores' headers have it."""
        return cls(algorithm, base64.b64decode(text, validate=True))


@dataclass(frozen=True, slots=True)
class Expected:
    """What a listing or manifest says of an object. What is None is not checked."""

    etag: str | None = None
    size_bytes: int | None = None
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """What was stored: the ETag that the provider gave, size, SHA-256 of the bytes, and how many were already there."""

    path: Path
    etag: str
    size_bytes: int
    sha256: str
    resumed_from_bytes: int


@dataclass(frozen=True, slots=True)
class Source:
    """Which object, in the door's words, and how to open it."""

    provider: str
    scope: str
    endpoint: str
    operation: str
    open_range: RangeSource

    def failure(self, code: str) -> Failure:
        """Return a failure of this read that no exception of an SDK tells of."""
        return Failure(self.provider, self.operation, code=code)


def store(
    door: Door,
    source: Source,
    path: Path,
    expected: Expected | None = None,
    *,
    deadline: float | None = None,
) -> Stored:
    """Read the object into ``path`` and return what was stored; ``path`` appears whole and verified, or not at all.

    Every opening is one attempt of a call at the door. As long as calls bring bytes, another one follows a cut; one
    that brings none is final, so an outage costs what any other call costs.

    Raises:
        NextRunError: ``CHANGED_UNDER_WAY`` where ETag or size are no longer those that were expected or begun with, or
            the object went away; ``DEADLINE`` where the time is over. What was read so far stays for a next run.
        ClassifiedError: as of any call. A wrong checksum, or more bytes than announced, discards what was read and
            counts as a transient failure.

    """
    reading = _Reading(door, source, path, expected or Expected(), deadline)
    for leg in itertools.count(1):
        before = reading.bytes_received
        try:
            return door.call(
                source.provider, source.scope, source.endpoint, source.operation, reading.attempt, deadline=deadline
            )
        except ClassifiedError as error:
            if error.failure.status in _CHANGED_STATUSES and reading.begun:
                if not reading.forget_left_over():
                    raise NextRunError(source.failure(CHANGED_UNDER_WAY)) from None
            elif not _goes_on(error) or reading.bytes_received == before or reading.discarded or leg >= _MAX_LEGS:
                raise
    raise AssertionError  # pragma: no cover - mypy: count() does not end


def _goes_on(error: ClassifiedError) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, NextRunError)


class _Digests:
    """SHA-256 of what was read, and the expected checksum's algorithm beside it."""

    def __init__(self, checksum: Checksum | None) -> None:
        self._checksum = checksum
        self._sha256 = hashlib.sha256()
        self._crc = 0
        self._other = None
        if checksum is not None and checksum.algorithm != "crc32":
            if checksum.algorithm not in _ALGORITHMS:
                sentence = f"There is no checksum algorithm {checksum.algorithm!r} here."
                raise UsageError(sentence, action=f"Use one of: crc32, {', '.join(sorted(_ALGORITHMS))}.")
            self._other = _ALGORITHMS[checksum.algorithm]()

    def update(self, chunk: bytes) -> None:
        self._sha256.update(chunk)
        self._crc = zlib.crc32(chunk, self._crc)
        if self._other is not None:
            self._other.update(chunk)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def match(self) -> bool:
        if self._checksum is None:
            return True
        found = self._crc.to_bytes(4, "big") if self._other is None else self._other.digest()
        return found == self._checksum.digest


def _md5() -> "hashlib._Hash":
    return hashlib.md5(usedforsecurity=False)


def _sha1() -> "hashlib._Hash":
    return hashlib.sha1(usedforsecurity=False)


_ALGORITHMS: Final[Mapping[str, Callable[[], "hashlib._Hash"]]] = {
    "md5": _md5,
    "sha1": _sha1,
    "sha256": hashlib.sha256,
}


class _Reading:
    """One object on its way to one file: how far it is, and what it must be in the end."""

    def __init__(self, door: Door, source: Source, path: Path, expected: Expected, deadline: float | None) -> None:
        self.bytes_received = 0
        self.discarded = False
        self._door = door
        self._source = source
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._tag = path.with_name(path.name + ".part.etag")
        self._expected = expected
        self._deadline = deadline
        self._etag = expected.etag
        self._total = expected.size_bytes
        self._size = 0
        self._digests = _Digests(expected.checksum)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._take_up()
        self._resumed_from = self._size
        self._accepted = False

    @property
    def begun(self) -> bool:
        """Whether an object of a known ETag is being read, so that its absence or change is a change under way."""
        return bool(self._etag)

    def forget_left_over(self) -> bool:
        """Drop all bytes; return whether they were only an earlier process's, so that reading may begin anew."""
        only_left_over = self._resumed_from > 0 and self._expected.etag is None and not self._accepted
        self._restart()
        self._resumed_from = 0
        if only_left_over:
            self._etag = None
        return only_left_over

    def _take_up(self) -> None:
        """Continue what an earlier process left, if its ETag is known and not another than the expected one."""
        left = self._tag.read_text("utf-8") if self._tag.exists() and self._part.exists() else None
        if left is None or (self._etag is not None and self._etag != left):
            self._restart()
            return
        self._etag = left
        with self._part.open("rb") as file:
            while chunk := file.read(_READ_BYTES):
                self._digests.update(chunk)
                self._size += len(chunk)

    def _restart(self) -> None:
        """Forget all bytes."""
        self._size = 0
        self._digests = _Digests(self._expected.checksum)
        self._part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def attempt(self) -> Stored:
        """Read from where the file ends to the end of the object, verify, and give the file its name."""
        if self._size and not self._etag:
            self._restart()  # without an ETag nobody knows whether the rest would be of the same version
        if self._total is None or self._size < self._total or self._size == 0:
            body = self._source.open_range(self._size, self._etag)
            try:
                self._accept(body)
                self._receive(body)
            finally:
                body.close()
        return self._finish()

    def _accept(self, body: Body) -> None:
        """Check that the answer is of the object that was begun, and starts where the file ends."""
        other_etag = bool(self._etag) and body.etag != self._etag
        other_size = None not in (self._total, body.total_bytes) and body.total_bytes != self._total
        if other_etag or other_size:
            self._restart()
            raise NextRunError(self._source.failure(CHANGED_UNDER_WAY))
        self._accepted = True
        self._etag = body.etag
        self._total = body.total_bytes if body.total_bytes is not None else self._total
        if body.offset == self._size:
            return
        self._restart()
        if body.offset != 0:
            self.discarded = True
            raise TransientError(self._source.failure(BODY_CUT))

    def _receive(self, body: Body) -> None:
        self._tag.write_text(body.etag, "utf-8")
        with self._part.open("ab") as file:
            for chunk in body.chunks:
                file.write(chunk)
                self._digests.update(chunk)
                self._size += len(chunk)
                self.bytes_received += len(chunk)
                self._door.listener(Received(self._source.provider, self._source.operation, len(chunk)))
                if self._total is not None and self._size > self._total:
                    break
                if self._deadline is not None and self._door.clock() > self._deadline:
                    raise NextRunError(self._source.failure(DEADLINE))
            file.flush()
            os.fsync(file.fileno())

    def _finish(self) -> Stored:
        total = self._size if self._total is None else self._total
        if self._size < total:
            raise TransientError(self._source.failure(BODY_CUT))
        if self._size > total or not self._digests.match():
            code = BODY_TOO_LONG if self._size > total else CHECKSUM_MISMATCH
            self._restart()
            self.discarded = True
            raise TransientError(self._source.failure(code))
        self._part.replace(self._path)
        self._tag.unlink(missing_ok=True)
        return Stored(self._path, self._etag or "", self._size, self._digests.sha256, self._resumed_from)
