"""Answers that are in memory already go out without a thread: what was asked a moment ago costs next to nothing."""

import gzip
import hashlib
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from offgridflow.api.formats import MEDIA_TYPES, Form, chosen_form
from offgridflow.api.problems import ApiError

if TYPE_CHECKING:
    from offgridflow.api.access import Caller, Restriction
    from offgridflow.api.service import Service

CACHE_CONTROL: Final = "private, no-cache"
"""Keep it, but ask whether it is still so: the ETag says."""
VARY: Final = "Accept, Accept-Encoding, Authorization, Cookie"
_GZIP_FROM_BYTES: Final = 1024
_LEVEL: Final = 4
_OTHERWISE: Final = ("version=", "as_of=", "cursor=", "format=")
"""Parameters whose answers depend on more than the newest version and Accept: a route decides."""


def key_of(state: str, restriction: "Restriction", form: Form, path: str, query: str) -> str:
    """Return what an answer is kept under: everything that it depends on."""
    return f"{state}|{restriction!r}|{form}|{path}|{query}"


def etag_of(key: str) -> str:
    """Return the weak ETag of an answer."""
    return f'W/"{hashlib.sha256(key.encode()).hexdigest()[:32]}"'


def tags_of(header: str) -> set[str]:
    """Return the ETags of If-None-Match, compared weakly."""
    return {tag if tag.startswith("W/") else f"W/{tag}" for tag in (part.strip() for part in header.split(","))}


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer ready to be sent."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def kept_answer(
    service: "Service", scope: MutableMapping[str, Any], headers: Mapping[str, str], caller: "Caller"
) -> Kept | None:
    """Return the answer of a question that was answered before for the newest version; None where a route must."""
    key = _key(service, scope, headers, caller)
    if key is None or not service.bodies.holds(key):
        return None
    etag = etag_of(key)
    told = [(b"etag", etag.encode()), (b"cache-control", CACHE_CONTROL.encode()), (b"vary", VARY.encode())]
    if etag in tags_of(headers.get("if-none-match", "")):
        return Kept(304, told, b"")
    body = service.bodies.get(key)
    if body is None:
        return None
    if len(body) >= _GZIP_FROM_BYTES and "gzip" in headers.get("accept-encoding", ""):
        body = _compressed(service, key, body)
        told.append((b"content-encoding", b"gzip"))
    told += [(b"content-type", MEDIA_TYPES[Form.JSON].encode()), (b"content-length", str(len(body)).encode())]
    return Kept(200, told, body)


def _key(
    service: "Service", scope: MutableMapping[str, Any], headers: Mapping[str, str], caller: "Caller"
) -> str | None:
    """Return the key of a question that may be answered from memory, None where a route must decide."""
    path, query = scope["path"], scope["query_string"].decode("latin-1")
    newest = service.store.newest
    is_asked = scope["method"] == "GET" and path.startswith("/api/v1/") and newest is not None
    if newest is None or not is_asked or any(name in query for name in _OTHERWISE):
        return None
    try:
        form = chosen_form(None, headers.get("accept"))
    except ApiError:
        return None
    return key_of(newest.state, caller.restriction, form, path, query) if form is Form.JSON else None


def _compressed(service: "Service", key: str, body: bytes) -> bytes:
    packed = service.bodies.get(f"{key}|gzip")
    if packed is None:
        packed = gzip.compress(body, _LEVEL, mtime=0)
        service.bodies.put(f"{key}|gzip", packed, len(packed))
    return packed
