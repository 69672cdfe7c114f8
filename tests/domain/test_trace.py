"""Laws of numbers that remember how they were made."""

import math
import pickle

from hypothesis import given
from hypothesis import strategies as st

from offgridflow.domain.trace import Constant, Node, Recorded, TermKind, leaf, mean, most, node_of, recording, root

NUMBERS = st.floats(min_value=-1e6, max_value=1e6, allow_nan=False).filter(lambda value: abs(value) > 1e-6)


def _leaf(value: float, name: str) -> float:
    return leaf(value, TermKind.COEFFICIENT, name)


def _told(node: Node) -> str:
    if node.operation is None:
        return node.leaf.name if node.leaf else repr(node.value)
    return f"({f' {node.operation} '.join(map(_told, node.parts))})"


def test_outside_of_a_recording_a_leaf_is_the_bare_number() -> None:
    """Nothing is kept where nobody asked."""
    assert type(_leaf(2.0, "a")) is float


@given(NUMBERS, NUMBERS)
def test_recorded_arithmetic_is_that_of_floats(one: float, other: float) -> None:
    """Sums, differences, products and quotients equal the bare ones, with a recorded number on either side or both."""
    with recording():
        pairs = [(_leaf(one, "a"), _leaf(other, "b")), (_leaf(one, "a"), other), (one, _leaf(other, "b"))]
        for left, right in pairs:
            assert (left + right, left - right, left * right) == (one + other, one - other, one * other)
            assert left / right == one / other
            assert -left == -one
            assert most(left, right) == max(one, other)
        assert root(_leaf(abs(one), "a")) == math.sqrt(abs(one))


def test_constants_say_their_name_on_either_side() -> None:
    """A named constant is in the tree by its name, wherever it stands; alone it is a plain number."""
    thousand = Constant(1000.0, "Wh in a kWh")
    assert type(thousand * 2.0) is float
    with recording():
        watt_hours = _leaf(3.0, "watt-hours")
        assert _told(node_of(watt_hours / thousand)) == "(watt-hours / Wh in a kWh)"
        assert _told(node_of(thousand * watt_hours)) == "(Wh in a kWh * watt-hours)"


def test_what_changes_nothing_is_not_told() -> None:
    """Bare ones and noughts leave no trace, and a product with a reciprocal is a quotient; named ones are told."""
    with recording():
        a, b = _leaf(3.0, "a"), _leaf(4.0, "b")
        assert _told(node_of(0.0 + a * 1.0 - 0)) == "a"
        assert a * 0 == 0.0
        assert _told(node_of(a * (1 / b))) == "(a / b)"
        assert _told(node_of(a * Constant(1.0, "one"))) == "(a * one)"


def test_equal_makings_are_one_node() -> None:
    """So a number that was computed twice is the same step."""
    with recording():
        one = _leaf(3.0, "a") * _leaf(4.0, "b")
        other = _leaf(3.0, "a") * _leaf(4.0, "b")
        assert node_of(one) is node_of(other)
        assert node_of(one) is not node_of(_leaf(3.0, "a") * _leaf(4.0, "c"))


def test_a_mean_is_told_as_sum_over_count() -> None:
    """The mean of recorded numbers keeps them; of bare ones it is the mean."""
    assert mean([1.0, 2.0, 6.0]) == 3.0
    with recording():
        assert _told(node_of(mean([_leaf(1.0, "a"), _leaf(2.0, "b")]))) == "((a + b) / how many of them (2))"


def test_recorded_numbers_travel_as_bare_ones() -> None:
    """Pickled, a recorded number is its value and a constant stays itself."""
    with recording():
        number = _leaf(3.0, "a")
    assert isinstance(number, Recorded)
    assert type(pickle.loads(pickle.dumps(number))) is float  # noqa: S301 - our own bytes
    constant = pickle.loads(pickle.dumps(Constant(2.0, "two")))  # noqa: S301 - our own bytes
    assert (constant, constant.leaf.name) == (2.0, "two")
