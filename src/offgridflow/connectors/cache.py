"""A content-addressed cache of parts: fetched once, verified, never half there.

The name of a cached file is the digest of (source, key, ETag, size), so another revision is another file. Reading,
resuming and verifying are ``cloud.streams``; here are names, threads, and one writer per file among all processes.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import copy_context
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from offgridflow.cloud import streams
from offgridflow.cloud.errors import NotFoundError, TransientError
from offgridflow.connectors.delivery import ObjectStore, RemotePart, missing_extra
from offgridflow.connectors.files import discover
from offgridflow.connectors.model import DEFAULT_LIMITS, FilePart, Limits
from offgridflow.domain.errors import InputError
from offgridflow.domain.identity import digest_of

_READ_BYTES: Final = 2**20
_UNPACKED: Final = "unpacked"


@dataclass(frozen=True, slots=True)
class Cache:
    """Parts under ``folder``, fetched by ``threads`` threads; each holds about a mebibyte of a part in memory."""

    folder: Path
    threads: int = 4
    limits: Limits = DEFAULT_LIMITS

    def path_of(self, source: str, part: RemotePart) -> Path:
        """Return where a part is, or will be once it is verified."""
        name = digest_of([source, part.key, part.etag, part.size_bytes])
        return self.folder / name[:2] / name

    def fetch(self, store: ObjectStore, source: str, parts: Sequence[RemotePart]) -> tuple[Path, ...]:
        """Return the paths of all parts, fetched where they are not here yet. After a failure no other part is begun.

        Raises:
            InputError: MISSING_PART where a part is listed and no longer there.
            ClassifiedError: as ``cloud.streams.store``.

        """
        with ThreadPoolExecutor(max_workers=self.threads) as pool:
            futures = [
                pool.submit(copy_context().run, self._bring, store, source, part) for part in parts
            ]  # spans nest
            wait(futures, return_when=FIRST_EXCEPTION)
            pool.shutdown(cancel_futures=True)
            return tuple(
                future.result() for future in futures
            )  # begun in order, so a failure is met before its effects

    def small(self, store: ObjectStore, source: str, part: RemotePart, max_bytes: int) -> bytes:
        """Return the content of a small object (a manifest); raise InputError TOO_LARGE beyond ``max_bytes``."""
        if part.size_bytes > max_bytes:
            sentence = f"{part.key} has {part.size_bytes} bytes, more than {max_bytes}."
            raise InputError(sentence, action="Look at it: no manifest is so long.", code="TOO_LARGE")
        return self._bring(store, source, part, ask_checksum=False).read_bytes()

    def readable(self, path: Path, name: str) -> tuple[FilePart, ...]:
        """Return a cached file as parts that can be read (the members of a ZIP archive each), under ``name``.

        Raises:
            InputError: what is wrong with its content, by ``name``.

        """
        work = self.folder / _UNPACKED
        work.mkdir(parents=True, exist_ok=True)
        found = discover([path], work, self.limits)
        for refused in found.refused:
            sentence = refused.error.sentence.replace(str(path), name)
            raise InputError(sentence, action=refused.error.action, code=refused.error.code)
        return tuple(replace(part, name=part.name.replace(str(path), name, 1)) for part in found.parts)

    def sweep(self, max_bytes: int) -> int:
        """Remove the files that were not used for longest until at most ``max_bytes`` remain; return bytes removed.

        Not while a run reads from the cache: the pipeline calls it between runs.
        """
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        files.sort(key=lambda path: path.stat().st_mtime_ns)
        excess = sum(path.stat().st_size for path in files) - max_bytes
        removed = 0
        for path in files:
            if removed >= excess:
                break
            removed += path.stat().st_size
            path.unlink()
        return removed

    def _bring(self, store: ObjectStore, source: str, part: RemotePart, *, ask_checksum: bool = True) -> Path:
        path = self.path_of(source, part)
        if not _is_here(path, part):
            path.parent.mkdir(parents=True, exist_ok=True)
            with _alone(path.with_suffix(".lock")):
                if not _is_here(path, part):
                    checksum = part.checksum or (_known_checksum(store, part) if ask_checksum else None)
                    _store_verified(store, part, checksum, path)
        os.utime(path)  # sweep goes by the time of last use
        return path


def _store_verified(store: ObjectStore, part: RemotePart, checksum: streams.Checksum | None, path: Path) -> None:
    ours = checksum if checksum is not None and checksum.algorithm == "crc32c" else None
    expected = streams.Expected(part.etag, part.size_bytes, None if ours else checksum)
    fetched = path.with_suffix(".new")
    streams.store(store.door, store.source(part.key), fetched, expected)
    if ours is not None and _crc32c_of(fetched) != ours.digest:
        fetched.unlink()
        raise TransientError(store.source(part.key).failure(streams.CHECKSUM_MISMATCH))
    fetched.replace(path)


def _known_checksum(store: ObjectStore, part: RemotePart) -> streams.Checksum | None:
    try:
        return store.head(part.key).checksum
    except NotFoundError as error:
        sentence = f"{store.location}/{part.key} is listed and no longer there."
        raise InputError(sentence, action="It is tried again on the next run.", code="MISSING_PART") from error


def _is_here(path: Path, part: RemotePart) -> bool:
    return path.exists() and path.stat().st_size == part.size_bytes


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    """Hold a file's lock alone among all threads and processes; the system lets go of it when a process dies."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        lock.unlink(missing_ok=True)  # who still waits for it finds the file
    finally:
        os.close(descriptor)


def _crc32c_of(path: Path) -> bytes:
    """Return the CRC-32C of a file: all that Cloud Storage keeps of an object that was composed of others."""
    try:
        import google_crc32c  # noqa: PLC0415 - part of the gcp extra
    except ImportError as error:
        raise missing_extra(package="google-crc32c", extra="gcp") from error
    digest: Any = google_crc32c.Checksum()  # type: ignore[no-untyped-call]  # the package is not typed
    with path.open("rb") as stream:
        while piece := stream.read(_READ_BYTES):
            digest.update(piece)
    return bytes(digest.digest())
