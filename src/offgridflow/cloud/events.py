"""What happens at the door, as plain records for whoever listens: logs, metrics and traces are three listeners.

A listener is any callable that takes an event. It runs in the thread of the call, must be quick and must not raise.
Fields never hold secrets, bodies or query strings.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

OK = "ok"
"""Outcome of what went well; else an error class, the name of an exception type, or the status of a result."""


class SpanKind(StrEnum):
    """What may nest, from the outside in."""

    RUN = "run"
    DELIVERY = "delivery"
    PAGE = "page"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Event:
    """The root of all events."""


@dataclass(frozen=True, slots=True)
class Started(Event):
    """A span began in this thread. ``span`` is unique in the process; ``attributes`` are short public values."""

    span: int
    kind: SpanKind
    name: str
    attributes: Mapping[str, str | int | float] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Ended(Event):
    """A span ended in the thread that began it."""

    span: int
    kind: SpanKind
    name: str
    outcome: str


@dataclass(frozen=True, slots=True)
class AtProvider(Event):
    """The root of what concerns one operation of one provider."""

    provider: str
    operation: str


@dataclass(frozen=True, slots=True)
class Called(AtProvider):
    """One attempt came back. ``outcome`` is ok or an error class.

    ``limiter_left`` and ``retry_left`` are what the limiter and the retry quota still hold.
    """

    outcome: str
    latency_seconds: float
    limiter_wait_seconds: float
    limiter_left: float = 0.0
    retry_left: int = 0


@dataclass(frozen=True, slots=True)
class Retried(AtProvider):
    """A call will be tried again after a pause."""

    retry: int
    pause_seconds: float
    error_class: str


@dataclass(frozen=True, slots=True)
class PageFetched(AtProvider):
    """One page of a listing arrived; ``page`` counts from 1, ``total_fetched`` counts items so far."""

    page: int
    items: int
    total_fetched: int


@dataclass(frozen=True, slots=True)
class Received(AtProvider):
    """Bytes of a body arrived."""

    bytes_received: int


@dataclass(frozen=True, slots=True)
class Scanned(AtProvider):
    """Bill lines were read; the pipeline tells."""

    lines: int


@dataclass(frozen=True, slots=True)
class PeriodDone(AtProvider):
    """A run is done with one (source, billing period, currency): ``committed``, ``unchanged`` or ``failed``."""

    outcome: str


@dataclass(frozen=True, slots=True)
class Lagged(Event):
    """How old the newest delivery of a configured source is; of one without any, its first try."""

    source: str
    lag_seconds: float


@dataclass(frozen=True, slots=True)
class Alerted(Event):
    """Something is worth telling somebody; the pipeline's ``AlertKind`` says what."""

    kind: str


Listener = Callable[[Event], None]


def no_listener(event: Event) -> None:
    """Hear nothing."""


def listeners(*all_of: Listener) -> Listener:
    """Return one listener that tells all of these, in order."""

    def tell(event: Event) -> None:
        for listener in all_of:
            listener(event)

    return tell


_spans = itertools.count(1)


@dataclass(slots=True)
class Work:
    """A span under way. ``outcome`` is told when it ends, unless an error ends it: failures may be results, too."""

    outcome: str = OK


@contextmanager
def span(
    listener: Listener,
    kind: SpanKind,
    name: str,
    attributes: Mapping[str, str | int | float] | None = None,
) -> Iterator[Work]:
    """Tell ``listener`` that a piece of work begins and ends; what is told in between belongs to it."""
    number, work = next(_spans), Work()
    listener(Started(number, kind, name, MappingProxyType(dict(attributes or {}))))
    with ExitStack() as stack:
        stack.push(lambda _, error, __: listener(Ended(number, kind, name, _outcome_of(error, work.outcome))))
        yield work


def _outcome_of(error: BaseException | None, said: str) -> str:
    """Return what was said, an error class, or the name of an exception type; "interrupted" where no error ended it."""
    if error is None:
        return said
    if not isinstance(error, Exception):
        return "interrupted"
    return str(getattr(error, "error_class", type(error).__name__))
