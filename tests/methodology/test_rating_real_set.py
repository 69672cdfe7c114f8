"""Rating with the factor set that ships: worked cases, published look-ups, every machine, a real bill."""

import csv
from pathlib import Path

import pytest

from offgridflow.domain.identity import provider_slug
from offgridflow.domain.model import Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, NotEstimatedReason, Status
from offgridflow.factors import load
from offgridflow.factors.model import MachineType
from offgridflow.methodology.coefficients import KEYS
from offgridflow.methodology.demand import Machine, Memory, NotRated, Vcpu
from offgridflow.methodology.explain import explain
from offgridflow.methodology.rating import Rater, rate
from offgridflow.methodology.recipe import Profile, Recipe

ROOT = Path(__file__).parents[2]
FOCUS = ROOT / "../shared/inputs/focus/focus-1.0-sample.csv"
INSTANCES = ROOT / "../shared/factors/instances.csv"
JUNE_2023, SEPTEMBER = Month(2023, 6), Month(2024, 9)

FACTORS = load()
RATER = Rater(FACTORS, Recipe())


def _sku(provider: str, service: str, meter: str, unit: str, region: str) -> Sku:
    return Sku(provider, service, None, None, meter, None, unit, region, None, SkuAttributes())


def test_case_1_with_the_shipped_set() -> None:
    """m5.large in us-east-1 in 2023: 9.5296 W, 270.489 g/kWh direct, delivered lifecycle in the worked ratio."""
    made = RATER(_sku("aws", "AmazonEC2", "BoxUsage:m5.large", "Hrs", "us-east-1"), JUNE_2023)
    assert made.it_energy_kwh == pytest.approx(0.0095296, abs=5e-8)
    grid = FACTORS.grid("aws", "us-east-1", JUNE_2023)
    assert grid is not None
    assert grid.direct is not None
    assert grid.lifecycle_delivered is not None
    assert grid.direct.central == pytest.approx(0.270489)
    ratio = grid.lifecycle_delivered.central / grid.direct.central
    assert ratio == pytest.approx(392.89 / 349.667 / 0.958, rel=1e-3)
    assert made.embodied_kgco2e == pytest.approx(0.00063847, abs=5e-9)


def test_case_4_with_the_shipped_set() -> None:
    """D4s v5 weighs 55.889 kg and draws 1.35 x 13.8092 W."""
    made = RATER(_sku("azure", "Virtual Machines", "Dsv5 Series - D4s v5", "1 Hour", "westeurope"), JUNE_2023)
    assert made.it_energy_kwh == pytest.approx(1.35 * 0.0138092, abs=1e-7)
    assert made.embodied_kgco2e == pytest.approx(55.889 / 52_560, abs=1e-8)


def test_the_set_has_every_coefficient_of_rating() -> None:
    """All keys that rating asks for are there, ordered low to high unless they are lifetimes."""
    for name, key in KEYS.items():
        factor = FACTORS.coefficient(key)
        assert name == "lifetime" or factor.low <= factor.central <= factor.high


def _machines() -> list[MachineType]:
    with INSTANCES.open(encoding="utf-8") as file:
        rows = [(row["provider"], row["instance_type"]) for row in csv.DictReader(file)]
    found = [FACTORS.machine(provider, name) for provider, name in rows]
    return [machine for machine in found if machine is not None]


@pytest.mark.inputs
def test_every_machine_of_the_catalogue_is_rated_in_bounds() -> None:
    """Each of the 3,300 machine types has ordered watts, at most 25 W per thread beside memory and accelerators."""
    if not INSTANCES.exists():
        pytest.skip("../shared/factors is not here")
    machines = _machines()
    assert len(machines) == 3300
    for machine in machines:
        made = RATER.reader.workshop.pieces(Machine(machine.instance_type, 1.0), machine.provider)
        assert not isinstance(made, NotRated), machine
        (piece,) = made
        assert 0 < piece.energy_kwh.floor <= piece.energy_kwh.central <= piece.energy_kwh.ceiling, machine
        assert piece.embodied_kg.central > 0


@pytest.mark.inputs
def test_parts_of_googles_machines_sum_to_the_whole() -> None:
    """Core and RAM lines of Google's machines draw what the machine draws (whose vCPU is one thread)."""
    if not INSTANCES.exists():
        pytest.skip("../shared/factors is not here")
    checked = 0
    for machine in _machines():
        plain = machine.gpu_count == 0 and machine.baseline is None and machine.threads == machine.vcpu
        if machine.provider != "gcp" or not plain:
            continue
        workshop = RATER.reader.workshop
        whole = workshop.pieces(Machine(machine.instance_type, 1.0), "gcp")
        cores = workshop.pieces(Vcpu(machine.vcpu, machine.processor, memory_apart=True), "gcp")
        memory = workshop.pieces(Memory(machine.memory_gib), "gcp")
        assert not isinstance(whole, NotRated)
        assert not isinstance(cores, NotRated)
        assert not isinstance(memory, NotRated)
        together = cores[0].energy_kwh.central + memory[0].energy_kwh.central
        assert together == pytest.approx(whole[0].energy_kwh.central, rel=1e-9), machine.instance_type
        checked += 1
    assert checked > 400


def _text(value: str) -> str | None:
    return None if value in {"", "NULL"} else value


@pytest.mark.inputs
@pytest.mark.parametrize("profile", Profile)
def test_a_real_bill_is_rated_or_has_reasons(profile: Profile) -> None:
    """Every usage row of the real FOCUS sample is rated in order, or has a reason; nothing is a silent zero."""
    if not FOCUS.exists():
        pytest.skip("../shared/inputs is not here")
    rater, rated, rows = Rater(FACTORS, Recipe(profile=profile)), 0, 0
    with FOCUS.open(encoding="utf-8-sig") as file:
        for row in csv.DictReader(file):
            if row["ChargeCategory"] != "Usage":
                continue
            rows += 1
            described = _text(row["ChargeDescription"])
            service, unit, region = (_text(row[name]) for name in ("ServiceName", "ConsumedUnit", "RegionId"))
            provider = provider_slug(row["ProviderName"])
            made = rater(
                Sku(provider, service, None, _text(row["SkuId"]), described, None, unit, region, described), SEPTEMBER
            )
            assert (made.total_kgco2e is None) == (made.reason is not None)
            assert (made.status is Status.NOT_ESTIMATED) == (made.total_kgco2e is None)
            if made.total_kgco2e is not None:
                assert made.total_kgco2e.low <= made.total_kgco2e.central <= made.total_kgco2e.high
            rated += made.total_kgco2e is not None
    assert rows > 900
    assert rated > rows * (0.35 if profile is Profile.ASSURED else 0.45)


def test_every_factor_of_a_rate_can_be_looked_up() -> None:
    """Explaining with the shipped set finds a source and a licence for every factor id of a rate."""
    sku = _sku("aws", "AmazonS3", "EU-TimedStorage-ByteHrs", "GB-Mo", "eu-west-1")
    explained = explain(sku, SEPTEMBER, FACTORS, Recipe())
    assert explained.rate.factor_ids
    assert all(factor.source and factor.licence for factor in explained.factors)


def test_the_assured_profile_rests_on_read_and_derived_factors_alone() -> None:
    """us-east-1 has no recalled factor and is rated; eu-west-1's losses are recalled, so it is refused by name."""
    recipe = Recipe(profile=Profile.ASSURED)
    american = _sku("aws", "AmazonEC2", "BoxUsage:m5.large", "Hrs", "us-east-1")
    explained = explain(american, SEPTEMBER, FACTORS, recipe)
    assert {factor.evidence for factor in explained.factors} <= {"read", "derived"}
    assert explained.rate.reason is None
    irish = rate(_sku("aws", "AmazonEC2", "BoxUsage:m5.large", "Hrs", "eu-west-1"), SEPTEMBER, FACTORS, recipe)
    assert irish.reason is NotEstimatedReason.NO_FACTOR


def test_geo_redundant_storage_draws_on_two_grids() -> None:
    """GRS in westeurope has its second copies in northeurope, the pair of the set; both grids stand in the rate."""
    made = RATER(
        _sku("azure", "Storage", "Tiered Block Blob - Hot GRS Data Stored", "1 GB/Month", "westeurope"), JUNE_2023
    )
    assert "region_pair:azure:westeurope" in made.factor_ids
    assert {"grid_lifecycle:country:NLD:2023", "grid_lifecycle:country:IRL:2023"} <= set(made.factor_ids)
    assert Assumption.PAIRED_REGION_AS_PRIMARY not in made.assumptions
    alone = RATER(
        _sku("azure", "Storage", "Tiered Block Blob - Hot GRS Data Stored", "1 GB/Month", "polandcentral"), JUNE_2023
    )
    assert Assumption.PAIRED_REGION_AS_PRIMARY in alone.assumptions


@pytest.mark.parametrize(
    ("provider", "service", "meter", "unit", "factor"),
    [
        ("azure", "Azure App Service", "Premium v3 Plan - P1 v3 App", "1 Hour", "size_vcpu:azure.app_service.p1v3"),
        ("azure", "Redis Cache", "Azure Redis Cache Standard - C1 Cache Instance", "1 Hour", "size_gib:azure.redis.c1"),
        ("azure", "Azure Synapse Analytics", "SQL Pool - 100 DWUs", "1 Hour", "size_vcpu:azure.synapse.dwu"),
        ("aws", "AWSGlue", "ETL-DPU-Hour", "DPU-Hour", "size_gib:aws.dpu"),
        ("aws", "CodeBuild", "Build-Min:Linux:g1.small", "minutes", "size_vcpu:aws.codebuild.small"),
        ("aws", "AmazonLightsail", "BundleUsage:2GB", "Hrs", "size_vcpu:aws.lightsail.2"),
        ("aws", "AmazonRDS", "Aurora:ServerlessV2Usage", "ACU-Hr", "coefficient:aurora_acu_vcpu"),
        ("aws", "AmazonS3", "TimedStorage-ByteHrs", "GB-Mo", "replication:aws.s3"),
    ],
)
def test_sizes_and_copies_are_factors_of_the_rate(
    provider: str, service: str, meter: str, unit: str, factor: str
) -> None:
    """What a classifier asked the set for stands among the rate's factors, recalled sizes included."""
    region = "westeurope" if provider == "azure" else "us-east-1"
    made = RATER(_sku(provider, service, meter, unit, region), JUNE_2023)
    assert factor in made.factor_ids, (made.reason, made.factor_ids)
    found = FACTORS.factor(factor)
    assert found.evidence == ("recalled" if found.kind.startswith("size") else found.evidence)


def test_a_lightsail_bundle_is_a_machine_proxy() -> None:
    """A bundle is rated as the burstable machine that is like it, and says so."""
    made = RATER(_sku("aws", "AmazonLightsail", "BundleUsage:2GB", "Hrs", "us-east-1"), JUNE_2023)
    assert Assumption.MACHINE_PROXY in made.assumptions
    assert made.status is Status.FALLBACK
