"""Google's managed services: what each SKU of the public price list asks of the hardware, with the shipped sizes."""

import pytest

from offgridflow.domain.model import Sku, Span
from offgridflow.domain.periods import Month
from offgridflow.domain.reasons import Assumption, CoverageBucket, Method, NotEstimatedReason
from offgridflow.methodology.demand import (
    Accelerator,
    Component,
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
from support.few_factors import few_factors, near, shipped
from support.outcomes import demand_of, reason_of

JANUARY = Month(2025, 1)
GIB_MONTH = 1.073741824 / 1000 * 744
"""Terabyte-hours of 2^30 bytes that are held through January."""
SQL, REDIS, MEMCACHED = "Cloud SQL", "Cloud Memorystore for Redis", "Cloud Memorystore for Memcached"
GKE, FUNCTIONS, RUN, VERTEX = "Kubernetes Engine", "Cloud Functions", "Cloud Run", "Vertex AI"


def _read(service: str, meter: str, unit: str | None, region: str = "us-central1") -> Demand | NotRated:
    return classify(Sku("gcp", service, None, None, meter, None, unit, region), JANUARY, shipped())


def _rated(service: str, meter: str, unit: str | None, region: str = "us-central1") -> Demand:
    return demand_of(_read(service, meter, unit, region))


def _reason(service: str, meter: str, unit: str | None) -> NotEstimatedReason:
    return reason_of(_read(service, meter, unit))


def _vcpu(hours: float, copies: float = 1.0) -> Vcpu:
    return Vcpu(near(hours), None, memory_apart=True, copies=copies)


@pytest.mark.parametrize(
    ("service", "meter", "unit", "wanted"),
    [
        (SQL, "Cloud SQL for MySQL: Zonal - 4 vCPU + 15GB RAM in Americas", "hour", (_vcpu(4), Memory(15))),
        (SQL, "Cloud SQL for MySQL: Regional - 1 vCPU + 3.75GB RAM in Americas", "hour",
         (_vcpu(1, 2), Memory(3.75, 2))),
        (SQL, "Cloud SQL for MySQL: Zonal - Micro instance in Americas", "hour",
         (Machine("f1-micro", 1, service="Cloud SQL"),)),
        (SQL, "Cloud SQL for PostgreSQL: Regional - Small instance in Americas", "hour",
         (Machine("g1-small", 1, copies=2, service="Cloud SQL"),)),
        (REDIS, "Redis Capacity Basic M1 Iowa", "gibibyte hour", (Memory(1),)),
        (REDIS, "Redis Capacity Standard M2 London", "gibibyte hour", (Memory(1, 2),)),
        (REDIS, "Redis Standard Node Capacity M2 London", "gibibyte hour", (Memory(1),)),
        (MEMCACHED, "Memorystore for Memcached Custom RAM M1 Iowa", "gibibyte hour", (Memory(1),)),
        (MEMCACHED, "Memorystore for Memcached Custom Core M1 Iowa", "hour", (_vcpu(1),)),
        ("BigQuery", "BigQuery Flat Rate Annual Slots for US", "month", (Vcpu(744.0),)),
        ("BigQuery BI Engine", "BI Engine Reservation for US (multi-region)", "gibibyte hour", (Memory(1),)),
        (GKE, "Autopilot Balanced Pod mCPU Requests (us-central1)", "hour", (_vcpu(0.001),)),
        (GKE, "Autopilot NVIDIA T4 Pod mCPU Requests (us-central1)", "hour", (_vcpu(0.001),)),
        (GKE, "Autopilot NVIDIA A100 80GB Spot Pod mCPU Requests (us-central1)", "hour", (_vcpu(0.001),)),
        (GKE, "Autopilot NVIDIA L4 Pod Memory Requests (us-central1)", "gibibyte hour", (Memory(1),)),
        (GKE, "Autopilot NVIDIA T4 Pod GPU Requests (us-central1)", "hour", (Accelerator("NVIDIA T4", 1),)),
        ("Compute Engine", "RTX 6000 96GB running in Oregon", "hour", (Accelerator("NVIDIA RTX PRO 6000", 1),)),
        (VERTEX, "Gemini 3.1 Pro Text Output - Predictions", "count", (Tokens("gemini-3.1-pro-preview", 0, 1),)),
        (VERTEX, "Claude Sonnet 4.5 Input Tokens", "count", (Tokens("claude-sonnet-4-5-20250929", 1, 0),)),
        ("Claude Sonnet 4.5", "Claude Sonnet 4.5 - Output Tokens", "count",
         (Tokens("claude-sonnet-4-5-20250929", 0, 1),)),
        (RUN, "Cloud Run Nvidia L4 GPU in us-central1", "hour", (Accelerator("NVIDIA L4", 1),)),
        ("App Engine", "Flex Instance Core Hours Iowa", "hour", (_vcpu(1),)),
        ("App Engine", "Flex Instance RAM Iowa", "gibibyte hour", (Memory(1),)),
        (FUNCTIONS, "CPU Time", "seconds", (_vcpu(1 / 2.4 / 3600),)),
        (FUNCTIONS, "CPU Time", "GHz-seconds", (_vcpu(1 / 2.4 / 3600),)),
        (FUNCTIONS, "CPU Time (2nd Gen)", "seconds", (_vcpu(1 / 3600),)),
        (FUNCTIONS, "Memory Time (2nd Gen)", "gibibyte second", (Memory(near(1 / 3600)),)),
        ("Cloud Dataflow", "RAM Time Streaming Iowa", "gibibyte hour", (Memory(1),)),
        ("Cloud Composer", "Cloud Composer SQL vCPU time in South Carolina", "hour", (_vcpu(1),)),
        ("Cloud TPU", "TPU v5 Lite in us-west4", "hour", (Accelerator("Google TPU v5e", 1),)),
        ("Cloud TPU", "TpuV5p in us-east5", "hour", (Accelerator("Google TPU v5p", 1),)),
        ("Cloud TPU", "TPU Trillium in us-east5", "hour", (Accelerator("Google TPU v6e", 1),)),
        ("Cloud TPU", "TPU Ironwood in us-central1", "hour", (Accelerator("Google TPU v7", 1),)),
        ("Compute Engine", "Small Instance with 1 VCPU running in Americas", "hour", (Machine("g1-small", 1),)),
    ],
)  # fmt: skip
def test_hour_of_a_capacity_is_the_hardware_that_its_name_tells(
    service: str, meter: str, unit: str, wanted: tuple[Component, ...]
) -> None:
    """A standby counts where one SKU pays for both, not where nodes are counted; cores of a GPU pod are cores."""
    assert _rated(service, meter, unit).components == wanted


@pytest.mark.parametrize(
    ("service", "meter", "wanted"),
    [
        (SQL, "Cloud SQL: Backups in Americas", Storage(near(GIB_MONTH), "hdd", Span(1.5, 2, 3))),
        (SQL, "Cloud SQL for MySQL: Regional - Standard storage in Americas",
         Storage(near(GIB_MONTH), "ssd", Span(4, 4, 6))),
        ("Cloud Spanner", "Cloud Spanner Backup Storage us-central1",
         Storage(near(GIB_MONTH), "hdd", Span(1.5, 2, 3))),
        ("Cloud Bigtable", "Storage HDD us-central1", Storage(near(GIB_MONTH), "hdd", Span(3, 3, 3))),
        ("Cloud Bigtable", "Storage SSD us-central1", Storage(near(GIB_MONTH), "ssd", Span(3, 3, 3))),
        ("Cloud Firestore", "Cloud Firestore Storage", Storage(near(GIB_MONTH), "ssd", Span(3, 3, 3))),
        (GKE, "Autopilot Pod Ephemeral Storage Requests (us-central1)",
         Storage(near(GIB_MONTH), "ssd", Span(2, 2, 3))),
        (GKE, "Autopilot GPU Pod Local SSD (us-central1)", Storage(near(GIB_MONTH), "ssd", Span.exactly(1))),
        ("Cloud Dataflow", "Local Disk Time PD SSD Iowa", Storage(near(GIB_MONTH), "ssd", Span(2, 2, 3))),
        ("Cloud Dataflow", "Local Disk Time PD Standard Iowa", Storage(near(GIB_MONTH), "hdd", Span(2, 2, 3))),
        ("Cloud Composer", "Cloud Composer Database Storage in South Carolina",
         Storage(near(GIB_MONTH), "hdd", Span(1.5, 2, 3))),
        ("Cloud Filestore", "Filestore Capacity Basic SSD (Premium) Iowa",
         Storage(near(GIB_MONTH), "ssd", Span(2, 2, 3))),
        (REDIS, "Redis Backup Storage Iowa", Storage(near(GIB_MONTH), "hdd", Span(1.5, 2, 3))),
        ("Managed Service for Apache Kafka", "Local storage", Storage(near(GIB_MONTH), "hdd", Span(2, 2, 3))),
        ("Cloud Filestore", "Filestore Backup Usage Iowa", Storage(near(GIB_MONTH), "hdd", Span(2, 2, 3))),
    ],
)  # fmt: skip
def test_data_that_a_service_holds_has_its_medium_and_copies(service: str, meter: str, wanted: Storage) -> None:
    """A gibibyte-month of a database, pod, worker or file share is held through January with the service's copies."""
    outcome = _rated(service, meter, "gibibyte month")
    assert outcome.components == (wanted,)
    assert outcome.method is Method.STORAGE


def test_spanner_keeps_five_copies_where_the_region_of_the_bill_is_many() -> None:
    """The bill's region tells the configuration as well as the SKU's name: ``nam6`` is five copies, a region three."""
    for region, copies in (("nam6", Span(5, 5, 7)), ("us-central1", Span.exactly(3))):
        outcome = _rated("Cloud Spanner", "Cloud Spanner Database Storage", "gibibyte month", region)
        assert outcome.components == (Storage(near(GIB_MONTH), "ssd", copies),)


@pytest.mark.parametrize(
    ("service", "meter", "vcpu_hours"),
    [
        ("Cloud Spanner", "Spanner Enterprise edition compute capacity - us-central1: Regional Replica", 16),
        ("Cloud Bigtable", "Server Nodes us-central1", 16),
        (REDIS, "Redis Cluster Node Default London", 16),
        ("Cloud Composer", "Cloud Composer Small Environment Fee in South Carolina", 14),
    ],
)
def test_node_that_nobody_publishes_is_a_median(service: str, meter: str, vcpu_hours: float) -> None:
    """Nodes and environments whose hardware no page tells are the factor set's median, in bucket C and marked."""
    outcome = _rated(service, meter, "hour")
    assert outcome.components == (Vcpu(vcpu_hours),)
    assert (outcome.method, outcome.bucket) == (Method.SERVICE_MEDIAN, CoverageBucket.SERVICE_MEDIAN)
    assert outcome.assumptions == (Assumption.SERVICE_MEDIAN_SIZE,)


def test_app_engine_instance_hour_is_a_quarter_of_a_core() -> None:
    """Instance hours count F1 instances: 600 MHz of 2.4 GHz and 384 MB, whatever class runs, front or back end."""
    for name in ("Frontend Instances", "Backend Instances"):
        outcome = _rated("App Engine", name, "hour")
        assert outcome.components == (_vcpu(0.25), Memory(near(0.375)))
        assert outcome.bucket is CoverageBucket.SERVICE_MEDIAN


@pytest.mark.parametrize(
    ("service", "meter", "kind"),
    [
        (SQL, "Cloud SQL: Network Internet Data Transfer Out from Americas", "internet_egress"),
        ("Cloud Spanner", "Cloud Spanner Inter Region Network Data Transfer Out", "inter_region"),
        ("Cloud Bigtable", "Network Internet Egress from Americas to Americas", "internet_egress"),
        ("BigQuery", "BigQuery Data Transfer Inter Region from Americas", "inter_region"),
        ("Compute Engine", "Network Intra Zone Data Transfer Out", "intra_zone"),
    ],
)
def test_what_a_database_sends_is_a_transfer(service: str, meter: str, kind: str) -> None:
    """A gibibyte that leaves a managed service is 1.0737 GB of its kind, as one that leaves a machine."""
    assert _rated(service, meter, "gibibyte").components == (Transfer(near(1.073741824), kind),)


@pytest.mark.parametrize(
    ("service", "meter", "unit", "reason"),
    [
        # fees on what has its own SKUs
        (GKE, "Autopilot Kubernetes Clusters", "hour", "surcharge"),
        (GKE, "Autopilot A100 80GB Premium (us-central1)", "hour", "surcharge"),
        ("Cloud Dataproc", "Licensing Fee for Google Cloud Dataproc (CPU cost)", "hour", "surcharge"),
        (SQL, "Cloud SQL for SQL Server: License Enterprise in Americas", "hour", "licence"),
        (SQL, "Cloud SQL: IP address reservation in Americas", "hour", "not_physical"),
        ("Compute Engine", "Confidential Computing Premium Core running in Americas", "hour", "surcharge"),
        # at the customer
        (GKE, "GKE Enterprise Bare Metal On-Prem vCPU", "hour", "customer_premises"),
        ("Google Distributed Cloud Connected", "Rack in a room", "month", "customer_premises"),
        # counted once, elsewhere
        ("BigQuery", "Analysis Slots Attribution", "hour", "counted_elsewhere"),
        ("Cloud CDN", "Network CDN Cache Fill from North America to North America", "gibibyte", "counted_elsewhere"),
        # units of a shared capacity
        ("Cloud Dataproc", "Dataproc Serverless Batches Data Compute Unit Iowa", "hour", "capacity_not_metered"),
        ("Managed Service for Apache Kafka", "Managed Kafka DCU Iowa", "hour", "capacity_not_metered"),
        ("Cloud Build", "Build Time", "minute", "capacity_not_metered"),
        (VERTEX, "Gemini 2.5 Flash Provisioned Throughput GSU", "hour", "capacity_not_metered"),
        (VERTEX, "Gemini 2.5 Pro Text Input Caching Storage", "hour", "capacity_not_metered"),
        (VERTEX, "Gemini 2.5 Flash GA Text Caching Text Input", "count", "capacity_not_metered"),
        (VERTEX, "Provisioned Throughput GSU 1 month", "count", "capacity_not_metered"),
        ("Compute Engine", "Hyperdisk Throughput Throughput in Iowa", "count", "capacity_not_metered"),
        ("Claude Sonnet 4", "Claude Sonnet 4 Input Tokens", "count", "unknown_ai_model"),
        # what was done, not what ran
        ("Cloud Spanner", "Cloud Spanner Data Boost Operations", "count", "request_priced"),
        ("Cloud Firestore", "Cloud Firestore Read Ops", "count", "request_priced"),
        ("Cloud Firestore", "Cloud Firestore Entity Deletes", "count", "request_priced"),
        ("BigQuery", "Streaming Insert", "gibibyte", "request_priced"),
        ("BigQuery Storage API", "BigQuery Storage API - Read", "tebibyte", "request_priced"),
        (RUN, "Requests", "count", "request_priced"),
        (FUNCTIONS, "Invocations", "count", "request_priced"),
        ("Cloud Dataflow", "Shuffle Data Processed Iowa", "gibibyte", "request_priced"),
        ("Quantum Gizmos", "Gizmo API Calls", "count", "request_priced"),
        # names that tell too little
        ("BigQuery", "Gizmo of the day", "hour", "unknown_meter"),
        ("Cloud Storage", "Gizmo of the day", "count", "unknown_meter"),
        (REDIS, "Gizmo of the day", "count", "unknown_meter"),
        (VERTEX, "Gemini 2.5 Flash Text - Predictions", "count", "unknown_meter"),
        ("Cloud TPU", "TPU of the day", "hour", "unknown_accelerator"),
    ],
)  # fmt: skip
def test_what_asks_for_no_hardware_of_its_own_says_why(service: str, meter: str, unit: str, reason: str) -> None:
    """A fee, a shared unit, a request, a second half or a vague name is refused with its reason, never a zero."""
    assert _reason(service, meter, unit) == reason


@pytest.mark.parametrize(
    ("service", "meter"),
    [
        (SQL, "Cloud SQL for MySQL: Zonal - 4 vCPU + 15GB RAM in Americas"),
        (REDIS, "Redis Capacity Standard M2 London"),
        (MEMCACHED, "Memorystore for Memcached Custom Core M1 Iowa"),
        ("Cloud Spanner", "Cloud Spanner Server Node: us-central1"),
        ("BigQuery", "BigQuery Enterprise Edition for US (multi-region)"),
        (GKE, "Autopilot Pod Memory Requests (us-central1)"),
        (FUNCTIONS, "CPU Time"),
        ("App Engine", "Frontend Instances"),
        ("Cloud Composer", "Cloud Composer Small Environment Fee in South Carolina"),
        ("Cloud Build", "Build time n1-highcpu-8"),
        ("Cloud TPU", "Tpu-v4 in us-central2"),
        ("Compute Engine", "Micro Instance with burstable CPU running in Americas"),
        (VERTEX, "Gemini 2.5 Flash Text Input - Predictions"),
    ],
)
def test_unit_that_contradicts_the_sku_is_never_taken_for_another(service: str, meter: str) -> None:
    """Time, memory over time or tokens that the bill gives in gibibytes, or in no unit at all, are ``unknown_unit``."""
    assert _reason(service, meter, "gibibyte") == "unknown_unit"
    assert _reason(service, meter, None) == "unknown_unit"


@pytest.mark.parametrize(
    ("service", "meter", "unit", "reason"),
    [
        ("Compute Engine", "SSD backed PD Capacity", "gibibyte month", "no_factor"),
        ("Cloud Bigtable", "Server Nodes us-central1", "hour", "capacity_not_metered"),
        ("App Engine", "Frontend Instances", "hour", "capacity_not_metered"),
        ("Cloud TPU", "Tpu-v4 in us-central2", "hour", "unknown_accelerator"),
        (VERTEX, "Gemini 2.5 Flash Text Input - Predictions", "count", "unknown_ai_model"),
    ],
)
def test_factor_that_the_set_lacks_is_never_made_up(service: str, meter: str, unit: str, reason: str) -> None:
    """Copies, medians, sizes, cards and models that the factor set does not have are refused, each with its reason."""
    sku = Sku("gcp", service, None, None, meter, None, unit, "us-central1")
    assert reason_of(classify(sku, JANUARY, few_factors(copies={}, sizes=False))) == reason
