"""Shares and JSON: exact, complete, and never in a form that a reader could misread."""

import json
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.reports.figures import EXACT, plain, ratio, shares, to_json, total_of

weights = st.lists(st.decimals(0, Decimal("1e20"), places=15, allow_nan=False, allow_infinity=False), max_size=30)


@given(weights)
def test_shares_add_up_to_exactly_one(values: list[Decimal]) -> None:
    """Shares of any weights add up to exactly 1 and stay in 0..1, or all are unknown because the sum is 0."""
    found = shares(values)
    if not any(values):
        assert set(found) <= {None}
        return
    known = [share for share in found if share is not None]
    assert len(known) == len(values)
    assert sum(known) == 1
    assert all(0 <= share <= 1 for share in known)


@given(weights)
def test_a_share_is_within_one_unit_of_the_quotient(values: list[Decimal]) -> None:
    """Rounding so that shares add up never moves a share by more than its last decimal place."""
    total = total_of(values)
    for value, share in zip(values, shares(values), strict=True):
        if share is not None and total is not None:
            assert abs(EXACT.subtract(share, EXACT.divide(value, total))) <= Decimal("1e-12")


def test_thirds_give_the_rest_to_the_first() -> None:
    """Equal remainders are broken by position, so that the answer is the same on every run."""
    assert shares([1, 1, 1]) == (Decimal("0.333333333334"), Decimal("0.333333333333"), Decimal("0.333333333333"))


def test_ratio_of_nothing_is_unknown() -> None:
    """A ratio to 0 or to an unknown is None, never 0."""
    assert ratio(1, 0) is None
    assert ratio(None, 1) is None
    assert ratio(1, None) is None
    assert ratio(2, 3) == Decimal("0.666666666667")


def test_total_of_unknowns_is_unknown() -> None:
    """The sum of no known value is None, and a known part is added exactly."""
    assert total_of([None, None]) is None
    assert total_of([Decimal("1e22"), None, Decimal("1e-15")]) == Decimal("10000000000000000000000.000000000000001")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Decimal("0E-15"), "0"),
        (Decimal("-0.000"), "0"),
        (Decimal("1E+3"), "1000"),
        (Decimal("12.500000000000000"), "12.5"),
        (1e-9, "0.000000001"),
        (1e22, "10000000000000000000000"),
        (100, "100"),
    ],
)
def test_numbers_are_written_in_full(value: Decimal | float, text: str) -> None:
    """No exponent, no trailing zero, no negative zero."""
    assert plain(value) == text


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_nothing_infinite_is_written(value: Decimal | float) -> None:
    """NaN and infinity are refused, never printed."""
    with pytest.raises(ValueError, match="not a number that a report may hold"):
        plain(value)


class _Word(StrEnum):
    ONE = "one"


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.decimals(allow_nan=False, allow_infinity=False, places=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values, st.sampled_from([None, 2]))
def test_json_reads_back_as_what_was_written(value: object, indent: int | None) -> None:
    """Any report-like value survives JSON, with its decimals exact."""
    assert json.loads(to_json(value, indent=indent), parse_float=Decimal, parse_int=int) == value


def test_enums_and_floats_have_json_forms_and_others_do_not() -> None:
    """Enums are written by value and floats in full; an unknown type is refused by name."""
    assert to_json({"a": _Word.ONE, "b": (1.5, [])}, indent=None) == '{"a": "one", "b": [1.5, []]}'
    with pytest.raises(TypeError, match="set has no JSON form"):
        to_json({1})
