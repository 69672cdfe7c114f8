"""Answers that are in memory already go out without a thread: what was asked a moment ago costs next to nothing.

An answer is kept under everything that it depends on: version, restriction, format, path and query. Route and guard
send it in one and the same way.
"""

import gzip
import hashlib
import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl

from offgridflow.api.formats import MEDIA_TYPES, Form, chosen_form
from offgridflow.api.problems import ApiError

if TYPE_CHECKING:
    from offgridflow.api.access import Caller, Restriction
    from offgridflow.api.cache import Cache
    from offgridflow.api.service import Service

CACHE_CONTROL: Final = "private, no-cache"
"""Keep it, but ask whether it is still so: the ETag says."""
VARY: Final = "Accept, Accept-Encoding, Authorization, Cookie"
_GZIP_FROM_BYTES: Final = 1024
_LEVEL: Final = 4
_PACKS: Final = frozenset({Form.JSON, Form.CSV, Form.NDJSON})
"""Formats that are worth compressing: the others are compressed in themselves, or columns for a program."""
_REFUSED: Final = re.compile(r"gzip;q=0(\.0*)?")
_OTHERWISE: Final = ("version=", "as_of=", "cursor=")
"""Parameters whose answers are about another version than the newest: a route decides."""


@dataclass(frozen=True)
class Asked:
    """What an answer depends on."""

    state: str
    restriction: "Restriction"
    form: Form
    path: str
    query: str

    @cached_property
    def name(self) -> str:
        """The question, whatever the version. Parameters of other names may stand in any order."""
        parts = sorted(self.query.split("&"), key=lambda part: part.partition("=")[0])
        return f"{self.restriction!r}|{self.form}|{self.path}|{'&'.join(parts)}"

    @cached_property
    def key(self) -> str:
        """What the answer is kept under."""
        return f"{self.state}|{self.name}"


@dataclass(frozen=True, slots=True)
class Repeated:
    """A question that was asked again: who asked last, path, query and Accept."""

    caller: "Caller"
    path: str
    query: bytes
    accept: str


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


def keep(bodies: "Cache[bytes]", asked: Asked, headers: Mapping[str, str], body: bytes) -> Kept:
    """Keep the body of an answer, compressed too so that whoever sends it later need not, and return the answer."""
    key = asked.key
    bodies.put(key, body, len(body))
    packed = None
    if len(body) >= _GZIP_FROM_BYTES and asked.form in _PACKS:
        packed = gzip.compress(body, _LEVEL, mtime=0)
        bodies.put(_packed(key), packed, len(packed))
    is_packed = packed is not None and takes_gzip(headers.get("accept-encoding", ""))
    return _whole(asked, _told(key), packed if packed is not None and is_packed else body, is_packed=is_packed)


def found(bodies: "Cache[bytes]", asked: Asked, headers: Mapping[str, str]) -> Kept | None:
    """Return an answer as the request's ``headers`` take it: 304, compressed, or as it is; None if it is not kept."""
    key = asked.key
    told = _told(key)
    if told[0][1].decode() in tags_of(headers.get("if-none-match", "")):
        return Kept(304, told, b"")
    packed = bodies.get(_packed(key)) if takes_gzip(headers.get("accept-encoding", "")) else None
    body = packed if packed is not None else bodies.get(key)
    return None if body is None else _whole(asked, told, body, is_packed=packed is not None)


def _packed(key: str) -> str:
    return f"{key}|gzip"


def _told(key: str) -> list[tuple[bytes, bytes]]:
    return [(b"etag", etag_of(key).encode()), (b"cache-control", CACHE_CONTROL.encode()), (b"vary", VARY.encode())]


def _whole(asked: Asked, told: list[tuple[bytes, bytes]], body: bytes, *, is_packed: bool) -> Kept:
    media = MEDIA_TYPES[asked.form]
    headers = [*told, (b"content-type", (f"{media}; charset=utf-8" if media.startswith("text/") else media).encode())]
    if is_packed:
        headers.append((b"content-encoding", b"gzip"))
    if asked.form is not Form.JSON:
        name = f"{asked.path.rsplit('/', 1)[-1]}-v{asked.state.partition('.')[0]}.{asked.form}"
        headers.append((b"content-disposition", f'attachment; filename="{name}"'.encode()))
    headers.append((b"content-length", str(len(body)).encode()))
    return Kept(200, headers, body)


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether Accept-Encoding names gzip, other than to refuse it (``gzip;q=0``)."""
    accepted = accept_encoding.lower().replace(" ", "").split(",")
    return any(part.startswith("gzip") and not _REFUSED.fullmatch(part) for part in accepted)


def kept_answer(
    service: "Service", scope: MutableMapping[str, Any], headers: Mapping[str, str], caller: "Caller"
) -> Kept | None:
    """Return the answer of a question that was answered before for the newest version; None where a route must."""
    asked = _asked(service, scope, headers, caller)
    if asked is None or not service.bodies.holds(asked.key):
        return None
    if not service.slow.holds(asked.name):
        again = Repeated(caller, asked.path, scope["query_string"], headers.get("accept", ""))
        service.repeated.put(asked.name, again, 1)
    return found(service.bodies, asked, headers)


def _asked(
    service: "Service", scope: MutableMapping[str, Any], headers: Mapping[str, str], caller: "Caller"
) -> Asked | None:
    """Return what is asked where it may be answered from memory, None where a route must decide."""
    path, query = scope["path"], scope["query_string"].decode("latin-1")
    newest = service.store.newest
    is_asked = scope["method"] == "GET" and path.startswith("/api/v1/") and newest is not None
    if newest is None or not is_asked or any(name in query for name in _OTHERWISE):
        return None
    try:
        form = chosen_form(_given(query), headers.get("accept"))
    except (ApiError, ValueError):
        return None
    return Asked(service.state_of(newest), caller.restriction, form, path, query)


def _given(query: str) -> Form | None:
    """Return the format that a query names, the last one where it names several. Raises ValueError for no format."""
    if "format=" not in query:
        return None
    named = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "format"]
    return Form(named[-1]) if named else None
