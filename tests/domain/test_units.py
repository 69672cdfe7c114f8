"""Laws of the unit table."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offgridflow.domain.units import Conversion, Dimension, conversion_of

ROOT = Path(__file__).parents[2]
PRICING_UNITS = ROOT / "../shared/inputs/azure/open-data/PricingUnits.csv"
FOCUS = ROOT / "../shared/inputs/focus/focus-1.0-sample.csv"

KNOWN = [
    ("Hrs", Dimension.HOURS, 1),
    ("10 Hours", Dimension.HOURS, 10),
    ("seconds", Dimension.HOURS, 1 / 3600),
    ("1/Day", Dimension.HOURS, 24),
    ("1/10 Days", Dimension.HOURS, 240),
    ("LCU-Hours", Dimension.HOURS, 1),
    ("ACU-Hr", Dimension.HOURS, 1),
    ("GB", Dimension.GIB, 1),
    ("tebibyte", Dimension.GIB, 1024),
    ("bytes", Dimension.GIB, 2**-30),
    ("GB-Mo", Dimension.GIB_MONTHS, 1),
    ("GB-Months", Dimension.GIB_MONTHS, 1),
    ("GB/Month", Dimension.GIB_MONTHS, 1),
    ("GB Months", Dimension.GIB_MONTHS, 1),
    ("gibibyte month", Dimension.GIB_MONTHS, 1),
    ("10 GB/Month", Dimension.GIB_MONTHS, 10),
    ("TB-Mo", Dimension.GIB_MONTHS, 1024),
    ("Lambda-GB-Second", Dimension.GIB_HOURS, 1 / 3600),
    ("GB Seconds", Dimension.GIB_HOURS, 1 / 3600),
    ("GB Hours", Dimension.GIB_HOURS, 1),
    ("Gigabyte Per Hour", Dimension.GIB_HOURS, 1),
    ("byte-seconds", Dimension.GIB_HOURS, 2**-30 / 3600),
    ("vCPU-Hours", Dimension.VCPU_HOURS, 1),
    ("OCPU Per Hour", Dimension.VCPU_HOURS, 2),
    ("GPU-Hours", Dimension.GPU_HOURS, 1),
    ("GHz-seconds", Dimension.GHZ_HOURS, 1 / 3600),
    ("GHz.s", Dimension.GHZ_HOURS, 1 / 3600),
    ("gigahertz second", Dimension.GHZ_HOURS, 1 / 3600),
    ("M-DPU-Hour", Dimension.HOURS, 1),
    ("DCU-Hr", Dimension.HOURS, 1),
    ("IOPS-Months", Dimension.UNIT_MONTHS, 1),
    ("GiB/Second-Months", Dimension.UNIT_MONTHS, 1),
    ("100/Month", Dimension.UNIT_MONTHS, 100),
    ("1/月", Dimension.UNIT_MONTHS, 1),
    ("1 Annual Domain", Dimension.UNIT_MONTHS, 12),
    ("Requests", Dimension.COUNT, 1),
    ("10K", Dimension.COUNT, 10_000),
    ("1M", Dimension.COUNT, 1_000_000),
    ("10000 1,000s", Dimension.COUNT, 10_000_000),
    ("1K tokens", Dimension.TOKENS, 1000),
    ("1M characters", Dimension.CHARACTERS, 1_000_000),
]


@pytest.mark.parametrize(("unit", "dimension", "multiplier"), KNOWN)
def test_spellings_of_the_bills(unit: str, dimension: Dimension, multiplier: float) -> None:
    """A spelling that bills bring has the dimension and the size that it says."""
    found = conversion_of(unit)
    assert found is not None
    assert found.dimension is dimension
    assert found.multiplier == pytest.approx(multiplier, rel=1e-14)


@pytest.mark.parametrize(
    "unit",
    ["", " ", "NULL", "0 Hours", "parsecs", "GB-GB", "10000s", "hour-months", "1e3 GB", "Text", "9" * 79 + " GB"],
)
def test_what_is_not_in_the_table_is_none(unit: str) -> None:
    """An unknown, empty, contradictory, ambiguous or unrepresentable unit is None, never a guess."""
    found = conversion_of(unit)
    assert found is None or (unit.startswith("9") and found.multiplier > 1e78)


@pytest.mark.parametrize("dimension", Dimension)
def test_canonical_names_round_trip(dimension: Dimension) -> None:
    """The name of each canonical unit is that unit, once."""
    assert conversion_of(dimension.value) == Conversion(dimension, 1.0)


@given(st.sampled_from([unit for unit, _d, _m in KNOWN if unit[0].isalpha()]), st.integers(1, 10**12))
def test_block_sizes_multiply(unit: str, block: int) -> None:
    """A block size in front of a unit multiplies it, in digits, with commas, and whatever the case and blanks."""
    plain, text = conversion_of(unit), f" {block:,}  {unit.upper()} "
    found = conversion_of(text)
    assert plain is not None
    assert found is not None
    assert found.dimension is plain.dimension
    assert found.multiplier == pytest.approx(plain.multiplier * block, rel=1e-12)


@given(st.text(max_size=120))
def test_any_text_has_an_answer(text: str) -> None:
    """No text raises, and an answer is a finite size above zero."""
    found = conversion_of(text)
    assert found is None or 0 < found.multiplier < float("inf")


def _same(found: Conversion, distinct: Conversion, block: float) -> bool:
    size = pytest.approx(distinct.multiplier * block, rel=1e-12)
    return found.dimension is distinct.dimension and found.multiplier == size


@pytest.mark.inputs
def test_azure_units_agree_with_their_block_sizes() -> None:
    """Each of Azure's published units of measure is its distinct unit times its block size, but for named ones."""
    if not PRICING_UNITS.exists():
        pytest.skip("../shared/inputs is not here")
    apart, unknown = set(), set()
    with PRICING_UNITS.open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            found, distinct = conversion_of(row["UnitOfMeasure"]), conversion_of(row["DistinctUnits"])
            if found is None or distinct is None:
                unknown.add(row["UnitOfMeasure"])
            elif not _same(found, distinct, float(row["PricingBlockSize"])):
                apart.add(row["UnitOfMeasure"])
    # cores are told from machines; a monthly user is counted; "1 Million" has its block in its unit
    assert apart == {"1 Million", "100 Core Hours", "100 Core Hrs", "1000 MAUS", "1000 MAUs"}
    assert len(unknown) <= 10


@pytest.mark.inputs
def test_every_unit_of_the_focus_sample_is_known() -> None:
    """All units of the real FOCUS sample convert; only the literal NULL does not."""
    if not FOCUS.exists():
        pytest.skip("../shared/inputs is not here")
    with FOCUS.open(encoding="utf-8-sig") as file:
        units = {row["ConsumedUnit"] for row in csv.DictReader(file)}
    assert {unit for unit in units if conversion_of(unit) is None} == {"NULL"}
