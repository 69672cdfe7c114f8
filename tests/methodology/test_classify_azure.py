"""Azure SKUs become the hardware that their meters name, or a reason."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgridflow.domain.model import Sku, SkuAttributes, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, Method, NotEstimatedReason
from offgridflow.domain.units import Dimension
from offgridflow.factors.model import MachineType
from offgridflow.methodology.azure import classify
from offgridflow.methodology.azure_units import azure_conversion_of
from offgridflow.methodology.azure_vm import sizes_in
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
from support.few_factors import few_factors, machine_type, near
from support.outcomes import demand_of, reason_of

SEPTEMBER = Month(2023, 9)
INPUTS = Path(__file__).parents[2] / "../shared/inputs"
TWO = Span(2, 2, 2)
THREE = Span(2, 3, 4)
FOUR = Span(3, 4, 5)
GB = 1.073741824


_SIZES = frozenset(
    {"standard_d4s_v5", "standard_ds2_v2", "standard_d2s_v3", "standard_d4s_v3", "standard_ds11_v2",
     "standard_d64s_v3", "standard_b1s", "standard_b2s"},
)  # fmt: skip
_DISKS = {"P4": (32.0, "ssd"), "P6": (64.0, "ssd"), "P10": (128.0, "ssd"), "P30": (1024.0, "ssd"),
          "E2": (8.0, "ssd"), "E10": (128.0, "ssd"), "S4": (32.0, "hdd")}  # fmt: skip
_MODELS = frozenset({("azure", "gpt-4o"), ("azure", "gpt-4o-mini")})


def _machine(provider: str, name: str) -> MachineType | None:
    known = provider == "azure" and name.lower() in _SIZES
    return machine_type((provider, name), 2, "Ice Lake") if known else None


FACTORS = few_factors(
    copies={"azure.lrs": THREE, "azure.zrs": FOUR, "azure.grs": THREE, "azure.grs_paired": TWO,
            "azure.gzrs": FOUR, "azure.gzrs_paired": TWO, "azure.sql": THREE, "azure.mysql": THREE,
            "azure.cosmos": FOUR, "azure.redis": TWO},
    coefficients={
        "azure_sql_dtu_per_vcore_standard": 100.0,
        "azure_sql_dtu_per_vcore_premium": 125.0,
        "azure_sql_memory_gb_per_vcore": 5.1,
    },
    machines=_machine,
    disks={("azure", code): disk for code, disk in _DISKS.items()},
    models=lambda provider, model: (provider, model) in _MODELS,
)  # fmt: skip


def _sku(category: str, meter: str, unit: str | None, **attributes: object) -> Sku:
    operation = cast("str | None", attributes.pop("operation", None))
    known = SkuAttributes(**attributes)  # type: ignore[arg-type]  # table rows carry the right types
    return Sku("azure", category, category, None, meter, operation, unit, "westeurope", None, known)


def _read(category: str, meter: str, unit: str | None, **attributes: object) -> Demand | NotRated:
    return classify(_sku(category, meter, unit, **attributes), SEPTEMBER, FACTORS)


def _components(category: str, meter: str, unit: str | None, **attributes: object) -> tuple[object, ...]:
    return demand_of(_read(category, meter, unit, **attributes)).components


def _reason(category: str, meter: str, unit: str | None, **attributes: object) -> NotEstimatedReason:
    return reason_of(_read(category, meter, unit, **attributes))


@pytest.mark.parametrize(
    ("unit", "dimension", "multiplier"),
    [
        ("1 Hour", Dimension.HOURS, 1.0),
        ("10 Hours", Dimension.HOURS, 1.0),
        ("100 Hours", Dimension.HOURS, 1.0),
        ("Hours", Dimension.HOURS, 1.0),
        ("1 1 Hour", Dimension.HOURS, 1.0),
        ("1/Day", Dimension.HOURS, 24.0),
        ("Units/Hour", Dimension.HOURS, 1.0),
        ("100 Seconds", Dimension.HOURS, 1 / 3600),
        ("1 /Month", Dimension.UNIT_MONTHS, 1.0),
        ("Units/Month", Dimension.UNIT_MONTHS, 1.0),
        ("1 GB/Month", Dimension.GIB_MONTHS, 1.0),
        ("100 GB/Month", Dimension.GIB_MONTHS, 1.0),
        ("1 TB/Month", Dimension.GIB_MONTHS, 1024.0),
        ("1 GB/月", Dimension.GIB_MONTHS, 1.0),
        ("1 GiB/Hour", Dimension.GIB_HOURS, 1.0),
        ("50000 GB Seconds", Dimension.GIB_HOURS, 1 / 3600),
        ("10 GB", Dimension.GIB, 1.0),
        ("10K", Dimension.COUNT, 10_000.0),
        ("1M", Dimension.COUNT, 1_000_000.0),
    ],
)
def test_block_size_of_a_named_unit_never_multiplies(unit: str, dimension: Dimension, multiplier: float) -> None:
    """Quantity counts the unit after the number: ``10 Hours`` is one hour a unit; a letter is part of the count."""
    conversion = azure_conversion_of(unit)
    assert conversion is not None
    assert conversion.dimension is dimension
    assert conversion.multiplier == pytest.approx(multiplier)


@pytest.mark.parametrize(
    "unit", [None, "", "Unassigned", "10000", "10000s", "1 Gizmo", "0 Unassigned", "9" * 400 + "K"]
)
def test_unit_that_is_not_known_is_never_guessed(unit: str | None) -> None:
    """A missing, strange or ambiguous unit has no conversion."""
    assert azure_conversion_of(unit) is None


@pytest.mark.inputs
def test_real_units_agree_with_microsofts_own_list() -> None:
    """Of Microsoft's list of units, every hour, GB and GB/Month spelling is read, each in its distinct unit."""
    path = INPUTS / "azure/open-data/PricingUnits.csv"
    if not path.exists():
        pytest.skip("shared inputs are absent")
    wanted = {"Hours": Dimension.HOURS, "GB": Dimension.GIB, "GB/Month": Dimension.GIB_MONTHS}
    checked = 0
    with path.open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            dimension = wanted.get(row["DistinctUnits"])
            unread = {"1 Content Hours", "1000 Relay Hours", "1000 Relay Hrs"}
            if dimension is None or row["UnitOfMeasure"] in unread:
                continue
            conversion = azure_conversion_of(row["UnitOfMeasure"])
            assert conversion is not None, row
            assert (conversion.dimension, conversion.multiplier) == (dimension, 1.0), row
            checked += 1
    assert checked >= 40


def test_ten_hours_row_is_hours_of_that_machine() -> None:
    """A row of unit ``10 Hours`` and quantity 22 is 22 machine hours, not 220."""
    (machine,) = _components(
        "Virtual Machines", "Dv3/DSv3 Series - D4 v3/D4s v3", "10 Hours", instance_type="Standard_D4s_v3", vcpu=4.0
    )
    assert machine == Machine("Standard_D4s_v3", 1.0, vcpu=4.0, service="Virtual Machines")


@pytest.mark.parametrize(
    "meter",
    [
        "Dsv5 Series - D4s v5",
        "Virtual Machines Dsv5 Series - D4s v5",
        "Dsv5 Series - D4s v5 Spot",
        "Dsv5 Series Windows - D4s v5 Low Priority",
        "Virtual Machines Dsv5 Series - D4s v5 - EU West",
        "Ddv5/Dsv5 Series - D4 v5/D4s v5 Dev/Test",
    ],
)
def test_every_price_model_of_a_size_is_the_same_machine(meter: str) -> None:
    """Spot, low priority, Windows and dev/test meters run on the same hardware."""
    assert _components("Virtual Machines", meter, "1 Hour") == (
        Machine("Standard_D4s_v5", 1.0, service="Virtual Machines"),
    )


@pytest.mark.parametrize(
    ("meter", "size"),
    [
        ("Dv2/DSv2 Series - D2 v2/DS2 v2 Promo", "Standard_DS2_v2"),
        ("NCads A100 v4 Series - NC24ads A100 v4", "Standard_NC24ads_A100_v4"),
        ("Standard_ND_MI300X_v5 Series - ND96isr MI300X v5", "Standard_ND96isr_MI300X_v5"),
        ("Msv2 Series - M416-208s v2", "Standard_M416-208s_v2"),
        ("A Series Basic - A1", "Basic_A1"),
        ("BS Series - B1s", "Standard_B1s"),
        ("NCasT4_v3 Series - NC4as T4 v3", "Standard_NC4as_T4_v3"),
        ("ND Series - ND128isr NDR GB200 v6", "Standard_ND128isr_NDR_GB200_v6"),
        ("AV Series - AV36P Node", "AV36P"),
    ],
)
def test_sizes_are_spelled_as_the_catalogue_does(meter: str, size: str) -> None:
    """The size in a meter's name becomes the name of the machine type."""
    assert sizes_in(meter)[0] == size


def test_unknown_machine_is_never_one_vcpu() -> None:
    """A size that no name tells is rated by the bill's vCPUs, and refused where the bill has none."""
    assert _components("Virtual Machines", "Foo Series - Foo", "1 Hour", vcpu=8.0) == (Vcpu(8.0),)
    assert _reason("Virtual Machines", "Foo Series - Foo", "1 Hour") is NotEstimatedReason.UNKNOWN_INSTANCE_TYPE
    (machine,) = _components("Virtual Machines", "Dsv9 Series - D4s v9", "1 Hour")
    assert isinstance(machine, Machine)
    assert (machine.instance_type, machine.vcpu) == ("Standard_D4s_v9", None)


def test_unused_capacity_reservation_and_host_are_idle_machines() -> None:
    """Reserved physical capacity is a machine at idle; the host is the largest machine of its series."""
    reserved = _read(
        "Virtual Machines", "D2 v3/D2s v3", "1 Hour", instance_type="Standard_D2s_v3", operation="ComputeCR"
    )
    assert isinstance(reserved, Demand)
    assert reserved.method is Method.RESERVED_CAPACITY
    assert reserved.components == (Machine("Standard_D2s_v3", 1.0, service="Virtual Machines", idle=True),)
    from_export = _read(
        "Virtual Machines", "D2s v3", "1 Hour", instance_type="Standard_D2s_v3", deployment="capacity_reservation"
    )
    assert from_export == reserved
    host = _components("Virtual Machines", "DSv3 Series Dedicated Host - DSv3 Type1", "1 Hour")
    assert host == (Machine("Standard_D64s_v3", 1.0, service="Dedicated Host", idle=True),)


@pytest.mark.parametrize(
    ("category", "meter", "unit", "reason"),
    [
        ("Virtual Machines Licenses", "Azure Red Hat OpenShift General Purpose v3 - 4 vCPU", "10 Hours", "licence"),
        ("SQL Managed Instance", "Managed Instance General Purpose - SQL License - vCore", "1 Hour", "licence"),
        ("Azure Databricks", "Premium All-purpose Compute DBU", "1 Hour", "surcharge"),
        ("Azure Data Explorer", "Azure Data Explorer Markup - Engine Markup", "1 Hour", "surcharge"),
        ("Azure Machine Learning", "Standard vCPU Surcharge", "1 Hour", "surcharge"),
        ("Azure Kubernetes Service", "Standard Uptime SLA", "1 Hour", "not_physical"),
        ("Advanced Data Security", "SQL Database - Standard Node", "1/Month", "surcharge"),
        ("Azure Stack HCI", "vCPU", "1/Hour", "customer_premises"),
        ("Support", "Standard", "1/Month", "support"),
        ("Azure Marketplace", "Standard_D4s_v3 image", "1 Hour", "licence"),
        ("Storage", "Tiered Block Blob - Cool LRS Early Delete", "1 GB", "not_physical"),
        ("Storage", "Premium SSD Managed Disks - P30 LRS Disk Mount", "1/Month", "counted_elsewhere"),
    ],
)
def test_licences_fees_and_premises_are_never_rated(category: str, meter: str, unit: str, reason: str) -> None:
    """A line without hardware of its own is refused, even with an instance type and a vCPU count beside it."""
    assert _reason(category, meter, unit, instance_type="Standard_D4s_v3", vcpu=4.0) == reason


def test_managed_disk_counts_its_provisioned_capacity_for_the_hours_of_the_month() -> None:
    """One disk-month of a P10 is 128 GiB for 720 hours in September, whatever the bill calls the unit."""
    wanted = (Storage(near(128 * GB / 1000 * 720), "ssd", THREE),)
    for unit in ("1/Month", "Units/Month", "1 /Month"):
        assert _components("Storage", "Premium SSD Managed Disks - P10 LRS Disk", unit) == wanted
    assert _components("Storage", "Standard HDD Managed Disks - S4 Disks", "1/Month") == (
        Storage(near(32 * GB / 1000 * 720), "hdd", THREE),
    )
    assert _reason("Storage", "Premium SSD Managed Disks - P10 LRS Disk", "1 GB") is NotEstimatedReason.UNKNOWN_UNIT


def test_month_has_its_real_number_of_hours() -> None:
    """A GB-month of February is held for 672 hours, one of January for 744."""
    sku = _sku("Storage", "Tiered Block Blob - Hot LRS Data Stored", "1 GB/Month")
    hours = {}
    for month in (Month(2025, 1), Month(2025, 2)):
        outcome = classify(sku, month, FACTORS)
        assert isinstance(outcome, Demand)
        (part,) = outcome.components
        assert isinstance(part, Storage)
        hours[month.month] = part.tb_hours / (GB / 1000)
    assert hours == {1: pytest.approx(744), 2: pytest.approx(672)}


@pytest.mark.parametrize(
    ("name", "copies", "paired"),
    [
        ("LRS", THREE, None),
        ("ZRS", FOUR, None),
        ("GRS", THREE, TWO),
        ("RA-GRS", THREE, TWO),
        ("GZRS", FOUR, TWO),
        ("RA-GZRS", FOUR, TWO),
    ],
)
def test_geo_redundancy_adds_the_paired_regions_copies(name: str, copies: Span, paired: Span | None) -> None:
    """GRS keeps as many copies again on the paired region's grid; GZRS is told from ZRS and GRS."""
    (part,) = _components("Storage", f"Blob Storage - Hot {name} Data Stored", "1 GB/Month")
    assert isinstance(part, Storage)
    assert (part.copies, part.copies_paired, part.medium) == (copies, paired, "hdd")


def test_database_replicas_and_serverless_parts() -> None:
    """Business critical runs four replicas; DTUs are hundredths of a vCore; Functions carry a vCPU per 1.5 GB."""
    meter = "Single/Elastic Pool Business Critical - Compute Gen5 - 2 vCore"
    assert _components("SQL Database", meter, "1 Hour") == (
        Vcpu(2.0, "x86", memory_apart=True, copies=4.0),
        Memory(near(10.2), copies=4.0),
    )
    assert _components("SQL Database", "Single Standard - S3 DTUs", "1/Day") == (
        Vcpu(24.0, "x86", memory_apart=True),
        Memory(near(5.1 * 24)),
    )
    assert _components("Functions", "Standard Execution Time", "1 GB Second") == (
        Vcpu(near(1 / 1.5 / 3600), memory_apart=True),
        Memory(near(1 / 3600)),
    )
    assert _components("Azure Cosmos DB", "Data Stored", "1 GB/Month")[0] == Storage(near(GB * 0.72), "ssd", FOUR)


@pytest.mark.parametrize(
    ("category", "meter", "unit", "wanted"),
    [
        ("Container Instances", "Standard vCPU Duration", "1 Hour", Vcpu(1.0, memory_apart=True)),
        ("Container Instances", "Standard Memory Duration", "1 GB Hour", Memory(1.0)),
        ("Container Instances", "K80 vGPU Duration", "100 Hours", Accelerator("NVIDIA K80", 1.0)),
        ("Azure App Service", "Premium v3 Plan - P1 v3", "1 Hour", Vcpu(2.0, "x86", memory_apart=True)),
        ("Azure App Service", "Standard Plan - S1", "10 Hours", Vcpu(1.0, "x86", memory_apart=True)),
        (
            "Redis Cache",
            "Azure Redis Cache Standard - C1 Cache",
            "1 Hour",
            Vcpu(1.0, "x86", memory_apart=True, copies=2),
        ),
        ("Bandwidth", "Inter-Region - Intra Continent Data Transfer Out", "1 GB", Transfer(GB, "inter_region")),
        ("Bandwidth", "Standard Data Transfer Out", "1 GB", Transfer(GB, "internet_egress")),
        ("Bandwidth", "Availability Zone Data Transfer Out", "1 GB", Transfer(GB, "inter_zone")),
        ("Content Delivery Network", "Standard Data Transfer", "1 GB", Transfer(GB, "cdn")),
        ("Cognitive Services", "Azure OpenAI - gpt 4o mini 0718 Outp glbl Tokens", "1K", Tokens("gpt-4o-mini", 0, 1e3)),
        ("Cognitive Services", "Azure OpenAI - gpt-4o 0513 Input global Tokens", "1M", Tokens("gpt-4o", 1e6, 0)),
    ],
)
def test_capacity_meters_give_their_hardware(category: str, meter: str, unit: str, wanted: object) -> None:
    """Each meter of capacity asks for the hardware that it names."""
    assert _components(category, meter, unit)[0] == wanted


@pytest.mark.parametrize(
    ("category", "meter", "unit", "reason"),
    [
        ("Bandwidth", "Inter-Region - Intra Continent Data Transfer In", "1 GB", "counted_elsewhere"),
        ("Bandwidth", "Standard Data Transfer In", "1 GB", "counted_elsewhere"),
        ("Virtual Network", "Peering - Intra-Region Ingress", "1 GB", "counted_elsewhere"),
        ("Virtual Network", "IP Addresses - Standard IPv4 Static Public IP", "1 Hour", "not_physical"),
        ("Load Balancer", "Standard Included LB Rules and Outbound Rules", "1 Hour", "capacity_not_metered"),
        ("NAT Gateway", "Standard Gateway", "1 Hour", "capacity_not_metered"),
        ("Azure Cosmos DB", "100 RU/s", "1/Hour", "capacity_not_metered"),
        ("Event Hubs", "Standard Throughput Unit", "1 Hour", "capacity_not_metered"),
        ("Storage", "Ultra Disks - Ultra LRS Provisioned IOPS", "1/Hour", "capacity_not_metered"),
        ("Key Vault", "Operations", "10K", "request_priced"),
        ("Log Analytics", "Pay-as-you-go Data Ingestion", "1 GB", "request_priced"),
        ("Cognitive Services", "Azure OpenAI - gpt-9 Outp Tokens", "1K", "unknown_ai_model"),
        ("Cognitive Services", "Azure OpenAI - gpt-4o Outp Tokens", "Units", "unknown_unit"),
        ("Bandwidth", "Data Transfer Out - Free", None, "unknown_unit"),
        ("Quantum Gizmos", "Widgets", "1 Hour", "unknown_service"),
        ("Storage", "Mystery", "1 Hour", "unknown_meter"),
    ],
)
def test_what_cannot_be_rated_says_why(category: str, meter: str, unit: str | None, reason: str) -> None:
    """Appliances, requests, addresses and unknown names each have their own reason; none is a zero."""
    assert _reason(category, meter, unit) == reason


def _described(service: str, description: str, unit: str) -> Demand | NotRated:
    sku = Sku("azure", service, None, None, description, None, unit, "eastus2")
    return classify(sku, SEPTEMBER, FACTORS)


def _verdict(outcome: Demand | NotRated) -> str:
    return outcome.method.value if isinstance(outcome, Demand) else outcome.reason.value


FOCUS_VERDICTS = (
    ("Microsoft Defender", {"surcharge"}),
    ("Virtual Machines ", {"instance"}),
    ("Premium SSD Managed Disks", {"storage"}),
    ("Bandwidth Inter-Region", {"network"}),
    ("Rtn Preference: MGN", {"network"}),
    ("IP Addresses", {"not_physical"}),
    ("Load Balancer", {"capacity_not_metered"}),
    ("Azure Database for MySQL", {"storage"}),
    ("Tables - LRS Data Stored", {"storage"}),
    ("Tiered Block Blob - Hot LRS - Data Stored", {"storage"}),
    ("", {"request_priced"}),
)


@pytest.mark.inputs
def test_every_microsoft_row_of_the_focus_sample_has_its_verdict() -> None:
    """Plain FOCUS rows are read by the product they describe, not by the resource that they are filed under."""
    path = INPUTS / "focus/focus-1.0-sample.csv"
    if not path.exists():
        pytest.skip("shared inputs are absent")
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["ProviderName"] == "Microsoft"]
    assert len(rows) == 51
    for row in rows:
        outcome = _described(row["ServiceName"], row["ChargeDescription"], row["ConsumedUnit"])
        wanted = next(verdicts for start, verdicts in FOCUS_VERDICTS if row["ChargeDescription"].startswith(start))
        assert _verdict(outcome) in wanted, row["ChargeDescription"]


def _export_rows() -> Iterator[Sku]:
    for path in sorted([*INPUTS.glob("azure/ea-export/*.csv"), *INPUTS.glob("azure/other-headers/*.csv")]):
        with path.open(encoding="utf-8-sig", newline="") as file:
            for raw in csv.DictReader(file):
                row = {key.lower(): value for key, value in raw.items() if key}
                known = json.loads(row.get("additionalinfo") or "{}")
                parts = (row.get("metersubcategory"), row["metername"])
                vcpu = known.get("VCPUs")
                yield Sku(
                    "azure",
                    row["metercategory"],
                    row["metercategory"],
                    None,
                    " - ".join(part for part in parts if part),
                    known.get("UsageType"),
                    row.get("unitofmeasure") or None,
                    row["resourcelocation"],
                    None,
                    SkuAttributes(known.get("ServiceType"), None if vcpu is None else float(vcpu)),
                )


EXPORT_VERDICTS = (
    ("Virtual Machines", "", {"instance", "reserved_capacity"}),
    ("Virtual Machines Licenses", "", {"licence"}),
    ("Storage", "Operations", {"request_priced"}),
    ("Storage", "Tables - LRS Data Stored", {"unknown_unit"}),
    ("Storage", "", {"storage"}),
    ("SQL Managed Instance", "License", {"licence"}),
    ("Advanced", "", {"surcharge"}),
    ("Azure Database for MySQL", "vCore", {"database"}),
    ("SQL Database", "DTU", {"database"}),
    ("Log Analytics", "Retention", {"storage"}),
    ("Virtual Network", "Public IP", {"not_physical"}),
    ("Bandwidth", "Free", {"unknown_unit"}),
    ("Bandwidth", "", {"network"}),
    ("Load Balancer", "", {"capacity_not_metered"}),
    ("Unassigned", "", {"unknown_service"}),
)


@pytest.mark.inputs
def test_every_row_of_the_real_exports_has_its_verdict() -> None:
    """Each row of the EA, PAYG and camel-case exports is rated or refused as a person would."""
    rows = list(_export_rows())
    if not rows:
        pytest.skip("shared inputs are absent")
    for sku in rows:
        verdict = _verdict(classify(sku, SEPTEMBER, FACTORS))
        licence = sku.service_code == "Virtual Machines Licenses"
        wanted = next(
            verdicts
            for category, word, verdicts in EXPORT_VERDICTS
            if (sku.service_code or "").startswith(category)
            and word in (sku.sku_meter or "")
            and not (licence and category == "Virtual Machines")
        )
        assert verdict in wanted, sku


@pytest.mark.parametrize(
    ("service", "meter", "description", "wanted"),
    [
        ("Virtual Machines", "P10 LRS Disk", "Premium SSD Managed Disks - P10 LRS - EU West", Storage),
        ("Virtual Machine Scale Sets", "D4s v5 Spot", "Virtual Machines Dsv5 Series - D4s v5 - Spot", Machine),
        ("Azure Machine Learning", "Standard Data Transfer Out", "Rtn Preference: MGN - Data Transfer Out", Transfer),
    ],
)
def test_short_meter_is_read_with_its_description(service: str, meter: str, description: str, wanted: type) -> None:
    """FOCUS 1.1 has a bare SkuMeter under the resource's service; the description tells whose meter it is."""
    unit = {Storage: "Units/Month", Machine: "Hours", Transfer: "GB"}[wanted]
    outcome = classify(
        Sku("azure", service, None, None, meter, None, unit, "westeurope", description), SEPTEMBER, FACTORS
    )
    assert isinstance(outcome, Demand), outcome
    assert isinstance(outcome.components[0], wanted)


def test_assumptions_name_every_default() -> None:
    """A size from the meter's name, a redundancy and a medium that no name tells are marked; stated ones are not."""
    outcome = _read("Log Analytics", "Pay-as-you-go Data Retention", "1 GB/Month")
    assert isinstance(outcome, Demand)
    assert set(outcome.assumptions) == {Assumption.REPLICATION_DEFAULT, Assumption.STORAGE_MEDIUM_DEFAULT}
    stated = _read("Virtual Machines", "D4s v5", "1 Hour", instance_type="Standard_D4s_v5")
    read = _read("Virtual Machines", "D4s v5", "1 Hour")
    assert isinstance(stated, Demand)
    assert isinstance(read, Demand)
    assert stated.assumptions == ()
    assert read.assumptions == (Assumption.INSTANCE_TYPE_FROM_DESCRIPTION,)


WORDS = st.sampled_from(
    ["Virtual Machines", "Storage", "SQL Database", "P10", "D4s v5", "vCore", "GRS", "Data Stored", "Tokens", "gpt-4o",
     "DTUs", "Series Dedicated Host", "1", "-", "/", "10 Hours", "1 GB/Month", "1K", "Bandwidth", "²", "\ud7ff"],
)  # fmt: skip
STRANGE = st.one_of(st.none(), st.text(max_size=40), st.lists(WORDS, max_size=6).map(" ".join))


@settings(max_examples=300)
@given(STRANGE, STRANGE, STRANGE, STRANGE, st.one_of(st.none(), st.floats()))
def test_no_string_raises_and_the_answer_is_pure(
    category: str | None, meter: str | None, unit: str | None, stated: str | None, vcpu: float | None
) -> None:
    """Any strings give the same demand or reason twice, and every demanded amount is finite and not negative."""
    sku = Sku("azure", category, category, None, meter, None, unit, None, meter, SkuAttributes(stated, vcpu))
    outcome = classify(sku, SEPTEMBER, FACTORS)
    assert outcome == classify(sku, SEPTEMBER, FACTORS)
    if isinstance(outcome, Demand):
        assert outcome.components
        for part in outcome.components:
            amounts = [getattr(part, name) for name in part.__slots__]
            assert all(0 <= amount < 1e15 for amount in amounts if isinstance(amount, float)), part
