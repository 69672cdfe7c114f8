"""Faults that were reproduced in other tools of this field, each a law of ours (issue 3), with the shipped set."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgridflow.domain.model import Rate, Sku, SkuAttributes
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason, Status
from offgridflow.factors import load
from offgridflow.methodology.rating import Rater
from offgridflow.methodology.recipe import Profile, Recipe, RegionValue

FACTORS = load()
RATER = Rater(FACTORS, Recipe())
JUNE = Month(2025, 6)
Reason = NotEstimatedReason


def sku(provider: str, service: str, meter: str, unit: str, region: str = "") -> Sku:
    """Build a SKU; the region is one that the provider has."""
    place = region or {"aws": "us-east-1", "azure": "westeurope", "gcp": "us-central1"}[provider]
    return Sku(provider, service, service, None, meter, None, unit, place, None, SkuAttributes())


def rated(*args: str) -> Rate:
    """Rate a SKU that must have a figure."""
    made = RATER(sku(*args), JUNE)
    assert made.total_kgco2e is not None, made
    return made


def kwh(*args: str) -> float:
    """Return IT kWh of a SKU that must have some."""
    found = rated(*args).it_energy_kwh
    assert found is not None
    return found


def refused(*args: str) -> NotEstimatedReason:
    """Return the reason of a SKU that must have no figure."""
    made = RATER(sku(*args), JUNE)
    assert made.total_kgco2e is None, made
    assert made.reason is not None
    return made.reason


def test_a_multi_az_database_counts_twice() -> None:
    """Two machines run and two sets of volumes are written."""
    single, double = (
        kwh("aws", "AmazonRDS", f"{kind}:db.m5.large", "Hrs") for kind in ("InstanceUsage", "Multi-AZUsage")
    )
    assert double == pytest.approx(2 * single)
    one, two = (kwh("aws", "AmazonRDS", f"RDS:{kind}GP3-Storage", "GB-Mo") for kind in ("", "Multi-AZ-"))
    assert two == pytest.approx(2 * one)


def test_fargate_ephemeral_storage_is_not_memory() -> None:
    """A GB-hour of scratch disk draws a thousandth of a watt, one of memory about half a watt."""
    disk = kwh("aws", "AmazonECS", "USE1-Fargate-EphemeralStorage-GB-Hours", "hours")
    memory = kwh("aws", "AmazonECS", "USE1-Fargate-GB-Hours", "hours")
    assert disk < memory / 100


def test_a_gb_month_of_s3_is_not_bytes() -> None:
    """A GB-month is about 1.5 Wh; read as bytes it would be nothing."""
    assert 1e-3 < kwh("aws", "AmazonS3", "TimedStorage-ByteHrs", "GB-Mo") < 2e-3


def test_in_and_out_lines_are_one_transfer() -> None:
    """Between regions the sender counts; between zones both lines count half."""
    out = kwh("aws", "AmazonEC2", "USE1-USW2-AWS-Out-Bytes", "GB")
    assert refused("aws", "AmazonEC2", "USW2-USE1-AWS-In-Bytes", "GB") is Reason.COUNTED_ELSEWHERE
    assert kwh("aws", "AmazonEC2", "DataTransfer-Regional-Bytes", "GB") == pytest.approx(out / 2)


def test_embodied_grows_with_the_share_of_the_machine_and_never_enters_kwh() -> None:
    """Twice the vCPUs and memory weigh twice as much; another lifetime changes no kilowatt-hour."""
    small, large = (rated("aws", "AmazonEC2", f"BoxUsage:m5.{size}", "Hrs") for size in ("large", "xlarge"))
    assert large.embodied_kgco2e == pytest.approx(2 * (small.embodied_kgco2e or 0))
    short = Rater(FACTORS, Recipe(lifetime_years=1))(small.sku, JUNE)
    assert (short.embodied_kgco2e or 0) > 5 * (small.embodied_kgco2e or 0)
    assert short.energy_kwh == small.energy_kwh


def test_an_unknown_machine_is_not_one_vcpu() -> None:
    """A size that no catalogue has counts the vCPUs of its name, else its service's median, else a reason."""
    known, unknown = (rated("azure", "Virtual Machines", f"Dsv5 Series - D{size}s v5", "1 Hour") for size in (16, 24))
    assert (unknown.it_energy_kwh or 0) > (known.it_energy_kwh or 0)
    assert unknown.status is Status.FALLBACK
    nameless = rated("aws", "AmazonEC2", "BoxUsage:zz9.plural", "Hrs")
    assert (nameless.coverage_bucket, nameless.method) == (CoverageBucket.SERVICE_MEDIAN, Method.SERVICE_MEDIAN)
    assert refused("aws", "AmazonGameLift", "BoxUsage:zz9.plural", "Hrs") in {
        Reason.UNKNOWN_INSTANCE_TYPE,
        Reason.CAPACITY_NOT_METERED,
        Reason.UNKNOWN_METER,
        Reason.UNKNOWN_SERVICE,
    }


def test_azure_rows_use_their_region() -> None:
    """The same machine has other emissions in Sweden than in Poland."""
    places = ("swedencentral", "polandcentral")
    clean, dirty = (rated("azure", "Virtual Machines", "D4s v5", "1 Hour", place) for place in places)
    assert (dirty.operational_location_kgco2e or 0) > 5 * (clean.operational_location_kgco2e or 0)


def test_a_multi_regions_factor_is_a_mean() -> None:
    """The factor of ``us`` lies between those of its members."""
    region = FACTORS.region("gcp", "us")
    assert region is not None
    found = [FACTORS.grid("gcp", each, JUNE) for each in region.members]
    values = [grid.lifecycle_delivered.central for grid in found if grid and grid.lifecycle_delivered]
    whole = FACTORS.grid("gcp", "us", JUNE)
    assert whole is not None
    assert whole.lifecycle_delivered is not None
    assert whole.lifecycle_delivered.central == pytest.approx(sum(values) / len(values))


def test_water_on_site_is_not_multiplied_by_pue() -> None:
    """Twice the PUE changes the water of electricity alone; an unknown part makes the whole null."""
    place = next(
        region.region_id
        for region in FACTORS.regions()
        if region.provider == "aws"
        and region.kind == "region"
        and (found := FACTORS.facility("aws", region.region_id, JUNE)) is not None
        and found.wue_l_per_it_kwh
        and found.electricity_water_l_per_kwh
    )
    facility = FACTORS.facility("aws", place, JUNE)
    assert facility is not None
    wanted = sku("aws", "AmazonEC2", "BoxUsage:m5.large", "Hrs", place)
    waters = []
    for pue in (1.0, 2.0):
        made = Rater(FACTORS, Recipe(pue=(RegionValue("aws", place, pue),), profile=Profile.SCI))(wanted, JUNE)
        assert made.water_l is not None
        assert made.it_energy_kwh is not None
        waters.append(made.water_l / made.it_energy_kwh)
    assert waters[1] - waters[0] == pytest.approx(facility.electricity_water_l_per_kwh)
    assert waters[0] == pytest.approx((facility.wue_l_per_it_kwh or 0) + (facility.electricity_water_l_per_kwh or 0))
    dry = rated("azure", "Virtual Machines", "D4s v5", "1 Hour", "eastasia")
    assert dry.water_l is None


def test_block_units_are_read_as_the_provider_counts() -> None:
    """Azure's quantity counts hours, whatever the block of the price; elsewhere the block is the unit."""
    one, ten = (kwh("azure", "Virtual Machines", "D4s v5", unit) for unit in ("1 Hour", "10 Hours"))
    assert ten == pytest.approx(one)
    single, hundred = (kwh("aws", "AmazonEC2", "BoxUsage:m5.large", unit) for unit in ("Hrs", "10 Hours"))
    assert hundred == pytest.approx(10 * single)
    meter = "Tiered Block Blob - Hot LRS Data Stored"
    assert kwh("azure", "Storage", meter, "100 GB/Month") == pytest.approx(kwh("azure", "Storage", meter, "1 GB/Month"))


@pytest.mark.parametrize(
    ("plain", "cheap"),
    [
        (("aws", "AmazonEC2", "BoxUsage:m5.large", "Hrs"), ("aws", "AmazonEC2", "SpotUsage:m5.large", "Hrs")),
        (("azure", "Virtual Machines", "D4s v5", "1 Hour"), ("azure", "Virtual Machines", "D4s v5 Spot", "1 Hour")),
        (
            ("azure", "Virtual Machines", "D2s v3", "1 Hour"),
            ("azure", "Virtual Machines", "D2s v3 Low Priority", "1 Hour"),
        ),
        (
            ("gcp", "Compute Engine", "N2 Instance Core running in Iowa", "hour"),
            ("gcp", "Compute Engine", "Spot Preemptible N2 Instance Core running in Iowa", "hour"),
        ),
    ],
)
def test_spot_and_low_priority_are_the_same_machine(plain: tuple[str, ...], cheap: tuple[str, ...]) -> None:
    """The price is lower, the watts are not."""
    assert kwh(*cheap) == pytest.approx(kwh(*plain))


@pytest.mark.parametrize(
    ("service", "meter", "unit"),
    [
        ("AmazonVPC", "USE1-PublicIPv4:InUseAddress", "Hrs"),
        ("AmazonEC2", "NatGateway-Hours", "Hrs"),
        ("AmazonEC2", "NatGateway-Bytes", "GB"),
        ("AWSELB", "LoadBalancerUsage", "Hrs"),
        ("AWSELB", "LCUUsage", "LCU-Hrs"),
        ("AmazonElastiCache", "NodeUsage:cache.r6g.large", "Hrs"),
        ("AmazonRedshift", "Node:ra3.4xlarge", "Hrs"),
        ("AWSLambda", "Lambda-GB-Second", "Lambda-GB-Second"),
        ("AmazonEKS", "USE1-AmazonEKS-Hours:perCluster", "Hours"),
        ("AmazonCloudFront", "US-DataTransfer-Out-Bytes", "GB"),
    ],
)
def test_no_known_line_vanishes(service: str, meter: str, unit: str) -> None:
    """Addresses, gateways, balancers, caches, warehouses, functions, clusters, edges: an estimate or a reason."""
    made = RATER(sku("aws", service, meter, unit), JUNE)
    unexplained = {Reason.UNKNOWN_METER, Reason.UNKNOWN_SERVICE, Reason.UNKNOWN_UNIT}
    assert (made.total_kgco2e is not None) != (made.reason is not None)
    assert made.reason not in unexplained


def test_a_month_has_its_real_hours() -> None:
    """A GB-month of February is 28/31 of one of January in kilowatt-hours."""
    wanted = sku("aws", "AmazonS3", "TimedStorage-ByteHrs", "GB-Mo")
    january, february = (RATER(wanted, Month(2025, month)).it_energy_kwh for month in (1, 2))
    assert (february or 0) / (january or 1) == pytest.approx(28 / 31)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (("aws", "ElasticMapReduce", "BoxUsage:m5.xlarge", "Hrs"), Reason.SURCHARGE),
        (("aws", "AmazonRDS", "USE1-ExtendedSupport:Yr1-Yr2:MySQL5.7", "vCPU-Hours"), Reason.SURCHARGE),
        (("aws", "AmazonEKS", "USE1-EKS-Auto-Mode:m5.large", "Hours"), Reason.SURCHARGE),
        (("aws", "AmazonEC2", "HostBoxUsage:m5.large", "Hrs"), Reason.COUNTED_ELSEWHERE),
        (("azure", "Azure Databricks", "Premium All-purpose Compute DBU", "1 Hour"), Reason.SURCHARGE),
        (("azure", "Virtual Machines Licenses", "4 vCPU VM License", "1 Hour"), Reason.LICENCE),
        (("gcp", "Compute Engine", "Licensing Fee for Windows Server (CPU cost)", "hour"), Reason.LICENCE),
        (("gcp", "Compute Engine", "Sole Tenancy Premium for N2 Sole Tenancy Instance Core", "hour"), Reason.SURCHARGE),
        (("gcp", "Kubernetes Engine", "Regional Kubernetes Clusters", "hour"), Reason.SURCHARGE),
    ],
)
@pytest.mark.parametrize("known", [SkuAttributes(), SkuAttributes(instance_type="m5.xlarge", vcpu=4, memory_gib=16)])
def test_licences_and_surcharges_are_never_rated(
    wanted: tuple[str, ...], reason: NotEstimatedReason, known: SkuAttributes
) -> None:
    """A fee on a machine is no second machine, though the row carries the machine's type and vCPUs."""
    made = RATER(replace(sku(*wanted), attributes=known), JUNE)
    assert made.total_kgco2e is None
    assert made.reason is reason


# coverage -----------------------------------------------------------------------------------------------------------


def _bill() -> list[tuple[Sku, Decimal]]:
    """Return a bill of 200 lines of machines, disks and transfers with costs, and a few fees."""
    chosen = random.Random(7)  # noqa: S311  a repeatable bill, no secret
    machines = [each for each in FACTORS.machines() if each.provider == "aws" and not each.gpu_model]
    lines = [sku("aws", "AmazonEC2", f"BoxUsage:{chosen.choice(machines).instance_type}", "Hrs") for _ in range(150)]
    lines += [sku("aws", "AmazonEC2", f"EBS:VolumeUsage.{kind}", "GB-Mo") for kind in ("gp2", "gp3", "st1", "sc1")] * 10
    lines += [sku("aws", "ElasticMapReduce", "BoxUsage:m5.xlarge", "Hrs")] * 10
    return [(each, Decimal(chosen.randrange(1, 10_000)) / 100) for each in lines]


def _coverage(bill: list[tuple[Sku, Decimal]]) -> Decimal:
    """Return the headline (A + B) / (A + ... + E) by cost."""
    costs: dict[CoverageBucket, Decimal] = dict.fromkeys(CoverageBucket, Decimal(0))
    for each, cost in bill:
        costs[RATER(each, JUNE).coverage_bucket] += cost
    whole = sum((cost for bucket, cost in costs.items() if bucket is not CoverageBucket.NOT_PHYSICAL), Decimal(0))
    return (costs[CoverageBucket.SKU] + costs[CoverageBucket.FAMILY_OR_VCPU]) / whole


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_renamed_skus_make_coverage_fall_by_their_share_of_cost(seed: int) -> None:
    """Ten per cent of the rated SKUs under names that nobody knows: the headline falls by exactly their cost."""
    bill = _bill()
    rated_lines = [index for index, (each, _) in enumerate(bill) if RATER(each, JUNE).total_kgco2e is not None]
    chosen = random.Random(seed).sample(rated_lines, len(rated_lines) // 10)  # noqa: S311  repeatable
    whole = sum((cost for each, cost in bill if RATER(each, JUNE).coverage_bucket != "F"), Decimal(0))
    lost = sum((bill[index][1] for index in chosen), Decimal(0))
    renamed = [
        (replace(each, sku_meter=f"Qzx{index}~wbl", attributes=SkuAttributes()), cost)
        if index in chosen
        else (each, cost)
        for index, (each, cost) in enumerate(bill)
    ]
    assert _coverage(bill) - _coverage(renamed) == pytest.approx(lost / whole)


# properties ---------------------------------------------------------------------------------------------------------

RATED = [
    sku("aws", "AmazonEC2", "BoxUsage:m5.large", "Hrs"),
    sku("aws", "AmazonS3", "TimedStorage-ByteHrs", "GB-Mo"),
    sku("azure", "Virtual Machines", "NC6s v3", "1 Hour"),
    sku("gcp", "Compute Engine", "T2D AMD Instance Core running in Iowa", "hour"),
    sku("aws", "AWSLambda", "Lambda-GB-Second-ARM", "Lambda-GB-Second"),
]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(RATED),
    st.tuples(st.floats(1, 3), st.floats(1, 3)),
    st.tuples(st.floats(0, 3), st.floats(0, 3)),
)
def test_rates_are_monotone_in_pue_and_intensity(
    wanted: Sku, pues: tuple[float, float], grids: tuple[float, float]
) -> None:
    """No larger PUE and no larger intensity gives a smaller total; low <= central <= high; equal calls are equal."""
    region = wanted.region_id or ""
    totals = []
    for pue, grid in zip(sorted(pues), sorted(grids), strict=True):
        recipe = Recipe(
            pue=(RegionValue(wanted.provider, region, pue),), grid=(RegionValue(wanted.provider, region, grid),)
        )
        made = Rater(FACTORS, recipe)(wanted, JUNE)
        assert made == Rater(FACTORS, recipe)(wanted, JUNE)
        assert made.total_kgco2e is not None
        assert made.total_kgco2e.low <= made.total_kgco2e.central <= made.total_kgco2e.high
        totals.append(made.total_kgco2e.central)
    assert totals[0] <= totals[1] * (1 + 1e-12)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["aws", "azure", "gcp", "oracle", "my-own"]),
    st.lists(st.one_of(st.none(), st.text(max_size=60)), min_size=7, max_size=7),
    st.floats(allow_nan=True, allow_infinity=True),
)
def test_no_string_however_strange_raises(provider: str, texts: list[str | None], number: float) -> None:
    """Any text in any field of a SKU gives a rate: a figure in order, or a reason and no figure."""
    known = SkuAttributes(texts[0], number, number, number, texts[1], texts[2], texts[3], texts[4])
    wanted = Sku(provider, texts[5], texts[6], texts[0], texts[1], texts[2], texts[3], texts[4], texts[5], known)
    made = RATER(wanted, JUNE)
    assert (made.reason is None) == (made.total_kgco2e is not None)


def test_quantity_scales_the_figures() -> None:
    """A rate is per ONE unit of the bill, so a unit of 1 TB has 1,024 times the figures of a unit of 1 GB."""
    one, thousand = (rated("azure", "Bandwidth", "Standard Data Transfer Out", unit) for unit in ("1 GB", "1 TB"))
    assert one.total_kgco2e is not None
    assert thousand.total_kgco2e is not None
    assert thousand.total_kgco2e.central == pytest.approx(1024 * one.total_kgco2e.central)


@pytest.mark.parametrize(
    ("provider", "service", "meter", "unit", "is_median"),
    [
        ("gcp", "BigQuery", "BigQuery Enterprise Edition for US", "hour", False),
        ("gcp", "App Engine", "Frontend Instances", "hour", True),
        ("gcp", "Cloud Spanner", "Regional Spanner Server Node in Americas", "hour", True),
        ("gcp", "Cloud Bigtable", "Server node Iowa", "hour", True),
        ("gcp", "Cloud Composer", "Cloud Composer Environment fee", "hour", True),
        ("azure", "SQL Database", "SQL Database Single Standard - S2 DTUs", "1/Day", False),
        ("azure", "Azure Synapse Analytics", "Azure Synapse Analytics Dedicated SQL Pool - 100 DWUs", "1 Hour", True),
        ("aws", "AmazonRDS", "Aurora:ServerlessV2Usage", "ACU-Hr", False),
    ],
)
def test_a_size_that_nobody_stated_is_bucket_c(
    provider: str, service: str, meter: str, unit: str, *, is_median: bool
) -> None:
    """A median size is bucket C by method and mark; a unit that is a published number of vCPUs is bucket B."""
    made = rated(provider, service, meter, unit)
    assert (made.method is Method.SERVICE_MEDIAN) is is_median
    assert (Assumption.SERVICE_MEDIAN_SIZE in made.assumptions) is is_median
    assert made.coverage_bucket is (CoverageBucket.SERVICE_MEDIAN if is_median else CoverageBucket.FAMILY_OR_VCPU)
