"""SKUs of other clouds and activities that users bring become the hardware that they state."""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgridflow.domain.model import Sku, SkuAttributes, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, NotEstimatedReason
from offgridflow.methodology.demand import (
    Accelerator,
    Demand,
    Machine,
    Memory,
    NotRated,
    Storage,
    Tokens,
    Transfer,
    Vcpu,
)
from offgridflow.methodology.generic import classify
from support.few_factors import few_factors, near

SEPTEMBER = Month(2024, 9)
INPUTS = Path(__file__).parents[2] / "../shared/inputs"
GB = 1.073741824
TWO = Span(2, 2, 2)
THREE = Span(3, 3, 3)


FACTORS = few_factors(
    copies={"oracle.storage": THREE, "generic.default": TWO},
    cards={"NVIDIA T4"},
    models=lambda _provider, model: model == "gpt-4o",
)


def _read(
    provider: str, meter: str, unit: str | None, known: SkuAttributes | None = None, operation: str | None = None
) -> Demand | NotRated:
    sku = Sku(provider, "SERVICE", None, None, meter, operation, unit, None, None, known or SkuAttributes())
    return classify(sku, SEPTEMBER, FACTORS)


@pytest.mark.parametrize(
    ("meter", "unit", "wanted"),
    [
        ("Standard - E5", "OCPU Hours", Vcpu(2.0, "EPYC 4th Gen (Genoa/Bergamo)", memory_apart=True)),
        ("Standard - E3", "OCPU Per Hour", Vcpu(2.0, "EPYC 2nd Gen (Rome)", memory_apart=True)),
        ("Standard - A1", "OCPU Per Hour", Vcpu(1.0, "Ampere Altra (Neoverse N1)", memory_apart=True)),
        ("Standard - A9", "OCPU Hours", Vcpu(2.0, "arm", memory_apart=True)),
        ("Standard - E3 - Memory", "GB Hours", Memory(1.0)),
        ("Standard - A1 - Memory", "Gigabyte Per Hour", Memory(1.0)),
        ("Outbound Data Transfer Zone 1", "GB Months", Transfer(near(GB), "internet_egress")),
        ("Block Volume - Storage", "GB Months", Storage(near(GB * 0.72), "ssd", THREE)),
        ("Object Storage - Storage", "GB Months", Storage(near(GB * 0.72), "hdd", THREE)),
    ],
)
def test_oracle_names_give_their_hardware(meter: str, unit: str, wanted: object) -> None:
    """An OCPU is two vCPUs (one on A1); memory is its own SKU; storage has copies; a month of egress is a volume."""
    outcome = _read("oracle", meter, unit)
    assert isinstance(outcome, Demand), outcome
    assert outcome.components == (wanted,)


def test_oracle_performance_units_are_not_a_second_volume() -> None:
    """Performance of a block volume is in GB-months too, but its capacity has its own SKU."""
    outcome = _read("oracle", "Block Volume - Performance Units", "GB Months")
    assert isinstance(outcome, NotRated)
    assert outcome.reason is NotEstimatedReason.CAPACITY_NOT_METERED


@pytest.mark.inputs
def test_every_oracle_row_of_the_focus_sample_has_its_verdict() -> None:
    """The seven Oracle rows are cores, memory, egress, and one performance charge."""
    path = INPUTS / "focus/focus-1.0-sample.csv"
    if not path.exists():
        pytest.skip("shared inputs are absent")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["ProviderName"] == "Oracle"]
    seen: dict[str, int] = {}
    for row in rows:
        outcome = _read("oracle", row["ChargeDescription"], row["ConsumedUnit"])
        verdict = outcome.method.value if isinstance(outcome, Demand) else outcome.reason.value
        seen[verdict] = seen.get(verdict, 0) + 1
    assert seen == {"vcpu_and_memory": 5, "network": 1, "capacity_not_metered": 1}


@pytest.mark.parametrize(
    ("known", "unit", "wanted"),
    [
        (SkuAttributes("m5.large", 2.0, 8.0), "Hours", (Machine("m5.large", 1.0, 1.0, 2.0, 8.0, "SERVICE"),)),
        (SkuAttributes(vcpu=4.0, memory_gib=16.0), "Hours", (Vcpu(4.0, memory_apart=True), Memory(16.0))),
        (SkuAttributes(vcpu=4.0), "Hours", (Vcpu(4.0),)),
        (SkuAttributes("NVIDIA T4", gpu=2.0), "Hours", (Accelerator("NVIDIA T4", 2.0),)),
        (SkuAttributes(), "vCPU-Hours", (Vcpu(1.0),)),
        (SkuAttributes("NVIDIA T4"), "GPU-Hours", (Accelerator("NVIDIA T4", 1.0),)),
        (SkuAttributes(storage_class="ssd"), "GB-Months", (Storage(near(GB * 0.72), "ssd", TWO),)),
        (SkuAttributes(transfer_kind="internet_egress"), "GB", (Transfer(GB, "internet_egress"),)),
        (SkuAttributes("gpt-4o"), "tokens", (Tokens("gpt-4o", 0.0, 1.0),)),
    ],
)
def test_brought_activities_are_rated_by_what_they_state(
    known: SkuAttributes, unit: str, wanted: tuple[object, ...]
) -> None:
    """The attributes of a brought activity say what its canonical unit measures."""
    outcome = _read("on_premise", "rack 7", unit, known)
    assert isinstance(outcome, Demand), outcome
    assert outcome.components == wanted


def test_brought_input_tokens_are_told_by_the_operation() -> None:
    """Tokens are output unless the operation says input."""
    outcome = _read("openai", "gpt-4o", "tokens", SkuAttributes("gpt-4o"), "input")
    assert isinstance(outcome, Demand)
    assert outcome.components == (Tokens("gpt-4o", 1.0, 0.0),)


@pytest.mark.parametrize("size", [float("nan"), float("inf"), -4.0, 0.0])
def test_size_that_cannot_be_is_not_used(size: float) -> None:
    """A vCPU count that is not finite and positive is as good as none."""
    outcome = _read("on_premise", "rack 7", "Hours", SkuAttributes(vcpu=size))
    assert isinstance(outcome, NotRated)


@pytest.mark.parametrize(
    ("provider", "meter", "unit", "reason"),
    [
        ("snowflake", "Compute credits", "Credits", NotEstimatedReason.UNKNOWN_SERVICE),
        ("datadog", "Enterprise licence", "Units", NotEstimatedReason.LICENCE),
        ("oracle", "Mystery", "Hours", NotEstimatedReason.UNKNOWN_METER),
        ("oracle", "Standard - E3 - Memory", "Widgets", NotEstimatedReason.UNKNOWN_UNIT),
    ],
)
def test_software_bills_are_refused_with_a_reason(
    provider: str, meter: str, unit: str, reason: NotEstimatedReason
) -> None:
    """What says nothing of hardware is never guessed."""
    outcome = _read(provider, meter, unit)
    assert isinstance(outcome, NotRated)
    assert outcome.reason is reason


@pytest.mark.parametrize(
    ("known", "unit", "reason", "detail"),
    [
        (SkuAttributes(vcpu=16.0), "furlongs", NotEstimatedReason.UNKNOWN_UNIT, "furlongs; the meter measures hours"),
        (SkuAttributes(storage_class="ssd"), "GB", NotEstimatedReason.UNKNOWN_UNIT, "stored data over time"),
        (SkuAttributes(transfer_kind="cdn"), None, NotEstimatedReason.UNKNOWN_UNIT, "unit missing"),
        (SkuAttributes(transfer_kind="pigeon"), "GB", NotEstimatedReason.UNKNOWN_METER, "transfer kind pigeon"),
        (SkuAttributes("box", 16.0, 64.0, 2.0), "Hours", NotEstimatedReason.UNKNOWN_ACCELERATOR, "names the card"),
    ],
)
def test_a_row_that_states_its_hardware_is_told_what_does_not_fit(
    known: SkuAttributes, unit: str | None, reason: NotEstimatedReason, detail: str
) -> None:
    """A unit that is none of the stated hardware is the reason; cards of an unknown machine are never left out."""
    outcome = _read("on-premise", "hall 1", unit, known)
    assert isinstance(outcome, NotRated)
    assert outcome.reason is reason
    assert detail in outcome.detail


def test_replication_that_is_assumed_is_marked() -> None:
    """Copies of brought storage are a default and show as one."""
    outcome = _read("on_premise", "array 1", "GB-Months", SkuAttributes(storage_class="hdd"))
    assert isinstance(outcome, Demand)
    assert outcome.assumptions == (Assumption.REPLICATION_DEFAULT,)


WORDS = st.sampled_from(
    ["Standard", "E5", "Memory", "A1", "Storage", "Outbound Data Transfer", "OCPU Hours", "GB Months", "tokens", "²",
     "NVIDIA T4", "Hours", "ssd", "internet_egress", "licence"],
)  # fmt: skip
STRANGE = st.one_of(st.none(), st.text(max_size=40), st.lists(WORDS, max_size=4).map(" ".join))
NUMBER = st.one_of(st.none(), st.floats())


@settings(max_examples=300)
@given(
    st.sampled_from(["oracle", "on_premise", "snowflake"]),
    STRANGE,
    STRANGE,
    st.builds(SkuAttributes, STRANGE, NUMBER, NUMBER, NUMBER, STRANGE, transfer_kind=STRANGE),
)
def test_no_string_raises_and_the_answer_is_pure(
    provider: str, meter: str | None, unit: str | None, known: SkuAttributes
) -> None:
    """Any strings give the same demand or reason twice, and every demanded amount is finite and not negative."""
    sku = Sku(provider, meter, None, None, meter, meter, unit, None, None, known)
    outcome = classify(sku, SEPTEMBER, FACTORS)
    assert outcome == classify(sku, SEPTEMBER, FACTORS)
    if isinstance(outcome, Demand):
        assert outcome.components
        for part in outcome.components:
            amounts = [getattr(part, name) for name in part.__slots__]
            assert all(0 <= amount < 1e15 for amount in amounts if isinstance(amount, float)), part
