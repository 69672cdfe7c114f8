"""Google SKUs become the hardware that their names tell, and the SKUs of one machine become one machine."""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offgridflow.domain.model import Sku, SkuAttributes, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
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
from offgridflow.methodology.gcp import classify
from support.few_factors import few_factors, machine_type, near
from support.outcomes import demand_of

JANUARY = Month(2025, 1)
INPUTS = Path(__file__).parents[2] / "../shared/inputs"
GB = 1.073741824
BYTE = 2.0**-30
SECOND = 1 / 3600
COPIES = {
    "gcp.gcs": 2.0,
    "gcp.gcs_multi_region": 4.0,
    "gcp.pd": 2.0,
    "gcp.pd_regional": 4.0,
    "gcp.local_ssd": 1.0,
    "gcp.snapshot": 2.0,
    "gcp.sql": 2.0,
    "gcp.sql_regional": 4.0,
    "gcp.spanner": 3.0,
    "gcp.spanner_multi_region": 5.0,
    "gcp.filestore": 2.0,
}
PROCESSORS = {"n1": "Skylake", "n2": "Ice Lake", "e2": "Skylake", "c4a": "Google Axion", "c2": "Cascade Lake",
              "t2d": "EPYC 3rd Gen (Milan)", "c3": "Sapphire Rapids", "n4": "Emerald Rapids",
              "a3": "Sapphire Rapids"}  # fmt: skip
CARDS = {"NVIDIA T4", "NVIDIA L4", "NVIDIA H100 SXM", "Google TPU v4", "Google TPU v5e"}


_ULTRA = ("gcp", "n1-ultramem-40")
_MODELS = frozenset({("gcp", "gemini-2.5-flash"), ("gcp", "gemini-2.5-flash-lite")})


FACTORS = few_factors(
    copies={key: Span.exactly(copies) for key, copies in COPIES.items()},
    coefficients={
        "bigquery_slot_vcpu": 1.0,
        "cloud_composer_environment_vcpu_default": 14.0,
        "ai_characters_per_token": 4.0,
        "gcp_functions_ghz_per_vcpu": 2.4,
    },
    machines=lambda *named: machine_type(_ULTRA, 40, "Broadwell") if named == _ULTRA else None,
    families={
        ("gcp", family): (machine_type(("gcp", f"{family}-standard-8"), 8, processor),)
        for family, processor in PROCESSORS.items()
    },
    cards=CARDS,
    models=lambda provider, model: (provider, model) in _MODELS,
    medians={("gcp", "Cloud Spanner"): 16.0},
)


def _read(service: str, meter: str, unit: str | None, instance_type: str | None = None) -> Demand | NotRated:
    known = SkuAttributes(instance_type=instance_type)
    sku = Sku("gcp", service, None, None, meter, None, unit, "us-central1", None, known)
    return classify(sku, JANUARY, FACTORS)


def _components(service: str, meter: str, unit: str | None, instance_type: str | None = None) -> tuple[object, ...]:
    return demand_of(_read(service, meter, unit, instance_type)).components


@pytest.mark.parametrize(
    ("meter", "series", "processor"),
    [
        ("N2 Instance Core running in Americas", "n2", "Ice Lake"),
        ("Spot Preemptible E2 Instance Core running in EMEA", "e2", "Skylake"),
        ("N1 Predefined Instance Core running in Americas", "n1", "Skylake"),
        ("Custom Instance Core running in Americas", "n1", "Skylake"),
        ("N2 Custom Extended Instance Core running in Americas", "n2", "Ice Lake"),
        ("C4A Arm Instance Core running in Iowa", "c4a", "Google Axion"),
        ("Compute optimized Core running in Americas", "c2", "Cascade Lake"),
        ("C3 Instance Core running in Iowa", "c3", "Sapphire Rapids"),
        ("A3Ultra Instance Core running in Iowa", "a3", "Sapphire Rapids"),
        ("N4 Instance Core running in Iowa", "n4", "Emerald Rapids"),
        ("T2A Arm Instance Core running in Iowa", None, "arm"),
        ("Q9 Instance Core running in Iowa", None, None),
    ],
)
def test_core_seconds_are_vcpu_hours_of_the_series_processor(
    meter: str, series: str | None, processor: str | None
) -> None:
    """A core SKU is vCPU time with its memory apart, never a whole machine, spot or not."""
    for unit, hours in (("seconds", SECOND), ("hour", 1.0)):
        assert _components("Compute Engine", meter, unit, None) == (
            Vcpu(near(hours), processor, memory_apart=True, family=series),
        )


def test_core_time_names_the_series_whose_host_it_shares() -> None:
    """A T2D vCPU is a physical core; rating learns its two threads and its host from the series."""
    assert _components("Compute Engine", "T2D AMD Instance Core running in Iowa", "hour") == (
        Vcpu(1.0, "EPYC 3rd Gen (Milan)", memory_apart=True, family="t2d"),
    )


def test_core_and_memory_skus_of_a_machine_are_one_machine() -> None:
    """The cores and the memory of an n2-standard-4 hour are 4 vCPU-hours and 16 GiB-hours, each once."""
    core = _read("Compute Engine", "N2 Instance Core running in Americas", "seconds", "n2-standard-4")
    ram = _read("Compute Engine", "N2 Instance Ram running in Americas", "byte-seconds", "n2-standard-4")
    assert isinstance(core, Demand)
    assert isinstance(ram, Demand)
    (vcpu,), (memory,) = core.components, ram.components
    assert isinstance(vcpu, Vcpu)
    assert isinstance(memory, Memory)
    assert vcpu.vcpu_hours * 4 * 3600 == pytest.approx(4)
    assert vcpu.memory_apart
    assert memory.gib_hours * 16 * 2**30 * 3600 == pytest.approx(16)
    assert core.method is ram.method is Method.VCPU_AND_MEMORY


def test_machine_type_of_the_bill_decides_the_processor() -> None:
    """A stated machine type beats the series in the SKU's name."""
    meter = "Memory-optimized Instance Core running in Americas"
    assert _components("Compute Engine", meter, "seconds", "n1-ultramem-40") == (
        Vcpu(near(SECOND), "Broadwell", memory_apart=True, family="n1-ultramem-40"),
    )


@pytest.mark.parametrize(
    ("meter", "reason"),
    [
        ("Licensing Fee for Windows Server 2019 Datacenter Edition (CPU cost)", "licence"),
        ("Licensing Fee for Debian 10 Buster (RAM cost)", "licence"),
        ("Sole Tenancy Premium for N2 Sole Tenancy Instance Core", "surcharge"),
        ("Memory Optimized Upgrade Premium for Memory-optimized Instance Core", "surcharge"),
        ("Commitment v1: N2 Cpu in Americas for 1 year", "counted_elsewhere"),
        ("Static Ip Charge", "not_physical"),
        ("External IP Charge on a Standard VM", "not_physical"),
        ("Hyperdisk Balanced IOPS", "capacity_not_metered"),
        ("Network Inter Region Data Transfer In from APAC to Americas", "counted_elsewhere"),
        ("Network Internet Data Transfer In from EMEA to Virginia", "counted_elsewhere"),
        ("Nvidia Z9 GPU running in Americas", "unknown_accelerator"),
        ("Mystery of the day", "unknown_meter"),
    ],
)
def test_fees_and_second_halves_are_never_rated(meter: str, reason: str) -> None:
    """Licences, premiums, commitments and inbound halves are refused, though they are in seconds beside a machine."""
    unit = "bytes" if "Transfer" in meter else "seconds"
    outcome = _read("Compute Engine", meter, unit, "n2-standard-4")
    assert isinstance(outcome, NotRated)
    assert outcome.reason == reason


@pytest.mark.parametrize(
    ("service", "meter", "unit", "reason"),
    [
        ("Kubernetes Engine", "Regional Kubernetes Clusters", "seconds", "surcharge"),
        ("Cloud Dataproc", "Licensing Fee for Google Cloud Dataproc (CPU cost)", "seconds", "surcharge"),
        ("Networking", "Cloud Nat Gateway uptime", "seconds", "capacity_not_metered"),
        ("Networking", "Networking Cloud Nat Data Processing", "bytes", "capacity_not_metered"),
        ("Networking", "Network Load Balancing: Forwarding Rule Minimum Service Charge", "seconds",
         "capacity_not_metered"),
        ("Cloud Storage", "Nearline Storage Iowa (Early Deletion)", "byte-seconds", "not_physical"),
        ("Cloud Storage", "Regional Standard Class A Operations", "count", "request_priced"),
        ("Cloud Storage", "Network Data Transfer GCP Replication within Europe", "bytes", "counted_elsewhere"),
        ("BigQuery", "Analysis", "bytes", "request_priced"),
        ("BigQuery", "Analysis Slots Attribution", "seconds", "counted_elsewhere"),
        ("Cloud Pub/Sub", "Message Delivery Basic", "bytes", "request_priced"),
        ("Stackdriver Logging", "Log Volume", "bytes", "request_priced"),
        ("Security Command Center", "Event Threat Detection Log Ingest Bytes", "bytes", "surcharge"),
        ("Google Distributed Cloud Edge", "GDC connected rack", "seconds", "customer_premises"),
        ("Support", "Premium Support", "count", "support"),
        ("Vertex AI", "Gemini 9 Ultra Text Output", "count", "unknown_ai_model"),
        ("Compute Engine", "N2 Instance Core running in Americas", "bytes", "unknown_unit"),
        ("Compute Engine", "SSD backed PD Capacity", "bytes", "unknown_unit"),
        ("Quantum Gizmos", "Widgets", "count", "unknown_service"),
    ],
)  # fmt: skip
def test_what_cannot_be_rated_says_why(service: str, meter: str, unit: str, reason: str) -> None:
    """Fees, requests, appliances and units that contradict the SKU each have their own reason."""
    outcome = _read(service, meter, unit)
    assert isinstance(outcome, NotRated)
    assert outcome.reason == reason


@pytest.mark.parametrize(
    ("service", "meter", "medium", "copies"),
    [
        ("Compute Engine", "Storage PD Capacity", "hdd", 2.0),
        ("Compute Engine", "SSD backed PD Capacity in Iowa", "ssd", 2.0),
        ("Compute Engine", "Regional Balanced PD Capacity", "ssd", 4.0),
        ("Compute Engine", "SSD backed Local Storage", "ssd", 1.0),
        ("Compute Engine", "Hyperdisk Balanced Capacity in Iowa", "ssd", 2.0),
        ("Compute Engine", "Hyperdisk Throughput Capacity in Iowa", "hdd", 2.0),
        ("Compute Engine", "Storage PD Snapshot in US", "hdd", 2.0),
        ("Cloud Storage", "Standard Storage Iowa", "hdd", 2.0),
        ("Cloud Storage", "Standard Storage US Multi-region", "hdd", 4.0),
        ("Cloud Storage", "Archive Storage Iowa", "archive", 2.0),
        ("Cloud SQL", "Cloud SQL for MySQL: Zonal - Standard storage in Americas", "ssd", 2.0),
        ("Cloud SQL", "Cloud SQL for MySQL: Regional - Low cost storage in Americas", "hdd", 4.0),
        ("Cloud Spanner", "Cloud Spanner Regional Storage europe-west1", "ssd", 3.0),
        ("Cloud Spanner", "Cloud Spanner Storage nam6", "ssd", 5.0),
        ("Cloud Filestore", "Filestore Capacity Basic HDD (Standard) Iowa", "hdd", 2.0),
        ("BigQuery", "Active Logical Storage", "hdd", 2.0),
        ("Artifact Registry", "Artifact Registry Storage", "hdd", 2.0),
    ],
)
def test_byte_seconds_and_gibibyte_months_are_the_same_storage(
    service: str, meter: str, medium: str, copies: float
) -> None:
    """A byte-second is 10^-12 TB for 1/3600 h; a gibibyte month is held for the 744 hours of January."""
    for unit, tb_hours in (("byte-seconds", 1e-12 / 3600), ("gibibyte month", GB / 1000 * 744)):
        assert _components(service, meter, unit) == (Storage(near(tb_hours), medium, Span.exactly(copies)),)


@pytest.mark.parametrize(
    ("service", "meter", "kind"),
    [
        ("Compute Engine", "Network Internet Egress from Americas to EMEA", "internet_egress"),
        ("Compute Engine", "Network Inter Zone Data Transfer Out", "inter_zone"),
        ("Compute Engine", "Network Inter Region Data Transfer Out from Americas to Montreal", "inter_region"),
        ("Cloud Storage", "Download Worldwide Destinations (excluding Asia & Australia)", "internet_egress"),
        ("Networking", "Cloud CDN Cache Data Transfer Out to North America", "cdn"),
        ("Cloud Run", "Cloud Run Network Internet Data Transfer Out Europe to Europe", "internet_egress"),
        ("Quantum Gizmos", "Network Internet Egress from Americas to EMEA", "internet_egress"),
    ],
)
def test_bytes_moved_are_decimal_gigabytes_of_their_kind(service: str, meter: str, kind: str) -> None:
    """2^30 bytes are 1.0737 GB, and the SKU's name tells how far they went."""
    assert _components(service, meter, "bytes") == (Transfer(near(1e-9), kind),)
    assert _components(service, meter, "gibibyte") == (Transfer(near(GB), kind),)


@pytest.mark.parametrize(
    ("service", "meter", "unit", "wanted"),
    [
        ("Compute Engine", "Nvidia Tesla T4 GPU attached to Spot Preemptible VMs running in Iowa", "seconds",
         Accelerator("NVIDIA T4", near(SECOND))),
        ("Compute Engine", "Nvidia H100 80GB GPU running in Iowa", "hour", Accelerator("NVIDIA H100 SXM", 1.0)),
        ("Cloud TPU", "Tpu-v4 in us-central2", "hour", Accelerator("Google TPU v4", 1.0)),
        ("Compute Engine", "Micro Instance with burstable CPU running in Americas", "hour", Machine("f1-micro", 1.0)),
        ("Cloud Build", "Build time n1-highcpu-8", "minute",
         Machine("n1-highcpu-8", near(1 / 60), service="Cloud Build")),
        ("Cloud SQL", "Cloud SQL for PostgreSQL: Regional - vCPU in Americas", "hour",
         Vcpu(1.0, None, memory_apart=True, copies=2.0)),
        ("Cloud SQL", "Cloud SQL for PostgreSQL: Regional - RAM in Americas", "gibibyte hour", Memory(1.0, 2.0)),
        ("Cloud SQL", "Cloud SQL for PostgreSQL: Zonal - 4 vCPU + 15GB RAM in Americas", "hour",
         Vcpu(4.0, None, memory_apart=True)),
        ("Kubernetes Engine", "Autopilot Pod mCPU Requests (us-central1)", "hour",
         Vcpu(near(0.001), None, memory_apart=True)),
        ("Kubernetes Engine", "Autopilot Pod Memory Requests (us-central1)", "gibibyte hour", Memory(1.0)),
        ("Cloud Run", "CPU Allocation Time", "seconds", Vcpu(near(SECOND), None, memory_apart=True)),
        ("Cloud Run", "Memory Allocation Time", "byte-seconds", Memory(near(BYTE * SECOND))),
        ("Cloud Functions", "CPU Time", "seconds", Vcpu(near(SECOND / 2.4), None, memory_apart=True)),
        ("Cloud Dataflow", "vCPU Time Batch Iowa", "hour", Vcpu(1.0, None, memory_apart=True)),
        ("Vertex AI", "Training on N1 Predefined Instance Core running in Iowa", "hour",
         Vcpu(1.0, "Skylake", memory_apart=True, family="n1")),
        ("BigQuery", "BigQuery Enterprise Edition for US (multi-region)", "hour", Vcpu(1.0)),
        ("Cloud Memorystore for Redis", "Redis Capacity Standard M2 Iowa", "gibibyte hour", Memory(1.0, 2.0)),
        ("Vertex AI", "Gemini 2.5 Flash Lite Text Output - Predictions", "count",
         Tokens("gemini-2.5-flash-lite", 0.0, 1.0)),
        ("Vertex AI", "Gemini 2.5 Flash Text Input - Predictions", "characters",
         Tokens("gemini-2.5-flash", 0.25, 0.0)),
    ],
)  # fmt: skip
def test_capacity_skus_give_their_hardware(service: str, meter: str, unit: str, wanted: object) -> None:
    """Each SKU of capacity asks for the hardware that it names; regional databases run twice."""
    assert _components(service, meter, unit)[0] == wanted


def test_node_of_unpublished_size_is_a_service_median() -> None:
    """A Spanner node is rated by the service's median in bucket C; a service without a median is refused."""
    outcome = _read("Cloud Spanner", "Cloud Spanner Server Node: us-central1", "hour")
    assert isinstance(outcome, Demand)
    assert (outcome.bucket, outcome.components) == (CoverageBucket.SERVICE_MEDIAN, (Vcpu(16.0),))
    assert outcome.assumptions == (Assumption.SERVICE_MEDIAN_SIZE,)
    other = _read("Cloud Bigtable", "Server Nodes us-central1", "hour")
    assert isinstance(other, NotRated)
    assert other.reason is NotEstimatedReason.CAPACITY_NOT_METERED


def test_service_is_known_by_its_id_too() -> None:
    """A bill with ids instead of descriptions is read the same way."""
    sku = Sku("gcp", None, "6F81-5844-456A", None, "N2 Instance Core running in Americas", None, "hour", "us-central1")
    assert classify(sku, JANUARY, FACTORS) == _read("Compute Engine", "N2 Instance Core running in Americas", "hour")


@pytest.mark.inputs
def test_every_row_of_the_real_exports_has_its_verdict() -> None:
    """The SKUs of the two standard exports are rated or refused as a person would."""
    verdicts = {
        "Event Threat Detection Log Ingest Bytes": "surcharge",
        "Log Volume": "request_priced",
        "Analysis": "request_priced",
        "Active Storage": "storage",
    }
    paths = sorted(INPUTS.glob("gcp/standard-export/*.csv"))
    if not paths:
        pytest.skip("shared inputs are absent")
    for path in paths:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                outcome = _read(row["service.description"], row["sku.description"], row["usage.unit"])
                verdict = outcome.method.value if isinstance(outcome, Demand) else outcome.reason.value
                assert verdict == verdicts.get(row["sku.description"], "network"), row


SERVICES = ["Compute Engine", "Cloud SQL", "Vertex AI", "BigQuery", "Kubernetes Engine", "Cloud Run", "Support"]
WORDS = st.sampled_from(
    ["N2", "Instance", "Core", "Ram", "GPU", "H100", "PD Capacity", "Storage", "Egress", "Gemini", "Input", "TPU v4",
     "4 vCPU + 15GB RAM", "seconds", "byte-seconds", "²", "\ud7ff", "Regional", "Slots", "Environment Fee"],
)  # fmt: skip
STRANGE = st.one_of(st.none(), st.text(max_size=40), st.lists(WORDS, max_size=6).map(" ".join))


@settings(max_examples=300)
@given(st.one_of(st.sampled_from(SERVICES), STRANGE), STRANGE, STRANGE, STRANGE)
def test_no_string_raises_and_the_answer_is_pure(
    service: str | None, meter: str | None, unit: str | None, stated: str | None
) -> None:
    """Any strings give the same demand or reason twice, and every demanded amount is finite and not negative."""
    sku = Sku("gcp", service, service, None, meter, None, unit, None, meter, SkuAttributes(stated))
    outcome = classify(sku, JANUARY, FACTORS)
    assert outcome == classify(sku, JANUARY, FACTORS)
    if isinstance(outcome, Demand):
        assert outcome.components
        for part in outcome.components:
            amounts = [getattr(part, name) for name in part.__slots__]
            assert all(0 <= amount < 1e15 for amount in amounts if isinstance(amount, float)), part
