"""What can go wrong with one answer. Each fault is a plain record; FakeCloud acts it out on the socket."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Fault:
    """The root of all faults."""


@dataclass(frozen=True, slots=True)
class Answer(Fault):
    """Answer with a status, a provider's error code and headers instead of what was asked for."""

    status: int
    code: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delay(Fault):
    """Answer rightly, but only after a time."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """Read the request, then reset the connection (RST) without a word."""


@dataclass(frozen=True, slots=True)
class Cut(Fault):
    """Announce the whole body, send so many bytes of it, then close the connection."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class Blackhole(Fault):
    """Never answer; the connection stays open until the cloud is closed."""


@dataclass(frozen=True, slots=True)
class Drip(Fault):
    """Send the body in small chunks with a pause before each."""

    chunk_bytes: int
    pause_seconds: float


@dataclass(frozen=True, slots=True)
class Corrupt(Fault):
    """Flip every bit of one byte of the body; length and headers stay right."""

    at_byte: int = 0


@dataclass(frozen=True, slots=True)
class Restate(Fault):
    """Replace the object that is asked for, then answer: what a provider does that rewrites a month."""

    content: bytes
