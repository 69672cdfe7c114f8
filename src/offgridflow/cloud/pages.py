"""Walking through pages: by cursor, by offset, or by next link, with limits, progress and loop detection.

An empty page in the middle is not the end; only a missing token is. Every token ever seen is remembered, because a
cycle of two tokens is as endless as one of one. A next link must stay on the origin that it came from.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar
from urllib.parse import SplitResult, urljoin, urlsplit

from offgridflow.cloud.errors import Failure, FatalError
from offgridflow.cloud.events import Listener, PageFetched, SpanKind, no_listener, span
from offgridflow.domain.errors import UsageError

T = TypeVar("T")
Token = TypeVar("Token", bound=Hashable)

PAGE_LOOP: Final = "PAGE_LOOP"
PAGE_LIMIT: Final = "PAGE_LIMIT"
PAGE_TOO_LONG: Final = "PAGE_TOO_LONG"
PAGE_TOO_SHORT: Final = "PAGE_TOO_SHORT"
FOREIGN_LINK: Final = "FOREIGN_LINK"

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Page(Generic[T, Token]):
    """Items of one page and the token of the next one; None at the end."""

    items: Sequence[T]
    next_token: Token | None


@dataclass(frozen=True, slots=True)
class Slice(Generic[T]):
    """Items from an offset on, and how many there are in all where the provider says so."""

    items: Sequence[T]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk is called in events and errors, its limit of pages, and who listens."""

    provider: str
    operation: str
    max_pages: int = 100_000
    listener: Listener = no_listener

    def broken(self, promise: str) -> FatalError:
        """Return the error for a promise of the protocol that was broken."""
        return FatalError(Failure(self.provider, self.operation, code=promise))


def by_cursor(
    walk: Walk,
    fetch: Callable[[Token | None], Page[T, Token]],
    start: Token | None = None,
) -> Iterator[Page[T, Token]]:
    """Yield pages from ``start`` (None: the beginning) until one names no next token.

    Raises FatalError ``PAGE_LOOP`` for a token that was seen before, UsageError ``PAGE_LIMIT`` past ``max_pages``: what
    was fetched is not the whole, so nothing may be committed from it.
    """
    seen: set[Token | None] = {start}
    token, fetched = start, 0
    for number in range(1, walk.max_pages + 1):
        with span(walk.listener, SpanKind.PAGE, walk.operation, {"provider": walk.provider, "page": number}):
            page = fetch(token)
        fetched += len(page.items)
        walk.listener(PageFetched(walk.provider, walk.operation, number, len(page.items), fetched))
        yield page
        token = page.next_token
        if token is None:
            return
        if token in seen:
            raise walk.broken(PAGE_LOOP)
        seen.add(token)
    sentence = f"{walk.provider} {walk.operation} has more than {walk.max_pages} pages."
    raise UsageError(sentence, action="Raise max_pages in the settings, or narrow the range.", code=PAGE_LIMIT)


def by_offset(
    walk: Walk,
    fetch: Callable[[int, int], Slice[T]],
    page_size: int,
    start: int = 0,
) -> Iterator[Page[T, int]]:
    """Yield pages of at most ``page_size`` items, the first one from offset ``start``.

    ``fetch(offset, limit)`` answers with a Slice. Where that names a total, the walk ends there, and short pages in the
    middle are fine as long as they hold something; otherwise a page that is not full is the last one. Raises
    FatalError ``PAGE_TOO_LONG`` for more items than asked for, ``PAGE_TOO_SHORT`` for none before the total.
    """

    def page_at(offset: int | None) -> Page[T, int]:
        position = start if offset is None else offset
        answer = fetch(position, page_size)
        got = len(answer.items)
        if got > page_size:
            raise walk.broken(PAGE_TOO_LONG)
        after = position + got
        ended = got < page_size if answer.total is None else after >= answer.total
        if not ended and got == 0:
            raise walk.broken(PAGE_TOO_SHORT)
        return Page(answer.items, None if ended else after)

    yield from by_cursor(walk, page_at)


def same_origin(walk: Walk, origin: str, link: str) -> str:
    """Return ``link`` as an absolute URL if it stays on the scheme, host and port of ``origin``.

    Raises FatalError ``FOREIGN_LINK`` otherwise, and for links with credentials or characters that parsers disagree on.
    """
    if "\\" in link or any(character <= " " or character == "\x7f" for character in link):
        raise walk.broken(FOREIGN_LINK)
    try:
        absolute = urljoin(origin, link)
        ours, theirs = urlsplit(origin), urlsplit(absolute)
        same = _origin(ours) == _origin(theirs)
    except ValueError:
        same = False
        absolute = ""
    if not same:
        raise walk.broken(FOREIGN_LINK)
    return absolute


def _origin(url: SplitResult) -> tuple[str, str | None, int | None, bool]:
    port = url.port if url.port is not None else _PORTS.get(url.scheme)
    return url.scheme, url.hostname, port, "@" in url.netloc
