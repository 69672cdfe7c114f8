"""Unpack ZIP deliveries (legacy CUR) into files whose names are ours, bounded while it happens."""

import hashlib
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from offgridflow.connectors.files.sniffing import Content, content_of, kind_of_content, nested
from offgridflow.connectors.files.streams import CHUNK_BYTES, InflateGuard, unreadable
from offgridflow.connectors.model import FileKind, FilePart, Limits
from offgridflow.domain.errors import InputError

_ENCRYPTED_FLAG = 0x1
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, UnicodeDecodeError)


def unpack(path: Path, name: str, work_dir: Path, limits: Limits) -> tuple[FilePart, ...]:
    """Unpack the members of a ZIP archive into ``work_dir`` and return them as parts, in the order of their names.

    A member's path inside the archive is shown, never used. Empty members and side files give no part.

    Raises:
        InputError: BROKEN_ZIP, ENCRYPTED_ZIP, TOO_MANY_MEMBERS, NESTED_ARCHIVE, UNKNOWN_CONTENT, INFLATES_TOO_MUCH or
            UNREADABLE_FILE.

    """
    try:
        guard = InflateGuard(name, path.stat().st_size, limits)
        with zipfile.ZipFile(path) as archive:
            members = sorted(_data_members(archive, name, limits), key=lambda member: member.filename)
            parts = [_unpack_member(archive, member, work_dir, guard) for member in members]
    except _DAMAGE as error:
        sentence = f"{name} is a damaged ZIP archive: {error}"
        raise InputError(sentence, action="Fetch the file again.", code="BROKEN_ZIP") from error
    except OSError as error:
        raise unreadable(name, error) from error
    return tuple(part for part in parts if part is not None)


def _data_members(archive: zipfile.ZipFile, name: str, limits: Limits) -> Iterator[zipfile.ZipInfo]:
    members = archive.infolist()
    if len(members) > limits.max_archive_members:
        sentence = f"{name} holds {len(members)} members, more than {limits.max_archive_members}"
        raise InputError(sentence, action="Unpack it yourself and give the folder.", code="TOO_MANY_MEMBERS")
    for member in members:
        place = PurePosixPath(member.filename)
        if member.is_dir() or place.name.startswith(".") or "__MACOSX" in place.parts:
            continue
        if member.flag_bits & _ENCRYPTED_FLAG:
            sentence = f"{name} is protected by a password"
            raise InputError(sentence, action="Unpack it yourself and give the folder.", code="ENCRYPTED_ZIP")
        yield member


def _unpack_member(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, work_dir: Path, guard: InflateGuard
) -> FilePart | None:
    name = f"{guard.name}!{member.filename}"
    digest = hashlib.sha256()
    descriptor, temporary = tempfile.mkstemp(dir=work_dir, prefix="unpacking-")
    written = Path(temporary)
    try:
        with os.fdopen(descriptor, "wb") as target, archive.open(member) as source:
            while piece := source.read(CHUNK_BYTES):
                guard.add(len(piece))
                digest.update(piece)
                target.write(piece)
        kind = _kind_of(written, name)
        return None if kind is None else FilePart(written.rename(work_dir / f"{digest.hexdigest()}.{kind}"), name, kind)
    finally:
        written.unlink(missing_ok=True)


def _kind_of(path: Path, name: str) -> FileKind | None:
    content = content_of(path, name)
    if content in {Content.ZIP, Content.GZIP_TEXT, Content.GZIP_JSON, Content.AVRO}:
        raise nested(name)
    if content is Content.EMPTY:
        return None
    return kind_of_content(content)
