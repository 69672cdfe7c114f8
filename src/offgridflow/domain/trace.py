"""Numbers that remember how they were made, so that an explanation is the arithmetic that ran and not a second telling.

``with recording():`` lets ``leaf`` return numbers whose sums and products are kept as nodes; outside of it ``leaf``
returns the bare number and nothing is kept. A recorded number equals the bare one to the last digit. ``Constant`` is a
named number of the method (a conversion, a rule): it costs nothing, and says its name where it meets a recorded one.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean
from typing import Final, Literal, Self


class TermKind(StrEnum):
    """What a number in an explanation is."""

    COEFFICIENT = "coefficient"
    """A value of the factor set, with factor id, range, source and licence."""
    CONVERSION = "conversion"
    """A conversion of units."""
    METHOD = "method"
    """A number that the methodology itself sets, for example the copies of a standby."""
    SETTING = "setting"
    """A value of the user's settings."""
    BILL = "bill"
    """A number that stands in the bill, for example in the name of a meter."""
    QUANTITY = "quantity"
    """The quantity that was used."""
    RESULT = "result"
    """The result of an earlier step, by its name."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """Where a number comes from: its kind, name and unit, its range, and the ids of the factors that it is."""

    kind: TermKind
    name: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    factor_ids: tuple[str, ...] = ()


Operation = Literal["+", "-", "*", "/", "neg", "sqrt", "min", "max"]


class Node:
    """A number of a recording: a leaf, or an operation on other nodes. Equal makings in one recording are one node."""

    __slots__ = ("leaf", "operation", "parts", "value")

    def __init__(
        self, value: float, leaf: Leaf | None, operation: Operation | None = None, parts: "tuple[Node, ...]" = ()
    ) -> None:
        self.value = float(value)
        self.leaf = leaf
        self.operation = operation
        self.parts = parts


class _Tape:
    """The nodes of one recording, each making once."""

    __slots__ = ("_nodes",)

    def __init__(self) -> None:
        self._nodes: dict[object, Node] = {}

    def leaf(self, value: float, leaf: Leaf | None) -> Node:
        key = (value, leaf)
        return self._nodes.setdefault(key, Node(value, leaf))

    def made(self, value: float, operation: Operation, parts: tuple[Node, ...]) -> Node:
        return self._nodes.setdefault((operation, *map(id, parts)), Node(value, None, operation, parts))


_TAPE: Final[ContextVar[_Tape | None]] = ContextVar("tape", default=None)


@contextmanager
def recording() -> Iterator[None]:
    """Record what is computed from leaves inside the block."""
    token = _TAPE.set(_Tape())
    try:
        yield
    finally:
        _TAPE.reset(token)


class Constant(float):
    """A number of the method with its name: ``Constant(1000.0, "GB in a TB")``; a conversion if not told otherwise."""

    __slots__ = ("leaf",)
    leaf: Leaf

    def __new__(cls, value: float, name: str, kind: TermKind = TermKind.CONVERSION) -> Self:
        """Make the number."""
        made = super().__new__(cls, value)
        made.leaf = Leaf(kind, name, "", value, value)
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), (float(self), self.leaf.name, self.leaf.kind))


class Recorded(Constant):
    """A number of a recording; its arithmetic with any other number is kept.

    It is a kind of Constant so that Python asks it first where one stands on the left.
    """

    __slots__ = ("node", "tape")
    node: Node
    tape: _Tape

    def __new__(cls, node: Node, tape: _Tape) -> Self:
        """Make the number of a node."""
        made = float.__new__(cls, node.value)
        made.node, made.tape = node, tape
        return made

    def __add__(self, other: float, /) -> float:
        return self if _is(other, 0) else self._with("+", self.node, self._node_of(other), float(self) + float(other))

    def __radd__(self, other: float, /) -> float:
        return self if _is(other, 0) else self._with("+", self._node_of(other), self.node, float(other) + float(self))

    def __sub__(self, other: float, /) -> float:
        return self if _is(other, 0) else self._with("-", self.node, self._node_of(other), float(self) - float(other))

    def __rsub__(self, other: float, /) -> float:
        return self._with("-", self._node_of(other), self.node, float(other) - float(self))

    def __mul__(self, other: float, /) -> float:
        if _is(other, 0):
            return 0.0
        return self if _is(other, 1) else self._times(self.node, self._node_of(other), float(self) * float(other))

    def __rmul__(self, other: float, /) -> float:
        if _is(other, 0):
            return 0.0
        return self if _is(other, 1) else self._times(self._node_of(other), self.node, float(other) * float(self))

    def __truediv__(self, other: float, /) -> float:
        return self if _is(other, 1) else self._with("/", self.node, self._node_of(other), float(self) / float(other))

    def __rtruediv__(self, other: float, /) -> float:
        return self._with("/", self._node_of(other), self.node, float(other) / float(self))

    def __neg__(self) -> float:
        return Recorded(self.tape.made(-float(self), "neg", (self.node,)), self.tape)

    def __reduce__(self) -> tuple[object, ...]:
        return (float, (float(self),))

    def _with(self, operation: Operation, left: Node, right: Node, value: float) -> "Recorded":
        return Recorded(self.tape.made(value, operation, (left, right)), self.tape)

    def _times(self, left: Node, right: Node, value: float) -> "Recorded":
        """Keep a product; ``a * (1 / b)`` is told as ``a / b``."""
        for one, other in ((left, right), (right, left)):
            if other.operation == "/" and other.parts[0].leaf is None and other.parts[0].value == 1.0:
                return self._with("/", one, other.parts[1], value)
        return self._with("*", left, right, value)

    def _node_of(self, other: float) -> Node:
        if isinstance(other, Recorded):
            return other.node
        return self.tape.leaf(float(other), other.leaf if isinstance(other, Constant) else None)


def _is(other: float, value: int) -> bool:
    """Whether a number is a bare 0 or 1 that changes nothing; one with a name or a making is told."""
    return type(other) in {int, float} and other == value


def leaf(
    value: float,
    kind: TermKind,
    name: str,
    unit: str = "",
    *,
    ends: tuple[float, float] | None = None,
    factor_ids: tuple[str, ...] = (),
) -> float:
    """Return the number, recorded as a leaf while a recording goes on; ``ends`` are its low and high."""
    tape = _TAPE.get()
    if tape is None:
        return value
    low, high = ends or (value, value)
    return Recorded(tape.leaf(value, Leaf(kind, name, unit, float(low), float(high), factor_ids)), tape)


def is_recording() -> bool:
    """Whether a recording goes on."""
    return _TAPE.get() is not None


def root(value: float) -> float:
    """Return the square root."""
    found = math.sqrt(value)
    return Recorded(value.tape.made(found, "sqrt", (value.node,)), value.tape) if isinstance(value, Recorded) else found


def mean(values: Sequence[float]) -> float:
    """Return the mean; ValueError of nothing."""
    if not any(isinstance(value, Recorded) for value in values):
        return fmean(values)
    return sum(values) / Constant(len(values), f"how many of them ({len(values)})")


def most(one: float, other: float) -> float:
    """Return the larger number, keeping that two were compared."""
    found = max(one, other)
    first = next((each for each in (one, other) if isinstance(each, Recorded)), None)
    if first is None:
        return found
    parts = (first._node_of(one), first._node_of(other))  # noqa: SLF001 - same module
    return Recorded(first.tape.made(found, "max", parts), first.tape)


def node_of(value: float) -> Node:
    """Return the node of a number; one without a making is a leaf of its own, without a name."""
    if isinstance(value, Recorded):
        return value.node
    return Node(value, value.leaf if isinstance(value, Constant) else None)
