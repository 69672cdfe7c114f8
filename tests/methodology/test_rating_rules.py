"""Laws of rating: what every rate must be, whatever the SKU."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgridflow.domain.model import Rate, Sku, SkuAttributes, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, Group, Method, NotEstimatedReason, Status
from offgridflow.factors.model import Facility, MachineType
from offgridflow.methodology.demand import Component, Demand, Machine, Memory, NotRated, Storage, Tokens, Vcpu
from offgridflow.methodology.machines import fallback_of, family_of, vcpu_of_name
from offgridflow.methodology.pieces import Piece
from offgridflow.methodology.rating import Rater, rate
from offgridflow.methodology.reading import Reader, Wanted
from offgridflow.methodology.recipe import GridPrecedence, Profile, Recipe, RegionValue, SpendFactor, UserRate
from offgridflow.methodology.user import spend_estimate

from .conftest import MACHINES, SmallSet

JUNE = Month(2025, 6)
SET = SmallSet()
RATERS = {profile: Rater(SET, Recipe(profile=profile)) for profile in Profile}
DEFAULT = RATERS[Profile.DEFAULT]


def ec2(machine: str, region: str | None = "us-east-1", **more: float) -> Sku:
    """Build an EC2 machine SKU."""
    meter, known = f"BoxUsage:{machine}", SkuAttributes(instance_type=machine, **more)  # type: ignore[arg-type]
    return Sku("aws", "Amazon EC2", "AmazonEC2", None, meter, "RunInstances", "Hrs", region, None, known)


def s3(region: str = "eu-west-1") -> Sku:
    """Build an S3 Standard SKU."""
    return Sku("aws", "Amazon S3", "AmazonS3", None, "EU-TimedStorage-ByteHrs", None, "GB-Mo", region)


def pieces(component: Component, provider: str = "aws", recipe: Recipe | None = None) -> tuple[Piece, ...]:
    """Make pieces of one component."""
    made = Reader(SET, recipe or Recipe()).workshop.pieces(component, provider)
    assert not isinstance(made, NotRated)
    return made


def central(component: Component) -> tuple[float, float]:
    """IT kWh and embodied kg of one component."""
    made = pieces(component)
    return sum(each.energy_kwh.central for each in made), sum(each.embodied_kg.central for each in made)


def check_invariants(made: Rate) -> None:
    """Every rate is finite, ordered, additive and inside its envelope; or has a reason and no figure."""
    if made.total_kgco2e is None:
        assert made.status is Status.NOT_ESTIMATED
        assert made.reason is not None
        assert {made.it_energy_kwh, made.energy_kwh, made.embodied_kgco2e, made.water_l} == {None}
        return
    total, energy = made.total_kgco2e, made.energy_kwh
    assert made.reason is None
    assert made.envelope_kgco2e is not None
    assert energy is not None
    assert made.operational_location_kgco2e is not None
    assert made.embodied_kgco2e is not None
    values = (total.low, total.central, total.high, energy.low, energy.central, energy.high, *made.envelope_kgco2e)
    assert all(math.isfinite(value) and value >= 0 for value in values)
    assert total.low <= total.central <= total.high
    assert energy.low <= energy.central <= energy.high
    assert made.envelope_kgco2e[0] <= total.low * (1 + 1e-12)
    assert total.high <= made.envelope_kgco2e[1] * (1 + 1e-12)
    assert total.central == pytest.approx(made.operational_location_kgco2e + made.embodied_kgco2e, rel=1e-12)


WORDS = st.sampled_from(
    [
        "BoxUsage:m5.large",
        "EU-TimedStorage-ByteHrs",
        "Lambda-GB-Second",
        "D4s v5",
        "N2 Instance Core running in Americas",
        "DataTransfer-Out-Bytes",
        "GB-Mo",
        "Hrs",
        "1 Hour",
        "us-east-1",
        "westeurope",
        "global",
        "us-east-1a",
    ]
)
TEXT = st.none() | WORDS | st.text(max_size=60)
NUMBER = st.none() | st.floats()
SKUS = st.builds(
    Sku,
    st.sampled_from(["aws", "azure", "gcp", "oracle", "acme"]),
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    TEXT,
    st.builds(SkuAttributes, TEXT, NUMBER, NUMBER, NUMBER, TEXT, TEXT, TEXT, TEXT, TEXT, TEXT),
)


@settings(max_examples=300, deadline=None)
@given(SKUS, st.sampled_from(Profile), st.builds(Month, st.integers(2000, 2100), st.integers(1, 12)))
def test_no_sku_raises_and_every_rate_keeps_the_invariants(sku: Sku, profile: Profile, month: Month) -> None:
    """However strange a SKU, rating answers, and the answer is in bounds or has a reason."""
    check_invariants(RATERS[profile](sku, month))


@pytest.mark.parametrize("machine", [each.instance_type for each in MACHINES if each.provider == "aws"])
def test_every_machine_has_a_rate_in_bounds(machine: str) -> None:
    """Every machine of the set is rated within the invariants, except the one whose accelerator is unknown."""
    made = DEFAULT(ec2(machine), JUNE)
    check_invariants(made)
    expected = NotEstimatedReason.UNKNOWN_ACCELERATOR if machine == "q9.large" else None
    assert made.reason is expected


def test_central_lies_between_the_two_sets_of_watts() -> None:
    """m5.large draws 6.44 W by SPECpower, 14.1 W by Teads, and 9.53 W in the central case."""
    (piece,) = pieces(Machine("m5.large", 1))
    energy = piece.energy_kwh
    assert energy.central * 1000 == pytest.approx(9.5296, abs=5e-5)
    assert (energy.central + energy.moves[Group.POWER][0]) * 1000 == pytest.approx(6.4407, abs=5e-5)
    assert (energy.central + energy.moves[Group.POWER][1]) * 1000 == pytest.approx(14.1)


@pytest.mark.parametrize(("gib", "vcpu"), [(8, 2), (2, 4), (64, 4), (0.5, 1)])
def test_parts_of_a_machine_sum_to_the_whole(gib: float, vcpu: float) -> None:
    """VCPU and memory metered apart draw and weigh what the whole machine does, also where it has little memory."""
    shape = replace(SET.machine("gcp", "n2-standard-4") or MACHINES[0], vcpu=vcpu, threads=vcpu, memory_gib=gib)

    class OneMachine(SmallSet):
        def machine(self, provider: str, instance_type: str) -> MachineType | None:  # noqa: ARG002  protocol
            return shape

    whole = Reader(OneMachine(), Recipe()).workshop.pieces(Machine("any", 10), "gcp")
    assert not isinstance(whole, NotRated)
    cores = central(Vcpu(vcpu * 10, "Ice Lake", memory_apart=True))
    memory = central(Memory(gib * 10))
    assert cores[0] + memory[0] == pytest.approx(whole[0].energy_kwh.central, rel=1e-12)
    assert cores[1] + memory[1] == pytest.approx(whole[0].embodied_kg.central, rel=1e-12)


def test_serverless_watts_count_memory_once() -> None:
    """Low-case watts of a vCPU whose memory is metered apart are 1.258 on x86 and 0.878 on Arm, plus 0.392 per GB."""
    for processor, expected in (("x86", 1.258), ("arm", 1.27 - 0.392)):
        (piece,) = pieces(Vcpu(1, processor, memory_apart=True))
        hardware = piece.origin.hardware if piece.origin else None
        assert hardware is not None
        assert hardware.watts.at((1, 1, 1), 0.5, 0.392) == pytest.approx(expected, abs=5e-4)


def test_arm_has_one_range_for_all_generations() -> None:
    """An Arm thread draws 1.10 / 1.7145 / 2.565 W at 50 %, whatever Teads measured for one of them."""
    (piece,) = pieces(Vcpu(1, "Graviton2"))
    energy = piece.energy_kwh
    low, high = energy.central + energy.moves[Group.POWER][0], energy.central + energy.moves[Group.POWER][1]
    assert [low * 1000, energy.central * 1000, high * 1000] == pytest.approx([1.10, 1.7145, 2.565])
    assert Assumption.POWER_SPEC_AND_TEADS not in DEFAULT(ec2("m6g.large"), JUNE).assumptions


def test_burstable_machines_count_their_baseline() -> None:
    """t3.micro (10 %) holds 0.4 of a vCPU for watts and for its share of the host."""
    (piece,) = pieces(Machine("t3.micro", 1))
    hardware = piece.origin.hardware if piece.origin else None
    assert hardware is not None
    assert hardware.watts.threads == pytest.approx(0.4)
    assert hardware.life_kg == pytest.approx(0.4 / 96 * (1100 - 16 * 533 / 384) + 533 / 384)


def test_a_whole_host_carries_the_whole_platform() -> None:
    """Metal has share 1 of its server."""
    _kwh, kg = central(Machine("m5.metal", 52_560))
    assert kg == pytest.approx(1100 + (384 - 16) * 533 / 384)


def test_unused_reserved_capacity_is_idle_and_whole() -> None:
    """Reserved capacity that runs nothing draws idle watts, has no range of load, and full embodied."""
    (idle,), (busy,) = pieces(Machine("m5.large", 1, idle=True)), pieces(Machine("m5.large", 1))
    assert idle.energy_kwh.central < busy.energy_kwh.central
    assert Group.UTILISATION not in idle.energy_kwh.moves
    assert idle.embodied_kg.central == busy.embodied_kg.central


def test_copies_multiply() -> None:
    """Two running copies are twice one."""
    one, two = central(Machine("m5.large", 1)), central(Machine("m5.large", 1, copies=2))
    assert two == pytest.approx([2 * value for value in one])


def test_accelerators_run_from_linear_half_to_tdp() -> None:
    """A T4 draws 39.05 W (linear 50 %), 52.5 W (0.75 TDP) and 70 W (TDP)."""
    (piece,) = pieces(Machine("g4dn.xlarge", 1))
    (bare,) = pieces(Machine("m5.xlarge", 1))
    watts = piece.origin.hardware.watts if piece.origin and piece.origin.hardware else None
    assert watts is not None
    assert bare.origin is not None
    host = replace(watts, gpu_count=0.0)
    drawn = [watts.at(each, 0.5, 0.392) - host.at(each, 0.5, 0.392) for each in watts.ratios]
    assert drawn == pytest.approx([39.05, 52.5, 70.0])


def test_grs_draws_on_the_paired_regions_grid() -> None:
    """Copies in the paired region take that region's grid; where it is not named, the primary's, marked."""
    reader = Reader(SET, Recipe())
    copies = Span.exactly(3.0)
    made = reader.workshop.pieces(Storage(1.0, "hdd", copies, copies), "azure")
    assert not isinstance(made, NotRated)
    assert [piece.paired for piece in made] == [False, True]
    assert made[0].energy_kwh.central == made[1].energy_kwh.central
    demand = Demand(Method.STORAGE, (Storage(1.0, "hdd", copies, copies),))
    alone = Wanted("azure", "westeurope", None, everywhere=False, period=JUNE, demand=demand)
    named = reader.made(alone._replace(to_region="northeurope"))
    assert not isinstance(named, NotRated)
    assert [part.site.region_id for part in named.parts] == ["westeurope", "northeurope"]
    unnamed = reader.made(alone)
    assert not isinstance(unnamed, NotRated)
    assert [part.site.region_id for part in unnamed.parts] == ["westeurope", "westeurope"]
    assert Assumption.PAIRED_REGION_AS_PRIMARY in unnamed.assumptions


def test_input_tokens_count_a_tenth() -> None:
    """1,000 input tokens cost a tenth of 1,000 output tokens, nothing at the low end, a quarter at the high end."""
    (read,) = pieces(Tokens("good-model", 1000, 0))
    (written,) = pieces(Tokens("good-model", 0, 1000))
    assert read.energy_kwh.central == pytest.approx(written.energy_kwh.central / 10)
    assert read.energy_kwh.floor == 0
    assert read.energy_kwh.ceiling == pytest.approx(written.energy_kwh.ceiling / 4)


# fall-backs ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("machine", "method", "bucket", "marks"),
    [
        ("m5.4xlarge", Method.INSTANCE_FAMILY, "B", {Assumption.FAMILY_PER_VCPU, Assumption.VCPU_FROM_NAME}),
        ("zz9.xlarge", Method.VCPU, "B", {Assumption.PROCESSOR_UNKNOWN, Assumption.VCPU_FROM_NAME}),
    ],
)
def test_an_unknown_machine_falls_back_and_says_so(
    machine: str, method: Method, bucket: str, marks: set[Assumption]
) -> None:
    """Family, then vCPUs of the name: a fall-back is marked, lowers the bucket and the status."""
    made = DEFAULT(ec2(machine), JUNE)
    assert (made.method, made.coverage_bucket.value, made.status) == (method, bucket, Status.FALLBACK)
    assert marks <= set(made.assumptions)


@pytest.mark.parametrize("machine", ["p9.48xlarge", "g9.48xlarge", "inf3.xlarge", "trn9.3xlarge"])
def test_an_unknown_machine_with_cards_is_never_its_processor_alone(machine: str) -> None:
    """Of a machine whose cards nobody knows the vCPUs are the least part: it is refused, in every cloud."""
    made = DEFAULT(ec2(machine, vcpu=192.0), JUNE)
    assert (made.status, made.reason) == (Status.NOT_ESTIMATED, NotEstimatedReason.UNKNOWN_ACCELERATOR)
    azure = Machine("Standard_NC128ds_xl_RTXPRO6000BSE_v6", 1, vcpu=128.0)
    assert fallback_of(azure, "azure", SET) == NotRated(
        NotEstimatedReason.UNKNOWN_ACCELERATOR, "machine Standard_NC128ds_xl_RTXPRO6000BSE_v6"
    )


def test_the_bills_own_size_comes_first_and_the_median_last() -> None:
    """VCPUs of the bill beat those of the name; without both the service's median; without that a reason."""
    from_bill = fallback_of(Machine("zz9.huge", 1, vcpu=6.0, memory_gib=12.0), "aws", SET)
    assert not isinstance(from_bill, NotRated)
    assert from_bill.components == (Vcpu(6.0, None, memory_apart=True), Memory(12.0))
    median = fallback_of(Machine("zz9.huge", 1, service="AmazonRDS"), "aws", SET)
    assert not isinstance(median, NotRated)
    assert (median.method, median.bucket) == (Method.SERVICE_MEDIAN, CoverageBucket.SERVICE_MEDIAN)
    nothing = fallback_of(Machine("zz9.huge", 1), "aws", SET)
    assert isinstance(nothing, NotRated)
    assert nothing.reason is NotEstimatedReason.UNKNOWN_INSTANCE_TYPE


@pytest.mark.parametrize(
    ("provider", "name", "family", "vcpu"),
    [
        ("aws", "m5.large", "m5", 2),
        ("aws", "db.r6g.16xlarge", "r6g", 64),
        ("aws", "t3.nano", "t3", 1),
        ("aws", "u-6tb1.metal", "u-6tb1", None),
        ("azure", "Standard_D4s_v5", "dsv5", 4),
        ("azure", "Standard_E64-32ds_v6", "edsv6", 64),
        ("azure", "Standard_B1ls", "bls", 1),
        ("gcp", "n2-standard-4", "n2", 4),
        ("gcp", "c4d-highmem-96", "c4d", 96),
        ("acme", "huge", None, None),
    ],
)
def test_names_tell_family_and_size(provider: str, name: str, family: str | None, vcpu: float | None) -> None:
    """The naming rules of the three providers give family and vCPUs; other names give none."""
    assert family_of(provider, name) == family
    assert vcpu_of_name(provider, name) == vcpu


# places -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "mark"),
    [
        ("us-east-1", None),
        ("US-EAST-1 ", None),
        ("us-east-1a", Assumption.REGION_FROM_ZONE),
        ("use1-az4", Assumption.REGION_FROM_ZONE),
        ("EU (Ireland)", Assumption.REGION_FROM_ALIAS),
        ("us-west-2-lax-1", Assumption.LOCAL_ZONE_METRO_GRID),
        ("Global", Assumption.GLOBAL_SERVICE_MEAN),
    ],
)
def test_spellings_of_a_region(region: str, mark: Assumption | None) -> None:
    """Ids, zones, aliases, Local Zones and global are understood, and what was not an id is marked."""
    made = DEFAULT(ec2("m5.large", region), JUNE)
    assert made.reason is None
    places = {Assumption.REGION_FROM_ZONE, Assumption.REGION_FROM_ALIAS}
    places |= {Assumption.LOCAL_ZONE_METRO_GRID, Assumption.GLOBAL_SERVICE_MEAN}
    found = set(made.assumptions) & places
    assert found >= ({mark} if mark else set())
    assert mark is not None or not found


@pytest.mark.parametrize("region", [None, "", "NULL", "mars-1", "x" * 500, "us-east-1; drop"])
def test_an_unknown_region_is_a_reason(region: str | None) -> None:
    """No region, or one that is not understood, is never a default region."""
    assert DEFAULT(ec2("m5.large", region), JUNE).reason is NotEstimatedReason.UNKNOWN_REGION


def test_a_region_without_grid_is_a_reason() -> None:
    """Without a delivered lifecycle factor there is no figure, and the user's own factor gives one."""
    sku = ec2("m5.large", "eu-dark-1")
    assert DEFAULT(sku, JUNE).reason is NotEstimatedReason.NO_FACTOR
    own = Recipe(grid=(RegionValue("aws", "eu-dark-1", 0.3),))
    made = rate(sku, JUNE, SET, own)
    assert made.reason is None
    assert Assumption.GRID_USER in made.assumptions


def test_precedence_of_the_grid() -> None:
    """The user's grid factor wins unless the recipe says that the factor set's does."""
    value = (RegionValue("aws", "us-east-1", 1.0),)
    first = rate(ec2("m5.large"), JUNE, SET, Recipe(grid=value))
    second = rate(ec2("m5.large"), JUNE, SET, Recipe(grid=value, grid_precedence=GridPrecedence.FACTOR_SET))
    assert first.energy_kwh is not None
    assert first.operational_location_kgco2e == pytest.approx(first.energy_kwh.central)
    assert second.total_kgco2e == DEFAULT(ec2("m5.large"), JUNE).total_kgco2e


# figures ------------------------------------------------------------------------------------------------------------


def test_parts_of_the_footprint() -> None:
    """Direct + upstream = location; where there is no direct factor both are None and the sum stands."""
    made = DEFAULT(ec2("m5.large"), JUNE)
    assert made.operational_direct_kgco2e is not None
    assert made.operational_upstream_kgco2e is not None
    assert made.energy_kwh is not None
    assert made.operational_direct_kgco2e == pytest.approx(made.energy_kwh.central * 0.270489)
    whole = made.operational_direct_kgco2e + made.operational_upstream_kgco2e
    assert made.operational_location_kgco2e == pytest.approx(whole)
    other = DEFAULT(s3(), JUNE)
    assert other.operational_direct_kgco2e is other.operational_upstream_kgco2e is None
    assert other.operational_location_kgco2e is not None


def test_market_is_null_without_a_contract() -> None:
    """Market-based figures exist only by a contract: contract x energy + upstream (+ embodied); else None, not 0."""
    plain = DEFAULT(ec2("m5.large"), JUNE)
    assert plain.operational_market_kgco2e is plain.total_market_kgco2e is None
    made = rate(ec2("m5.large"), JUNE, SET, Recipe(contracts=(RegionValue("aws", "us-east-1", 0.0),)))
    assert made.operational_market_kgco2e == pytest.approx(plain.operational_upstream_kgco2e)
    assert made.total_market_kgco2e is not None
    assert made.total_market_kgco2e == pytest.approx(
        (plain.operational_upstream_kgco2e or 0) + (made.embodied_kgco2e or 0)
    )
    assert Assumption.MARKET_CONTRACT in made.assumptions
    storage = rate(s3(), JUNE, SET, Recipe(contracts=(RegionValue("aws", "eu-west-1", 0.0),)))
    assert storage.total_market_kgco2e is None


def test_water_needs_both_halves() -> None:
    """Water is WUE on IT energy plus EWIF at the meter, overhead on both, and None where one is unknown."""
    made = DEFAULT(ec2("m5.large"), JUNE)
    assert made.it_energy_kwh is not None
    assert made.water_l == pytest.approx(made.it_energy_kwh * 1.12 * (0.12 + 2.0 * 1.15))
    assert DEFAULT(ec2("m5.large", "global"), JUNE).water_l is None


def test_overhead_is_on_energy_and_off_in_sci_and_ccf() -> None:
    """Energy at the meter is IT x 1.12 x PUE, without the overhead under sci and ccf; IT energy never carries it."""
    made, sci, ccf = (RATERS[each](ec2("m5.large"), JUNE) for each in (Profile.DEFAULT, Profile.SCI, Profile.CCF))
    assert made.it_energy_kwh is not None
    assert made.energy_kwh is not None
    assert sci.energy_kwh is not None
    assert ccf.energy_kwh is not None
    assert made.energy_kwh.central == pytest.approx(made.it_energy_kwh * 1.12 * 1.15)
    assert sci.energy_kwh.central == pytest.approx(made.it_energy_kwh * 1.15)
    assert ccf.energy_kwh.central == pytest.approx((2 * (0.65 + 0.5 * 3.61) + ccf_extra()) / 1000 * 1.135)
    assert sci.embodied_kgco2e == pytest.approx((made.embodied_kgco2e or 0) * 6 / 4)
    marks = [Assumption.PROVIDER_OVERHEAD in each.assumptions for each in (made, sci, ccf)]
    assert marks == [True, False, False]


def ccf_extra() -> float:
    """Watts of memory of m5.large under ccf: what the family's largest machine has beyond one chip, by share."""
    return 0.392 * (384 - 81.32) * 8 / 384


def test_the_assured_profile_refuses_recalled_factors() -> None:
    """A factor that nobody has read again never enters an assured figure."""
    doubtful = SmallSet(recalled=frozenset({"grid.aws.us-east-1"}))
    assert rate(ec2("m5.large"), JUNE, doubtful, Recipe()).reason is None
    assured = rate(ec2("m5.large"), JUNE, doubtful, Recipe(profile=Profile.ASSURED))
    assert assured.reason is NotEstimatedReason.NO_FACTOR
    assert RATERS[Profile.ASSURED](ec2("m5.large"), JUNE).reason is None


def test_users_settings_enter_and_are_marked() -> None:
    """Utilisation, PUE and lifetime of the user replace the defaults and show in the assumptions."""
    recipe = Recipe(utilisation=0.5, pue=(RegionValue("aws", "us-east-1", 1.0),), lifetime_years=4.0)
    made, plain = rate(ec2("m5.large"), JUNE, SET, recipe), DEFAULT(ec2("m5.large"), JUNE)
    assert made.energy_kwh is not None
    assert made.energy_kwh.central == pytest.approx((plain.it_energy_kwh or 0) * 1.12)
    assert made.embodied_kgco2e == pytest.approx((plain.embodied_kgco2e or 0) * 1.5)
    assert {Assumption.UTILISATION_USER, Assumption.PUE_USER} <= set(made.assumptions)
    assert Group.UTILISATION not in {swing.group for swing in made.swings}


@pytest.mark.parametrize("bad", [{"utilisation": 1.2}, {"utilisation": math.nan}, {"lifetime_years": 0.0}])
def test_settings_out_of_range_are_refused(bad: dict[str, float]) -> None:
    """A setting outside of its physical range is refused when it is written, with the range."""
    with pytest.raises(ValueError, match="write a number from"):
        Recipe(**bad)  # type: ignore[arg-type]


def test_figures_outside_of_bounds_are_no_figures() -> None:
    """A PUE of 9 in the factor set gives out_of_bounds, not a figure."""

    class Hot(SmallSet):
        def facility(self, provider: str, region_id: str, period: Month) -> Facility | None:
            found = super().facility(provider, region_id, period)
            return replace(found, pue=Span.exactly(9.0)) if found else None

    assert rate(ec2("m5.large"), JUNE, Hot(), Recipe()).reason is NotEstimatedReason.OUT_OF_BOUNDS


def test_users_rates() -> None:
    """A user's rate goes by SKU id before pattern, needs its unit, and goes through PUE and grid if it is energy."""
    by_meter = UserRate("acme", "Widget-Hours", meter="wid*", it_kwh=Span(0.1, 0.2, 0.3), embodied_kgco2e=0.01)
    by_id = UserRate("acme", "widget-hours", sku_id="W1", operational_kgco2e=Span(1.0, 2.0, 3.0))
    recipe = Recipe(user_rates=(by_meter, by_id), grid=(RegionValue("aws", "us-east-1", 0.5),))
    sku = Sku("acme", "Widgets", None, "W1", "Widget", None, "Widget-Hours", None)
    made = rate(sku, JUNE, SET, recipe)
    assert made.total_kgco2e == Span(1.0, 2.0, 3.0)
    assert (made.method, made.status) == (Method.USER_RATE, Status.ESTIMATED)
    pattern = replace(by_meter, provider="aws")
    placed = rate(
        replace(sku, provider="aws", sku_id="W2", region_id="us-east-1"),
        JUNE,
        SET,
        replace(recipe, user_rates=(pattern,)),
    )
    assert placed.total_kgco2e is not None
    assert placed.total_kgco2e.central == pytest.approx(0.2 * 1.12 * 1.15 * 0.5 + 0.01)
    assert rate(replace(sku, consumed_unit="GB"), JUNE, SET, recipe).reason is not None


def test_spend_is_off_unless_switched_on() -> None:
    """Money gets a figure only by a factor of its own currency, in bucket D."""
    from decimal import Decimal  # noqa: PLC0415  only this test needs it

    assert spend_estimate(Recipe(), "USD", Decimal(100)) is None
    recipe = Recipe(spend=(SpendFactor("USD", Span(0.1, 0.2, 0.4), "an input-output table"),))
    made = spend_estimate(recipe, "USD", Decimal(100))
    assert made is not None
    assert made.kgco2e == Span(10.0, 20.0, 40.0)
    assert made.bucket is CoverageBucket.SPEND
    assert spend_estimate(recipe, "EUR", Decimal(100)) is None
    assert spend_estimate(recipe, "USD", Decimal(-1)) is None


# identity -----------------------------------------------------------------------------------------------------------


def test_rates_are_content_addressed() -> None:
    """Equal arguments give an equal rate and id in a fresh rater; another SKU, month, recipe or set another id."""
    base = Rater(SmallSet(), Recipe())(ec2("m5.large"), JUNE)
    assert Rater(SmallSet(), Recipe())(ec2("m5.large"), JUNE) == base
    others = [
        rate(ec2("m5.xlarge"), JUNE, SET, Recipe()),
        rate(ec2("m5.large"), Month(2025, 7), SET, Recipe()),
        rate(ec2("m5.large"), JUNE, SET, Recipe(lifetime_years=5.0)),
        rate(ec2("m5.large"), JUNE, SmallSet(digest="d2"), Recipe()),
        rate(ec2("m5.large", "mars-1"), JUNE, SET, Recipe()),
    ]
    assert len({base.rate_id, *(each.rate_id for each in others)}) == 6
    assert Recipe().digest == Recipe().digest != Recipe(profile=Profile.SCI).digest
